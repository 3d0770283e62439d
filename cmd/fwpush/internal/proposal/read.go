package proposal

import (
	"cmp"
	"slices"

	"fwpush/internal/foreign"
	"fwpush/roles"
	"fwpush/roles/space"
)

// Rules are what programs told of one host.
type Rules struct {
	// Files are where the rules of a family were read, for places; Inet is that of nft.
	Files map[foreign.Family]string
	Lines bool // people can look up lines in them
	Rules foreign.Ruleset
	// V6 says whether rules of IPv6 were told: else nothing is known to refuse any of it.
	V6 bool
}

// chains are the hooks of a direction, by family: IPv4, then IPv6.
type chains [2]*hook

// understand works out what becomes of first packets in all directions.
func (r *reader) understand(rs Rules) (map[roles.Direction]chains, error) {
	for _, i := range rs.Rules.Items() {
		if i.Manager == foreign.ByHandIptables || i.Manager == foreign.ByHandNft {
			continue
		}
		r.present[i.Manager] = true
		switch {
		case i.Rule != nil:
			r.managers[i.Rule] = i.Manager
		case i.Chain.Base == nil || i.Table.Engine == foreign.Nft:
			r.chains[i.Chain] = i.Manager
		default:
			r.policies[i.Chain] = i.Manager
		}
	}
	out := map[roles.Direction]chains{}
	for _, d := range [...]roles.Direction{roles.Input, roles.Output, roles.Forward} {
		var pair chains
		for i, v6 := range [...]bool{false, true} {
			h, err := r.hook(rs, string(d), v6)
			if err != nil {
				return nil, err
			}
			pair[i] = h
		}
		out[d] = pair
	}
	return out, nil
}

// everything are the packets of a hook, but for what a host sends to itself.
func everything(hook string, v6 bool) space.Region {
	b := space.All(v6)
	others := space.NamesOf("lo").Not()
	if hook != "output" {
		b.In = others
	}
	if hook != "input" {
		b.Out = others
	}
	return space.Region{b}
}

// place is a chain.
type place struct {
	t *foreign.Table
	c *foreign.Chain
}

// bases are the chains on a hook that see packets of a family, the first first; those that
// translate, or the others. Others is who has one of them that is left out.
func (r *reader) bases(rs Rules, hook string, v6, nat bool) (list []place, others string) {
	for _, t := range rs.Rules.Tables {
		for _, c := range t.Chains {
			switch who := r.chains[c]; {
			case c.Base == nil || c.Base.Hook != hook || c.Base.Type == "nat" != nat || !sees(t, v6):
			case who != "":
				r.tell(&r.lost, r.place(t, c.Name, nil), "the whole chain", "is of "+who+", which goes on by itself")
				others = who
			default:
				list = append(list, place{t, c})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b place) int { return cmp.Compare(a.c.Base.Priority, b.c.Base.Priority) })
	return list, others
}

// elsewhere names the rules of chains on hooks that a role has no rules for: what comes in
// before it is known where it goes, what leaves, and what bridges and devices see.
func (r *reader) elsewhere(rs Rules) {
	for _, t := range rs.Rules.Tables {
		known := sees(t, false) || sees(t, true)
		for _, c := range t.Chains {
			switch b := c.Base; {
			case b == nil || known && (b.Type == "nat" || b.Hook == "input" || b.Hook == "forward" || b.Hook == "output"):
			case r.chains[c] != "":
				r.tell(&r.lost, r.place(t, c.Name, nil), "the whole chain", "is of "+r.chains[c]+", which goes on by itself")
			default:
				r.unknown(t, c, map[string]bool{})
				if b.Policy == foreign.Drop {
					r.tell(&r.lost, r.place(t, c.Name, nil), "policy drop", "is of a hook that a role has no rules for; "+mayEnter)
				}
			}
		}
	}
}

// unknown names the rules of a chain on such a hook, and of those that it jumps to.
func (r *reader) unknown(t *foreign.Table, c *foreign.Chain, seen map[string]bool) {
	seen[c.Name] = true
	for i := range c.Rules {
		rule, why := &c.Rules[i], "is of a hook that a role has no rules for"
		switch rule.Verdict.Kind {
		case foreign.Accept, foreign.Return, foreign.Continue:
		case foreign.Jump, foreign.Goto:
			if to := t.Chain(rule.Verdict.Chain); to != nil && !seen[to.Name] {
				r.unknown(t, to, seen)
			}
			continue // what it leads to is named
		default:
			why += "; " + mayEnter
		}
		if who := r.managers[rule]; who != "" {
			why = "is of " + who + ", which goes on by itself"
		}
		r.tell(&r.lost, r.place(t, c.Name, rule), rule.Text, why)
	}
}

// hook leads packets through the base chains on a hook, one after the other: what a chain
// accepts comes to the next. Of chains that refuse nothing nothing is said.
func (r *reader) hook(rs Rules, name string, v6 bool) (*hook, error) {
	out := &hook{}
	var at []place
	at, out.others = r.bases(rs, name, v6, false)
	full := everything(name, v6)
	alive := full
	for i, p := range at {
		h := &hook{curbs: out.curbs, sentOn: out.sentOn, others: out.others, policy: out.policy, log: out.log}
		w := walker{reader: r, table: p.t, v6: v6, out: h}
		falls := w.walk(p.c, alive, full, 0)
		if w.err != nil {
			return nil, w.err
		}
		refuses := p.c.Base.Policy == foreign.Drop
		if who := r.policies[p.c]; who != "" && refuses {
			r.tell(&r.lost, r.place(p.t, p.c.Name, nil), "policy drop", "is of "+who+", which goes on by itself")
			h.others = who
		}
		if name == "input" && h.others != "" && !refuses {
			// What comes as far as this has met rules that were left out: nobody here knows
			// whether they let it in.
			r.tell(&r.lost, r.place(p.t, p.c.Name, nil), "policy accept", "is about what "+h.others+" leaves; it opens nothing")
			refuses = true
		}
		h.policy = h.policy || refuses
		if len(falls) > 0 {
			h.pieces = append(h.pieces, piece{packets: falls, full: falls, accept: !refuses, at: r.place(p.t, p.c.Name, nil) + ": policy", curbs: slices.Clip(h.curbs)})
		}
		drops := slices.DeleteFunc(slices.Clone(h.pieces), func(p piece) bool { return p.accept })
		if len(drops) == 0 && len(h.curbs) == len(out.curbs) && (i < len(at)-1 || len(out.pieces) > 0) {
			out.sentOn, out.log, out.others = h.sentOn, h.log, h.others
			continue // it lets through what comes
		}
		// What an earlier chain refused stays refused.
		h.pieces = append(slices.DeleteFunc(slices.Clone(out.pieces), func(p piece) bool { return p.accept }), h.pieces...)
		out = h
		if alive = nil; i < len(at)-1 {
			for _, p := range h.pieces {
				if p.accept {
					alive = append(alive, p.packets...)
				}
			}
		}
	}
	if len(out.pieces) == 0 { // nothing stands there
		out.pieces = []piece{{packets: full, full: full, accept: true, at: "nothing refuses it"}}
	}
	return out, nil
}

func sees(t *foreign.Table, v6 bool) bool {
	switch t.Family {
	case foreign.IPv4:
		return !v6
	case foreign.IPv6:
		return v6
	}
	return t.Family == foreign.Inet
}

// accepted is what is let through, without a limit and with one.
func (h *hook) accepted() (free, limited space.Region) {
	for _, p := range h.pieces {
		switch {
		case p.accept && p.limit == nil:
			free = append(free, p.packets...)
		case p.accept:
			limited = append(limited, p.packets...)
		}
	}
	return free, limited
}

// open tells whether a hook refuses nothing.
func (h *hook) open() bool {
	return len(h.curbs) == 0 && !slices.ContainsFunc(h.pieces, func(p piece) bool { return !p.accept })
}
