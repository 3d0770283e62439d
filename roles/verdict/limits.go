package verdict

import (
	"slices"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
)

// Limit is one that packets have to stay within although another rule accepts them:
// what is over it is refused before anything of the file accepts.
type Limit struct {
	By    string // "rule office"
	Text  string // "6/min per source burst 5"
	Place inventory.Place
	Part  bool // only some of the packets are counted
}

// unlimited are the stages before the limits.
var unlimited = []Stage{Management, Loopback, Antispoof, ICMPCore, State, DHCP, IGMP, Deny}

// Beside are the limits of others than what has accepted the packets of an outcome.
func (e *Engine) Beside(o Outcome) []Limit {
	if o.Verdict != inventory.Accept || slices.Contains(unlimited, o.Stage) {
		return nil
	}
	packets := o.Packets
	if o.NAT != nil {
		packets = Sent(*o.NAT, packets)
	}
	var list []Limit
	add := func(l Limit, counted space.Region) {
		for _, m := range counted {
			if m.Meets(packets) {
				l.Part = len(space.Region{packets}.Without(counted)) > 0
				list = append(list, l)
				return
			}
		}
	}
	rules := e.policy.Rules(o.Direction)
	for i := range rules {
		if r := &rules[i]; r != o.Rule && limitOf(*r) != "" {
			add(Limit{By: "rule " + r.Name, Text: limitOf(*r), Place: r.Place}, e.Packets(*r))
		}
	}
	if p := e.policy.Ping; o.Direction == roles.Input && o.Stage != Ping && p.On && p.Rate.N > 0 {
		add(Limit{By: "ping", Text: p.Rate.String(), Place: e.settled("ping")}, echoes())
	}
	return list
}

// echoes are the requests of both families.
func echoes() space.Region {
	return space.Region{about(false, types(space.ICMP, 8)), about(true, types(space.ICMPv6, 128))}
}
