package verdict

import (
	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
)

// translations are the entries of nat that change where packets of a direction go.
// The management pair comes before them: nothing sends it elsewhere.
func (e *Engine) translations(d roles.Direction) []step {
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
			b := e.natPackets(*n, v6)
			if len(n.To) == 0 && n.Kind == inventory.DNAT {
				b.Dst = e.local(d, b.Dst, v6) // what goes to another machine goes there
			}
			b.In = b.In.Minus(space.NamesOf("lo"))
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

// natPackets are what an entry of nat matches in one family.
func (e *Engine) natPackets(n roles.NAT, v6 bool) space.Box {
	b := space.All(v6)
	b.Src, b.Dst = e.addrs(n.From, v6), e.addrs(n.To, v6)
	b.Key = roles.Traffic{All: len(n.Ports) == 0, Ports: n.Ports}.Keys(v6)
	b.In, b.Out = ifaces(n.InIfaces), ifaces(n.OutIfaces)
	return b
}

// local are those of destinations that are the host's own. A host whose file names
// none in the family is asked about packets that come to it, or about packets that do
// not: which of the two a destination is, the direction says.
func (e *Engine) local(d roles.Direction, dst space.Addrs, v6 bool) space.Addrs {
	own := e.own.And(space.Everyone(v6))
	switch {
	case !own.Empty():
		return own.And(dst)
	case d == roles.Input:
		return dst.Minus(cast(v6)) // "fib daddr type local" is about one receiver
	}
	return nil
}

// translated decides packets that an entry of nat sends elsewhere. Outcomes speak
// of the packets as they came.
func (e *Engine) translated(d roles.Direction, s step, b space.Box) []Outcome {
	if s.nat == nil { // the management pair
		return e.walk(d, e.chains[d], space.Region{b}, nil)
	}
	to := Sent(*s.nat, b)
	d = roles.Input
	chain := e.chains[d]
	if s.nat.Kind == inventory.DNAT {
		if !e.own.Has(s.nat.ToAddr) {
			d = roles.Forward
			chain = e.sent
		}
	} else if own := e.own.And(space.Everyone(b.V6())); !own.Empty() {
		to.Dst = own
	}
	list := e.walk(d, chain, space.Region{to}, s.nat)
	for i := range list {
		p := &list[i].Packets
		p.Dst = b.Dst
		if s.nat.ToPort != 0 {
			p.Key = b.Key
		}
	}
	return list
}

// Sent are packets behind the dnat or redirect that translates them.
func Sent(n roles.NAT, b space.Box) space.Box {
	if n.Kind == inventory.DNAT {
		b.Dst = space.One(n.ToAddr)
	}
	if n.ToPort != 0 {
		var keys space.Keys
		for _, r := range b.Key {
			keys = keys.Union(space.One(r.From&^0xffff | space.Key(n.ToPort)))
		}
		b.Key = keys
	}
	return b
}

// Leaving is packets as they go out of a host.
type Leaving struct {
	Packets space.Box
	NAT     *roles.NAT // masquerade or snat that gives them another source; nil for none
}

// Leave tells packets that have passed the chains apart by the entry of nat that gives
// them their source: the first that matches. Their source is still the old one.
func (e *Engine) Leave(b space.Box) []Leaving {
	left := space.Region{b}
	var out []Leaving
	for i := range e.policy.NAT {
		n := &e.policy.NAT[i]
		if n.Kind != inventory.Masquerade && n.Kind != inventory.SNAT || !speaks(n.Family, b.V6()) {
			continue
		}
		match := e.natPackets(*n, b.V6())
		for _, hit := range left.And(match) {
			out = append(out, Leaving{hit, n})
		}
		left = left.Minus(match)
	}
	for _, rest := range left {
		out = append(out, Leaving{Packets: rest})
	}
	return out
}
