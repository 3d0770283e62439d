package verdict

import (
	"fmt"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
)

// Part is what a rule looks at in a packet.
type Part string

const (
	FamilyPart  Part = "family"
	ServicePart Part = "service"
	FromPart    Part = "from"
	ToPart      Part = "to"
	InPart      Part = "iface"
	OutPart     Part = "out_iface"
)

// Miss is a rule that does not match packets, and the parts that none of them has.
// Without parts it matches some, and another rule or stage comes before it.
type Miss struct {
	Rule  *roles.Rule
	Parts []Part
}

// String is the rule with its place, and what it misses: "rule ssh, fleet.toml:9:3, is
// from set:ops".
func (m Miss) String() string {
	text := fmt.Sprintf("rule %s, %s", m.Rule.Name, m.Rule.Place)
	if len(m.Parts) == 0 {
		return text + ", matches, and something else decides before it"
	}
	for _, p := range m.Parts {
		text += ", " + m.missed(p)
	}
	return text
}

func (m Miss) missed(p Part) string {
	switch p {
	case FamilyPart:
		return "is for " + string(m.Rule.Family) + " only"
	case ServicePart:
		return "is about " + m.Rule.Traffic.String()
	case FromPart:
		return "is from " + peersText(m.Rule.From)
	case ToPart:
		return "is to " + peersText(m.Rule.To)
	case InPart:
		return "comes in by " + strings.Join(m.Rule.InIfaces, ", ")
	}
	return "goes out by " + strings.Join(m.Rule.OutIfaces, ", ")
}

func peersText(list []roles.Peer) string {
	var words []string
	for _, p := range list {
		if p.Kind == roles.Literal {
			words = append(words, space.AddrsText(space.AddrsOf(slices.Concat(p.V4, p.V6)...)))
			continue
		}
		words = append(words, p.String())
	}
	return strings.Join(words, ", ")
}

// Nearest are the rules that would decide packets in the other way than they are,
// accepted or not, and come nearest to it, those that miss the least first; most at
// most.
func (e *Engine) Nearest(d roles.Direction, packets space.Box, accepted bool, most int) []Miss {
	rules := e.policy.Rules(d)
	var list []Miss
	for i := range rules {
		if rules[i].Allows() != accepted {
			list = append(list, Miss{&rules[i], e.missed(rules[i], packets)})
		}
	}
	slices.SortStableFunc(list, func(a, b Miss) int { return weight(a.Parts) - weight(b.Parts) })
	return list[:min(most, len(list))]
}

// weight orders what is missed: a rule for another service is further away than one
// for another source.
func weight(parts []Part) int {
	n := 0
	for _, p := range parts {
		n += 2
		if p == ServicePart || p == FamilyPart {
			n++
		}
	}
	return n
}

func (e *Engine) missed(r roles.Rule, b space.Box) []Part {
	v6 := b.V6()
	var parts []Part
	miss := func(p Part, missed bool) {
		if missed {
			parts = append(parts, p)
		}
	}
	miss(FamilyPart, !speaks(r.Family, v6))
	miss(ServicePart, !r.Traffic.Keys(v6).Meets(b.Key))
	miss(FromPart, !e.addrs(r.From, v6).Meets(b.Src))
	miss(ToPart, !e.addrs(r.To, v6).Meets(b.Dst))
	miss(InPart, ifaces(r.InIfaces).And(b.In).Empty())
	miss(OutPart, ifaces(r.OutIfaces).And(b.Out).Empty())
	return parts
}

// Past is the word for a verdict that was passed: "accepted".
func Past(v inventory.Verdict) string {
	switch v {
	case inventory.Accept:
		return "accepted"
	case inventory.Reject:
		return "rejected"
	case inventory.Drop:
		return "dropped"
	}
	return string(v)
}
