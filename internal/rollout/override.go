package rollout

import (
	"fmt"
	"slices"
	"strings"

	"fwpush/internal/commit"
	"fwpush/internal/foreign"
	"fwpush/inventory"
	"fwpush/roles"
)

// mostAskings is how many packets are led through the chains of a host.
const mostAskings = 2000

// overrideNotes tell of allows of the policy that rules of others refuse for sure, by the rule that
// does.
func (t Target) overrideNotes(f commit.Facts) []string {
	if t.Candidate.Remove || len(f.Foreign.Tables) == 0 {
		return nil
	}
	o := overrides{rs: t.beside(f)}
	for _, d := range []roles.Direction{roles.Input, roles.Forward, roles.Output} {
		for _, r := range t.Policy.Rules(d) {
			if r.Allows() {
				o.rule(d, r)
			}
		}
	}
	return o.notes()
}

type overrides struct {
	rs     foreign.Ruleset
	asked  int
	groups []*overridden
}

// overridden is what one rule of others refuses.
type overridden struct {
	place, does string
	what        []string
}

// rule asks about each service of a rule, over each family, from each of its sources.
func (o *overrides) rule(d roles.Direction, r roles.Rule) {
	for _, v6 := range []bool{false, true} {
		sources, ok := sourcesOf(r, v6)
		if !ok {
			continue
		}
		for _, s := range servicesOf(r.Traffic, v6) {
			p := s.packets
			p.IPv6, p.State, p.Local = v6, "new", d == roles.Input
			if len(r.InIfaces) == 1 {
				p.In = r.InIfaces[0]
			}
			if len(r.OutIfaces) == 1 {
				p.Out = r.OutIfaces[0]
			}
			var by *foreign.Place
			var from []string
			for _, src := range sources {
				if o.asked++; o.asked > mostAskings {
					return
				}
				if src.From.IsValid() {
					p.Src = foreign.Between(src.From, src.To)
				}
				if fate := o.rs.Walk(string(d), p); fate.Does == foreign.Refuses {
					by, from = &fate.By, append(from, src.String())
				}
			}
			if by == nil {
				continue
			}
			text := s.name
			if len(from) < len(sources) {
				text += " from " + strings.Join(from[:min(len(from), 2)], ", ")
			}
			o.add(*by, text)
		}
	}
}

func (o *overrides) add(by foreign.Place, what string) {
	place, does := clip(by.String()), "dropped"
	if by.Kind == foreign.Reject {
		does = "rejected"
	}
	i := slices.IndexFunc(o.groups, func(g *overridden) bool { return g.place == place })
	if i < 0 {
		i, o.groups = len(o.groups), append(o.groups, &overridden{place: place, does: does})
	}
	if g := o.groups[i]; !slices.Contains(g.what, what) {
		g.what = append(g.what, what)
	}
}

func (o *overrides) notes() []string {
	var notes []string
	for _, g := range o.groups[:min(len(o.groups), mostNoted)] {
		what, more := g.what, ""
		if n := len(what) - mostNoted; n > 0 {
			what, more = what[:mostNoted], fmt.Sprintf(" and %d more", n)
		}
		verb := "is"
		if len(g.what) > 1 {
			verb = "are"
		}
		notes = append(notes, fmt.Sprintf("%s%s %s allowed here and %s by %s", strings.Join(what, ", "), more, verb, g.does, g.place))
	}
	if n := len(o.groups) - mostNoted; n > 0 {
		notes = append(notes, fmt.Sprintf("%d more rules of others refuse what is allowed here", n))
	}
	return notes
}

// sourcesOf are the addresses that a rule is about in a family, one range that is not valid for any;
// false if it does not speak of that family.
func sourcesOf(r roles.Rule, v6 bool) ([]inventory.AddrRange, bool) {
	family := inventory.IPv4
	if v6 {
		family = inventory.IPv6
	}
	if r.Family != inventory.BothFamilies && r.Family != family {
		return nil, false
	}
	if len(r.From) == 0 {
		return []inventory.AddrRange{{}}, true
	}
	var list []inventory.AddrRange
	for _, p := range r.From {
		if v6 {
			list = append(list, p.V6...)
		} else {
			list = append(list, p.V4...)
		}
	}
	return list, len(list) > 0
}

type asked struct {
	name    string
	packets foreign.Packets
}

// servicesOf are the packets that a rule is about, with the names that the fleet file has for them.
func servicesOf(t roles.Traffic, v6 bool) []asked {
	if t.All {
		return []asked{{name: "all"}}
	}
	var list []asked
	for _, p := range t.Ports {
		name := roles.Traffic{Ports: []inventory.PortRange{p}}.String()
		list = append(list, asked{name, foreign.Packets{Proto: map[string]uint32{"tcp": 6, "udp": 17, "sctp": 132}[p.Proto],
			DstPort: foreign.Range{Lo: uint32(p.From), Hi: uint32(p.To)}}})
	}
	types, proto := t.ICMP, uint32(1)
	if v6 {
		types, proto = t.ICMPv6, 58
	}
	for _, n := range types {
		of := uint32(n)
		list = append(list, asked{roles.Traffic{ICMP: t.ICMP, ICMPv6: t.ICMPv6}.String(), foreign.Packets{Proto: proto, ICMPType: &of}})
	}
	for _, n := range t.Protos {
		list = append(list, asked{inventory.ProtoName(n), foreign.Packets{Proto: uint32(n)}})
	}
	return list
}
