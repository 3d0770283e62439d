package proposal

import (
	"strings"

	"fwpush/internal/foreign"
	"fwpush/inventory"
)

// natEntry is an entry of nat, and the rule it was made of.
type natEntry struct{ text, at, rule string }

// nat makes entries of nat of the rules in the base chains that translate.
func (p *maker) nat(rs Rules) []natEntry {
	var out []natEntry
	for _, t := range rs.Rules.Tables {
		for _, c := range t.Chains {
			if c.Base == nil || c.Base.Type != "nat" || p.chains[c] != "" {
				continue
			}
			for i := range c.Rules {
				r := &c.Rules[i]
				at := p.place(t, c.Name, r)
				if who := p.managers[r]; who != "" {
					p.tell(&p.lost, at, r.Text, "is of "+who+", which goes on by itself")
					continue
				}
				for _, v6 := range [...]bool{false, true} {
					if !sees(t, v6) || t.Family == foreign.Inet && v6 && !r.Verdict.To.Addr().Is6() {
						continue
					}
					text, why := p.translation(t, r, c.Base.Hook, v6)
					if why != "" {
						p.tell(&p.lost, at, r.Text, why)
						continue
					}
					out = append(out, natEntry{text, at, r.Text})
				}
			}
		}
	}
	return out
}

// translation is a rule as an entry of nat; why not, if it is none.
func (p *maker) translation(t *foreign.Table, r *foreign.Rule, hook string, v6 bool) (text, why string) {
	m := match(t, *r, v6)
	if len(m.unsure) > 0 || m.limit != nil {
		return "", "not understood: " + strings.Join(m.unsure, ", ")
	}
	if m.empty {
		return "", "is about no packet that begins something"
	}
	family := string(inventory.IPv4)
	if v6 {
		family = string(inventory.IPv6)
	}
	e, bad := p.entryOf("dport", m.box, v6)
	if bad != "" {
		return "", bad
	}
	if len(e.services) == 1 && e.services[0] == "all" {
		e.services = nil
	}
	var parts []string
	add := func(key string, v any) { parts = append(parts, key+" = "+inventory.TOML(v)) }
	to := r.Verdict.To
	source := hook == "postrouting"
	switch r.Verdict.Kind {
	case foreign.Masquerade:
		add("masquerade", true)
		add("family", family)
	case foreign.SNAT:
		if !to.Addr().IsValid() || to.Port() != 0 {
			return "", "snat is to one address, and keeps ports"
		}
		add("snat", to.Addr().String())
	case foreign.DNAT:
		if !to.Addr().IsValid() || len(e.services) == 0 {
			return "", "dnat is of services, to one address"
		}
		add("dnat", true)
		if to.Port() != 0 {
			add("to_addr", to.String())
		} else {
			add("to_addr", to.Addr().String())
		}
	case foreign.Redirect:
		if to.Port() == 0 || len(e.services) == 0 || hook != "prerouting" {
			return "", "redirect is of services, to one port, for what comes in"
		}
		add("redirect", int(to.Port()))
		add("family", family)
	default:
		return "", "does what no entry of nat does"
	}
	if len(e.services) > 0 {
		add("dport", e.services)
	}
	if len(e.from) > 0 {
		add("from", e.from)
	}
	if len(e.to) > 0 {
		add("to", e.to)
	}
	switch {
	case source && len(e.in) > 0, !source && len(e.out) > 0:
		return "", "names an interface of the other end"
	case len(e.in) > 0:
		add("iface", e.in)
	case len(e.out) > 0:
		add("out_iface", e.out)
	}
	if c := comment(r.Comment); c != "" {
		add("comment", c)
	}
	return "{ " + strings.Join(parts, ", ") + " }", ""
}
