package expect

import (
	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
	"fwpush/roles/verdict"
)

// Way is what is known of where a flow passes.
type Way struct {
	Via     string // host that forwards it, "" for none
	In, Out string // interfaces of the host that forwards, else In of the one it comes to and Out of the one it leaves; aliases or names
	// Published tells that the host it comes to hands it on by the nat of somebody else.
	Published bool
}

// Hop is one host whose rules a flow meets.
type Hop struct {
	Host      string
	Direction roles.Direction
	Engine    *verdict.Engine
	in, out   space.Names
	inventory inventory.Host
	toNet     string // of the host that the flow goes to
}

// Path are the hops of packets from a net of one host to a net of another. A host
// without rules, or none, is no hop.
func (f *Fleet) Path(from, to, fromNet, toNet string, w Way) []Hop {
	var list []Hop
	if h, ok := f.sends(from, fromNet, toNet, w); ok {
		list = append(list, h)
	}
	if h, ok := f.passes(fromNet, toNet, w); ok {
		list = append(list, h)
	}
	if h, ok := f.gets(to, fromNet, toNet, w); ok {
		list = append(list, h)
	}
	return list
}

func (f *Fleet) hop(host string, d roles.Direction, toNet string) (Hop, bool) {
	e, outside := f.Engine(host), space.NamesOf("lo").Not()
	return Hop{host, d, e, outside, outside, f.hosts[host], toNet}, e != nil
}

func (f *Fleet) sends(host, fromNet, toNet string, w Way) (Hop, bool) {
	h, ok := f.hop(host, roles.Output, toNet)
	h.out = f.iface(host, fromNet, toNet)
	if w.Via == "" && w.Out != "" {
		h.out = f.named(host, w.Out)
	}
	return h, ok
}

func (f *Fleet) passes(fromNet, toNet string, w Way) (Hop, bool) {
	h, ok := f.hop(w.Via, roles.Forward, toNet)
	h.in, h.out = f.iface(w.Via, fromNet), f.iface(w.Via, toNet)
	if w.In != "" {
		h.in = f.named(w.Via, w.In)
	}
	if w.Out != "" {
		h.out = f.named(w.Via, w.Out)
	}
	return h, ok
}

func (f *Fleet) gets(host, fromNet, toNet string, w Way) (Hop, bool) {
	d := roles.Input
	if w.Published {
		d = roles.Published
	}
	h, ok := f.hop(host, d, toNet)
	switch {
	case w.Via != "":
		h.in = f.iface(host, toNet) // they come from the gateway, and not from the net of their sender
	case w.In != "":
		h.in = f.named(host, w.In)
	default:
		h.in = f.iface(host, fromNet, toNet)
	}
	return h, ok
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
