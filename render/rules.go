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

// match is the address part of a line, for one family or (the zero family,
// empty text) for both.
type match struct {
	family family
	text   string
}

func (r *renderer) allows(rules []roles.Rule) []line {
	return r.rules(rules, false, "accept")
}

// denies are counted, and refuse as the chain's default does. A rejecting one
// goes to a chain of its own, because one line cannot reset TCP, answer the
// rest and leave broadcasts unanswered.
func (r *renderer) denies(rules []roles.Rule, d roles.Direction, refuse string) []line {
	verdict := "counter drop"
	if r.p.Refusal(d) == inventory.Reject {
		verdict = "counter goto " + refuse
	}
	return once(r.rules(rules, true, verdict))
}

// rules writes rules in an order of their own: by ports as numbers, then by
// text. The order in which they came carries no meaning.
func (r *renderer) rules(rules []roles.Rule, deny bool, verdict string) []line {
	type written struct {
		ports []inventory.PortRange
		text  string
		lines []line
	}
	var all []written
	for _, rule := range rules {
		if rule.Deny != deny {
			continue
		}
		lines := r.rule(rule, verdict)
		texts := make([]string, len(lines))
		for i, l := range lines {
			texts[i] = l.text
		}
		all = append(all, written{mergePorts(rule.Ports), strings.Join(texts, "\n"), lines})
	}
	slices.SortStableFunc(all, func(a, b written) int {
		return cmp.Or(slices.CompareFunc(a.ports, b.ports, comparePorts), cmp.Compare(a.text, b.text))
	})
	var out []line
	for _, w := range all {
		out = append(out, w.lines...)
	}
	return out
}

// rule is one line for each pair of an address match and a service match.
func (r *renderer) rule(rule roles.Rule, verdict string) []line {
	if rule.Comment != "" {
		verdict += ` comment "` + rule.Comment + `"`
	}
	var places []inventory.Place
	if rule.Place.File != "" {
		places = []inventory.Place{rule.Place}
	}
	var out []line
	for _, m := range cross(r.peers("saddr", rule.From), r.peers("daddr", rule.To)) {
		for _, service := range services(rule, m.family) {
			out = append(out, line{join(m.text, service, verdict), places})
		}
	}
	return out
}

// peers are the ways to match a list of peers; a list that is not "any" and
// has no addresses has none, and its rule is left out.
func (r *renderer) peers(field string, peers []roles.Peer) []match {
	if len(peers) == 0 || slices.ContainsFunc(peers, isAny) {
		return []match{{}}
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
				out = append(out, match{f, f.keyword + " " + field + " @" + stem + f.digit})
			}
		}
		for _, e := range loose.of(f) {
			out = append(out, match{f, literal(f, field, e)})
		}
	}
	return out
}

// cross pairs sources with destinations of the same family.
func cross(from, to []match) []match {
	var out []match
	for _, a := range from {
		for _, b := range to {
			switch {
			case a.family == (family{}):
				out = append(out, b)
			case b.family == (family{}):
				out = append(out, a)
			case a.family == b.family:
				out = append(out, match{a.family, join(a.text, b.text)})
			}
		}
	}
	return out
}

// services are the ways to match a rule's services: one line for the single
// ports of a protocol, one for each range, one for ping in each family the
// line may be about.
func services(rule roles.Rule, f family) []string {
	if rule.All {
		return []string{""}
	}
	var out []string
	ports := mergePorts(rule.Ports)
	for _, proto := range protocols {
		var singles []uint16
		var ranges []string
		for _, p := range ports {
			switch {
			case p.Proto != proto:
			case p.From == p.To:
				singles = append(singles, p.From)
			default:
				ranges = append(ranges, fmt.Sprintf("%s dport %d-%d", proto, p.From, p.To))
			}
		}
		if len(singles) > 0 {
			out = append(out, proto+" dport "+portSet(singles))
		}
		out = append(out, ranges...)
	}
	if rule.Ping {
		for _, g := range families {
			if f == g || f == (family{}) {
				out = append(out, g.echo)
			}
		}
	}
	return out
}

// mergePorts sorts ranges and joins those that overlap or touch.
func mergePorts(list []inventory.PortRange) []inventory.PortRange {
	var out []inventory.PortRange
	for _, r := range slices.SortedFunc(slices.Values(list), comparePorts) {
		// In int, because 65535+1 does not fit the type.
		if n := len(out); n > 0 && out[n-1].Proto == r.Proto && int(r.From) <= int(out[n-1].To)+1 {
			out[n-1].To = max(out[n-1].To, r.To)
			continue
		}
		out = append(out, r)
	}
	return out
}

func comparePorts(a, b inventory.PortRange) int {
	return cmp.Or(
		cmp.Compare(slices.Index(protocols[:], a.Proto), slices.Index(protocols[:], b.Proto)),
		cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}
