package verdict

import (
	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
)

// translations are the entries of nat that change where a packet goes. The
// management pair comes before them: nothing sends it elsewhere.
func (e *Engine) translations() []step {
	var list []step
	for i := range e.policy.NAT {
		n := &e.policy.NAT[i]
		if n.Kind != inventory.DNAT && n.Kind != inventory.Redirect {
			continue
		}
		s := step{stage: Translated, nat: n, place: n.Place}
		for _, v6 := range families {
			if !speaks(n.Family, v6) {
				continue
			}
			b := space.All(v6)
			b.Src, b.Dst = e.addrs(n.From, v6), e.addrs(n.To, v6)
			if len(n.To) == 0 && n.Kind == inventory.DNAT {
				b.Dst = e.own.And(b.Dst) // what goes to another machine goes there
			}
			b.Key = roles.Traffic{All: len(n.Ports) == 0, Ports: n.Ports}.Keys(v6)
			b.In = ifaces(n.InIfaces).Minus(space.NamesOf("lo"))
			if !b.Empty() {
				s.match = append(s.match, b)
			}
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return nil
	}
	guard := e.management(roles.Input)
	for i, b := range guard.match {
		if own := e.own.And(b.Dst); !own.Empty() {
			guard.match[i].Dst = own
		}
	}
	return append([]step{guard}, list...)
}
