package foreign

import (
	"cmp"
	"net/netip"
	"slices"
)

// Fate is what becomes of packets in the chains of a hook.
type Fate struct {
	Does Does
	By   Place          // what decides it, or is in the way of an answer; of Passes, nothing
	To   netip.AddrPort // of Diverts, as far as it is known
}

// Does is one of four.
type Does uint8

// Passes and Refuses are said of all the packets asked about, and for sure. Diverts is a
// destination that is translated for all of them. Anything else is Unsure.
const (
	Passes Does = iota
	Refuses
	Diverts
	Unsure
)

// Place is a rule, or the policy of a base chain.
type Place struct {
	Table *Table
	Chain string
	Text  string // of the rule, or "policy drop"
	Kind  Kind   // Drop or Reject, DNAT or Redirect, Unknown
}

// String is "iptables filter INPUT: -A INPUT -j DROP".
func (p Place) String() string {
	if p.Table == nil {
		return ""
	}
	return p.Table.String() + " " + p.Chain + ": " + p.Text
}

// maxDepth is how deep jumps may go; the kernel allows 16 (NFT_JUMP_STACK_SIZE).
const maxDepth = 64

// Walk leads packets through the base chains on a hook, of the tables that see them, in the order
// of their priorities. An accept ends one chain; a drop is final. Translations of destinations are
// made on prerouting and output.
func (rs Ruleset) Walk(hook string, p Packets) Fate {
	var at []place
	for _, t := range rs.Tables {
		for _, c := range t.Chains {
			if c.Base == nil || c.Base.Hook != hook || !t.sees(p.IPv6) || c.Base.Type == "nat" && p.State != "new" && p.State != "" {
				continue
			}
			at = append(at, place{t, c})
		}
	}
	slices.SortStableFunc(at, func(a, b place) int { return cmp.Compare(a.chain.Base.Priority, b.chain.Base.Priority) })
	p.hook = hook
	untracked := rs.may(p, func(r *Rule) bool { return r.Untracks })
	if rs.may(p, func(r *Rule) bool { return r.Rewrites }) {
		p = p.rewritten()
	}
	var unsure Fate
	for _, a := range at {
		p.untracked = untracked || tracksLater(hook, a.chain.Base.Priority)
		p.members = map[membership]truth{}
		w := walk{packets: p, table: a.table, chains: map[string]*Chain{}, done: map[string]*outcome{}}
		for _, c := range a.table.Chains {
			w.chains[c.Name] = c
		}
		fate := w.base(a.chain)
		if fate.Does != Passes && a.chain.Base.Type == "nat" && untracked { // which does not see them
			fate.Does = Unsure
		}
		if fate.Does == Unsure && a.chain.Base.Type == "nat" {
			p = p.rewritten() // perhaps
		}
		switch {
		case fate.Does == Refuses, fate.Does == Diverts && unsure.Does == Passes:
			// What an earlier chain may do is no way to stay alive.
			return fate
		case fate.Does != Passes && unsure.Does == Passes:
			unsure = Fate{Does: Unsure, By: fate.By}
		}
	}
	return unsure
}

// may says whether a rule that does something, wherever it stands, may match the packets.
func (rs Ruleset) may(p Packets, does func(*Rule) bool) bool {
	p.untracked, p.hook, p.members = true, "", map[membership]truth{}
	for _, t := range rs.Tables {
		for _, c := range t.Chains {
			for i := range c.Rules {
				if does(&c.Rules[i]) && t.sees(p.IPv6) && p.matches(&c.Rules[i], t) != no {
					return true
				}
			}
		}
	}
	return false
}

// tracksLater says whether a chain sees packets before connection tracking does, or may
// (NF_IP_PRI_CONNTRACK).
func tracksLater(hook string, priority int) bool {
	return priority <= -200 && (hook == "prerouting" || hook == "output") || hook == "ingress"
}

type place struct {
	table *Table
	chain *Chain
}

// walk goes through one table.
type walk struct {
	packets Packets
	table   *Table
	chains  map[string]*Chain
	done    map[string]*outcome
	depth   int
}

// outcome is what may become of packets that come to a chain, and by what. A chain may let them fall
// off its end, or return, which is the same to whoever jumped to it.
type outcome struct {
	accept, drop, divert, falls bool
	dropBy, divertBy, unsureBy  Place
	to                          netip.AddrPort
}

func (w *walk) base(c *Chain) Fate {
	o := w.chain(c.Name)
	if o.falls {
		if c.Base.Policy == Drop {
			o.drop, o.dropBy = true, Place{w.table, c.Name, "policy drop", Drop}
		} else {
			o.accept = true
		}
	}
	switch {
	case !o.drop && !o.divert && o.unsureBy.Kind != Unknown:
		return Fate{Does: Passes}
	case o.drop && !o.accept && !o.divert && o.unsureBy.Kind != Unknown:
		return Fate{Does: Refuses, By: o.dropBy}
	case o.divert && !o.accept && !o.drop && o.unsureBy.Kind != Unknown:
		return Fate{Does: Diverts, By: o.divertBy, To: o.to}
	}
	by := o.unsureBy
	if by.Table == nil {
		by = o.dropBy
	}
	return Fate{Does: Unsure, By: by}
}

// chain is asked once for each chain: what becomes of the packets there does not depend on who jumps.
func (w *walk) chain(name string) outcome {
	if known := w.done[name]; known != nil {
		return *known
	}
	c := w.chains[name]
	unknown := outcome{falls: true, unsureBy: Place{w.table, name, "cannot be followed", Unknown}}
	if c == nil || w.depth >= maxDepth {
		return unknown
	}
	w.done[name] = &unknown // for a loop, which no kernel takes
	w.depth++
	var o outcome
	alive := true
	for i := range c.Rules {
		r := &c.Rules[i]
		match := w.packets.matches(r, w.table)
		if match == no {
			continue
		}
		goes := w.rule(name, r, &o, match)
		if match == yes && !goes {
			alive = false
			break
		}
	}
	if alive && c.Cut {
		o.unsureBy = Place{w.table, name, Untold, Unknown}
	}
	o.falls = o.falls || alive
	w.depth--
	w.done[name] = &o
	return o
}

// rule adds what a rule may do to an outcome; true if packets may go on to the next one.
func (w *walk) rule(chain string, r *Rule, o *outcome, match truth) (goes bool) {
	here := Place{w.table, chain, r.Text, r.Verdict.Kind}
	ends := r.Verdict.Kind != Continue
	if match == maybe && ends && o.unsureBy.Table == nil && r.Verdict.Kind != Return {
		o.unsureBy = Place{w.table, chain, r.Text, Continue}
	}
	switch r.Verdict.Kind {
	case Continue:
		return true
	case Accept:
		o.accept = true
	case Drop, Reject:
		o.drop, o.dropBy = true, here
	case Return:
		o.falls = true
	case Jump, Goto:
		sub := w.chain(r.Verdict.Chain)
		o.accept, o.drop, o.divert = o.accept || sub.accept, o.drop || sub.drop, o.divert || sub.divert
		if sub.drop {
			o.dropBy = sub.dropBy
		}
		if sub.divert {
			o.divertBy, o.to = sub.divertBy, sub.to
		}
		if sub.unsureBy.Kind == Unknown || o.unsureBy.Table == nil {
			o.unsureBy = sub.unsureBy
		}
		if r.Verdict.Kind == Goto {
			o.falls = o.falls || sub.falls
			return false
		}
		return sub.falls
	case DNAT, Redirect:
		if o.divert && o.to != r.Verdict.To {
			o.to = netip.AddrPort{}
		} else {
			o.to = r.Verdict.To
		}
		o.divert, o.divertBy = true, here
	case SNAT, Masquerade:
		o.accept = true
	default: // Queue, Unknown: whatever it does, it is not known
		o.unsureBy = here
		o.unsureBy.Kind = Unknown
		o.falls = true
		return true
	}
	return false
}
