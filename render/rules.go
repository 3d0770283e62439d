package render

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles"
)

// protocols are those with ports, in the order in which they are written.
var protocols = [...]string{"tcp", "udp", "sctp"}

func (r *renderer) allows(rules []roles.Rule) []stmt {
	return r.inOrder(rules, true, func(rule roles.Rule) []stmt {
		return r.rule(rule, action{kind: accept}, false)
	})
}

// denies are counted, and refuse as the rule says or else as the chain's default
// does; what drops comes before what answers. A refusal that answers goes to a
// chain of its own, because one line cannot reset TCP, answer the rest and leave
// broadcasts unanswered.
func (r *renderer) denies(d roles.Direction, rules []roles.Rule) []stmt {
	out := r.logs(rules, false)
	for _, v := range []inventory.Verdict{inventory.Drop, inventory.Reject} {
		out = append(out, r.inOrder(rules, false, func(rule roles.Rule) []stmt {
			if r.p.VerdictOf(d, rule) != v {
				return nil
			}
			return r.rule(rule, refusal(d, v), true)
		})...)
	}
	return out
}

// refusal is what a refusing rule does.
func refusal(d roles.Direction, v inventory.Verdict) action {
	switch {
	case v == inventory.Drop:
		return action{kind: drop}
	case d == roles.Output:
		return action{kind: jumpTo, to: refuseOut}
	}
	return action{kind: jumpTo, to: refuseIn}
}

// inOrder writes rules in an order of their own: by ports as numbers, then by what
// is matched. The order in which they came carries no meaning.
func (r *renderer) inOrder(rules []roles.Rule, allow bool, write func(roles.Rule) []stmt) []stmt {
	type written struct {
		ports []inventory.PortRange
		text  string
		stmts []stmt
	}
	var all []written
	for _, rule := range rules {
		if rule.Allows() != allow {
			continue
		}
		stmts := write(rule)
		texts := make([]string, len(stmts))
		for i, s := range stmts {
			texts[i] = nftText(s)
		}
		all = append(all, written{slices.SortedFunc(slices.Values(roles.MergePorts(rule.Ports)), comparePorts), strings.Join(texts, "\n"), stmts})
	}
	slices.SortStableFunc(all, func(a, b written) int {
		return cmp.Or(slices.CompareFunc(a.ports, b.ports, comparePorts), cmp.Compare(a.text, b.text))
	})
	var out []stmt
	for _, w := range all {
		out = append(out, w.stmts...)
	}
	return out
}

// rule is one statement for each way in which it matches.
func (r *renderer) rule(rule roles.Rule, do action, count bool) []stmt {
	var out []stmt
	for _, c := range r.conds(rule) {
		s := stmt{cond: c, do: do, count: count, comment: rule.Comment, places: placesOf(rule.Place)}
		if rule.Counted {
			s.counter = counterName(rule)
		}
		out = append(out, s)
	}
	return out
}

func placesOf(p inventory.Place) []inventory.Place {
	if p.File == "" {
		return nil
	}
	return []inventory.Place{p}
}

// conds are the ways in which a rule matches: pairs of address matches, each with
// each of the services. No packet is in two of them if the rule counts or logs
// packets: one that is counted twice is refused too early.
func (r *renderer) conds(rule roles.Rule) []cond {
	var out []cond
	for _, m := range cross(r.peers(rule, fromEnd), r.peers(rule, toEnd)) {
		if rule.Family != inventory.BothFamilies {
			f := familyOf(rule.Family)
			if m.family != (family{}) && m.family != f {
				continue
			}
			m.family = f
		}
		for _, c := range services(rule.Traffic, m.family) {
			c.src, c.dst = m.from, m.to
			c.in, c.out, c.until = rule.InIfaces, rule.OutIfaces, rule.Expires
			out = append(out, c)
		}
	}
	return out
}

// match is the address part of a statement, for one family or (the zero family)
// for both.
type match struct {
	family   family
	from, to operand
}

// peers are the ways to match one end of a rule, each peer by itself and as a
// source; an end that is not "any" and has no addresses has none, and its rule is
// left out.
func (r *renderer) peers(rule roles.Rule, e end) []match {
	peers := e.of(rule)
	if len(peers) == 0 || slices.ContainsFunc(peers, isAny) {
		return []match{{}}
	}
	if id := unionOf(rule, e); r.stems[id] != "" {
		peers = []roles.Peer{{Kind: id.kind, Name: id.name, Net: id.net}}
	}
	sets := map[string]identity{}
	var literals []roles.Peer
	for _, p := range peers {
		if p.Kind == roles.Literal {
			literals = append(literals, p)
			continue
		}
		id := identityOf(p)
		sets[r.stems[id]] = id
	}
	// namedPeers has refused addresses that cannot be merged.
	loose, _ := mergePeers(literals...)
	var out []match
	for _, f := range families {
		for _, stem := range slices.Sorted(maps.Keys(sets)) {
			if len(r.named[sets[stem]].of(f)) > 0 {
				out = append(out, match{family: f, from: operand{stem: stem, given: true}})
			}
		}
		for _, e := range loose.of(f) {
			if p, ok := e.Prefix(); ok && p.Bits() == 0 {
				out = append(out, match{family: f}) // all of the family
				continue
			}
			out = append(out, match{family: f, from: operand{one: e, given: true}})
		}
	}
	return out
}

// cross pairs sources with destinations of the same family.
func cross(from, to []match) []match {
	var out []match
	for _, a := range from {
		for _, b := range to {
			f := a.family
			if f == (family{}) {
				f = b.family
			}
			if b.family == (family{}) || b.family == f {
				out = append(out, match{f, a.from, b.from})
			}
		}
	}
	return out
}

// services are the ways to match what a rule is about: one for the single ports of
// a protocol, one for each range (a set of ranges that is new loses packets while it
// is loaded), one for the types of each family's ICMP that the statement may be
// about, one for other protocols.
func services(t roles.Traffic, f family) []cond {
	if t.All {
		return []cond{{family: f}}
	}
	var out []cond
	ports := roles.MergePorts(t.Ports)
	for _, proto := range protocols {
		var singles, ranges []inventory.PortRange
		for _, p := range ports {
			switch {
			case p.Proto != proto:
			case p.From == p.To:
				singles = append(singles, p)
			default:
				ranges = append(ranges, p)
			}
		}
		if len(singles) > 0 {
			out = append(out, cond{family: f, proto: proto, ports: singles})
		}
		for _, p := range ranges {
			out = append(out, cond{family: f, proto: proto, ports: []inventory.PortRange{p}})
		}
	}
	for _, g := range families {
		types := t.ICMP
		if g == ip6 {
			types = t.ICMPv6
		}
		if len(types) > 0 && (f == g || f == (family{})) {
			out = append(out, icmpTypes(g, types...))
		}
	}
	if len(t.Protos) > 0 {
		out = append(out, cond{family: f, protos: t.Protos})
	}
	return out
}

// comparePorts puts protocols in the order in which they are written.
func comparePorts(a, b inventory.PortRange) int {
	return cmp.Or(
		cmp.Compare(slices.Index(protocols[:], a.Proto), slices.Index(protocols[:], b.Proto)),
		cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
}

// logs are the words to the log of rules that ask for them, of those that allow or
// of those that refuse. A flood is cut short, as at the end of a chain.
func (r *renderer) logs(rules []roles.Rule, allow bool) []stmt {
	return r.inOrder(rules, allow, func(rule roles.Rule) []stmt {
		if !rule.Log.On {
			return nil
		}
		var out []stmt
		for _, c := range r.conds(rule) {
			out = append(out, stmt{cond: c, log: logPrefix(rule), places: placesOf(rule.Place)})
		}
		return out
	})
}

// logPrefix is what begins a rule's messages. It is cut where iptables would cut
// it without a word.
func logPrefix(rule roles.Rule) string {
	if rule.Log.Prefix != "" {
		return rule.Log.Prefix
	}
	const frame = "fwpush-: "
	return fmt.Sprintf("fwpush-%s: ", rule.Name[:min(len(rule.Name), maxPrefix-len(frame))])
}

func familyOf(f inventory.Family) family {
	switch f {
	case inventory.IPv4:
		return ip4
	case inventory.IPv6:
		return ip6
	}
	return family{}
}
