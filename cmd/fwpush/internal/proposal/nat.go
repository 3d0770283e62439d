package proposal

import (
	"net/netip"
	"slices"
	"strings"

	"fwpush/internal/foreign"
	"fwpush/inventory"
	"fwpush/roles/space"
)

// natEntry is an entry of nat, and the rule it was made of.
type natEntry struct {
	text, at, rule string
	sent           space.Region // where dnat sends packets
}

// nat makes entries of nat of the rules in the base chains that translate. The first rule
// that is about a packet decides, and so it is in a role where the others are about more.
// Else an entry is about what is left for its rule.
func (p *maker) nat(rs Rules) ([]natEntry, error) {
	var out []natEntry
	for _, name := range [...]string{"prerouting", "input", "output", "postrouting"} {
		for _, v6 := range [...]bool{false, true} {
			full := everything(name, v6)
			alive := full
			chains, _ := p.bases(rs, name, v6, true)
			var before space.Region // what is translated already
			for _, c := range chains {
				var h hook
				w := walker{reader: p.reader, table: c.t, v6: v6, nat: true, out: &h}
				w.walk(c.c, alive, full, 0)
				if w.err != nil {
					return nil, w.err
				}
				for _, n := range w.out.pieces {
					switch n.rule.Verdict.Kind {
					case foreign.Accept:
						continue
					case foreign.Drop, foreign.Reject:
						p.tell(&p.lost, n.at, n.rule.Text, "refuses where addresses are translated; "+mayEnter)
						continue
					}
					boxes := n.packets.Simple()
					if within(before, n.full) && len(n.full.Without(append(slices.Clip(before), n.packets...))) == 0 {
						boxes = n.full
					}
					for _, b := range boxes {
						e, why := p.translation(n, b, name, v6)
						if why != "" {
							p.tell(&p.lost, n.at, n.rule.Text, why)
							continue
						}
						out = append(out, e)
					}
					before = append(before, n.packets...)
					alive = alive.Without(n.packets)
				}
			}
		}
	}
	return out, nil
}

// within tells whether those of packets that meet all are a part of it.
func within(r, all space.Region) bool {
	return !slices.ContainsFunc(r, func(b space.Box) bool {
		return space.Region{b}.Meets(all) && len(space.Region{b}.Without(all)) > 0
	})
}

// untranslated says why a rule of nat becomes nothing.
func (m matched) untranslated(kind foreign.Kind) string {
	why := "a limit before a translation has no key"
	if len(m.unsure) > 0 {
		why = "not understood: " + strings.Join(m.unsure, ", ")
	}
	switch kind {
	case foreign.Accept, foreign.Return:
		return why + "; what it leaves as it is may be translated"
	case foreign.Jump, foreign.Goto:
		return why + "; left out with all behind it"
	}
	return why + "; left out"
}

// translation is packets of a rule as an entry of nat; why not, if they are none.
func (p *maker) translation(of piece, b space.Box, hook string, v6 bool) (n natEntry, why string) {
	r := of.rule
	n = natEntry{at: of.at, rule: r.Text}
	family := string(inventory.IPv4)
	if v6 {
		family = string(inventory.IPv6)
	}
	e, bad := p.entryOf("dport", b, v6)
	if bad != "" {
		return n, bad
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
		if strings.Contains(r.Text, " --to-ports ") {
			p.tell(&p.lost, of.at, r.Text, "which ports connections leave from is up to the kernel")
		}
		add("family", family)
	case foreign.SNAT:
		if !to.Addr().IsValid() || to.Port() != 0 || !source {
			return n, "snat is to one address, keeps ports, and is of what leaves"
		}
		add("snat", to.Addr().String())
	case foreign.DNAT:
		if !to.Addr().IsValid() || len(e.services) == 0 || hook != "prerouting" {
			return n, "dnat is of services, to one address, for what comes in"
		}
		add("dnat", true)
		if to.Port() != 0 {
			add("to_addr", to.String())
		} else {
			add("to_addr", to.Addr().String())
		}
		n.sent = space.Region{sent(b, to)}
		p.toItself = p.toItself || len(e.to) == 0
	case foreign.Redirect:
		if to.Port() == 0 || len(e.services) == 0 || hook != "prerouting" {
			return n, "redirect is of services, to one port, for what comes in"
		}
		add("redirect", int(to.Port()))
		add("family", family)
	default:
		return n, "does what no entry of nat does"
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
		return n, "names an interface of the other end"
	case len(e.in) > 0:
		add("iface", e.in)
	case len(e.out) > 0:
		add("out_iface", e.out)
	}
	if c := comment(r.Comment); c != "" {
		add("comment", c)
	}
	n.text = "{ " + strings.Join(parts, ", ") + " }"
	return n, ""
}

// sent are packets as dnat sends them on.
func sent(b space.Box, to netip.AddrPort) space.Box {
	if to.Port() != 0 {
		var keys space.Keys
		for _, proto := range [...]uint8{space.TCP, space.UDP, space.SCTP} {
			if b.Key.Meets(space.ProtoKeys(proto)) {
				keys = keys.Union(space.PortKeys(proto, to.Port(), to.Port()))
			}
		}
		b.Key = keys
	}
	b.Dst = space.One(to.Addr())
	return b
}
