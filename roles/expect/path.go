package expect

import (
	"fwpush/roles"
	"fwpush/roles/space"
	"fwpush/roles/verdict"
)

// Way is what is known of where a flow passes.
type Way struct {
	Via     string // host that forwards it, "" for none
	In, Out string // interfaces of the host that forwards, else In of the one it comes to; aliases or names
}

// Hop is one host whose rules a flow meets.
type Hop struct {
	Host      string
	Direction roles.Direction
	Engine    *verdict.Engine
	in, out   space.Names
}

// Decide tells what becomes of packets at the hop.
func (h Hop) Decide(packets space.Region) []verdict.Outcome {
	met := make(space.Region, len(packets))
	for i, b := range packets {
		met[i] = h.Meets(b)
	}
	return h.Engine.Decide(h.Direction, met)
}

// Meets are packets as they come to the hop.
func (h Hop) Meets(b space.Box) space.Box {
	b.In, b.Out = h.in, h.out
	return b
}

// Path are the hops of packets from a net of one host to a net of another. A host
// without rules, or none, is no hop.
func (f *Fleet) Path(from, to, fromNet, toNet string, w Way) []Hop {
	var list []Hop
	outside := space.NamesOf("lo").Not()
	if e := f.Engine(from); e != nil {
		list = append(list, Hop{from, roles.Output, e, outside, f.iface(from, fromNet, toNet)})
	}
	if e := f.Engine(w.Via); e != nil {
		h := Hop{w.Via, roles.Forward, e, f.iface(w.Via, fromNet), f.iface(w.Via, toNet)}
		if w.In != "" {
			h.in = f.named(w.Via, w.In)
		}
		if w.Out != "" {
			h.out = f.named(w.Via, w.Out)
		}
		list = append(list, h)
	}
	if e := f.Engine(to); e != nil {
		h := Hop{to, roles.Input, e, f.iface(to, fromNet, toNet), outside}
		if w.In != "" && w.Via == "" {
			h.in = f.named(to, w.In)
		}
		list = append(list, h)
	}
	return list
}

// iface is the interface of a host that leads to the first of some nets that it has
// an alias for: the net of the other end, else its own. Without any the answer must
// hold for all interfaces.
func (f *Fleet) iface(host string, nets ...string) space.Names {
	for _, net := range nets {
		if name, ok := f.hosts[host].Ifaces[net]; ok && net != "" {
			return space.NamesOf(name.V)
		}
	}
	return space.NamesOf("lo").Not()
}

func (f *Fleet) named(host, word string) space.Names {
	if name, ok := f.hosts[host].Ifaces[word]; ok {
		return space.NamesOf(name.V)
	}
	return space.NamesOf(word)
}
