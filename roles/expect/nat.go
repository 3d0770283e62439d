package expect

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
	"fwpush/roles/verdict"
)

// Packets are some on their way, as they come to the next hop.
type Packets struct {
	space.Box
	Behind *Gateway // who has given them their source; nil for the sender
}

// Gateway is a host whose nat has given packets another source.
type Gateway struct {
	Host string
	NAT  *roles.NAT
	// Sources are the addresses it may have given them: all that are known where it is
	// not known which.
	Sources []netip.Addr
}

// String says whose nat packets are behind, and where the file says so.
func (g Gateway) String() string {
	return fmt.Sprintf("the %s of %s, %s", g.NAT.Kind, g.Host, g.NAT.Place)
}

// Meets are packets as they come to the hop.
func (h Hop) Meets(b space.Box) space.Box {
	b.In, b.Out = h.in, h.out
	return b
}

// Decide tells what becomes of packets at the hop. Where one of several sources may be
// theirs, that is told which is the same for all of them.
func (h Hop) Decide(p Packets) []verdict.Outcome {
	met := h.Meets(p.Box)
	if p.Behind == nil || len(p.Behind.Sources) == 1 {
		return h.Engine.Decide(h.Direction, space.Region{met})
	}
	var agreed []verdict.Outcome
	for i, source := range p.Behind.Sources {
		one := met
		one.Src = space.One(source)
		outcomes := h.Engine.Decide(h.Direction, space.Region{one})
		for j := range outcomes {
			outcomes[j].Packets.Src = met.Src
		}
		if i > 0 {
			outcomes = agreeing(agreed, outcomes)
		}
		agreed = outcomes
	}
	rest := space.Region{met}
	for _, o := range agreed {
		rest = rest.Minus(o.Packets)
	}
	for _, b := range rest {
		agreed = append(agreed, verdict.Unsure(h.Direction, b, p.Behind.NAT.Place, p.Behind.unsure()))
	}
	return agreed
}

// unsure is why nobody can say what becomes of packets behind a masquerade.
func (g Gateway) unsure() string {
	if len(g.Sources) == 0 {
		return fmt.Sprintf("the masquerade of %s, of which the file does not say the addresses", g.Host)
	}
	words := make([]string, len(g.Sources))
	for i, a := range g.Sources {
		words[i] = a.String()
	}
	return fmt.Sprintf("the masquerade of %s, which may send from any of %s, and they do not all fare alike", g.Host, strings.Join(words, ", "))
}

// agreeing is what two lists of outcomes say of the same packets, in the words of the
// first.
func agreeing(a, b []verdict.Outcome) []verdict.Outcome {
	passes := func(v inventory.Verdict) bool { return v == inventory.Accept }
	var out []verdict.Outcome
	for _, x := range a {
		for _, y := range b {
			alike := passes(x.Verdict) == passes(y.Verdict) && (x.Verdict == verdict.Undecided) == (y.Verdict == verdict.Undecided)
			if alike && x.Packets.Meets(y.Packets) {
				both := x
				both.Packets = x.Packets.And(y.Packets)
				out = append(out, both)
			}
		}
	}
	return out
}

// Behind are packets that the hop lets pass, as the next one meets them. What nat keeps
// at the host itself comes to no other.
func (h Hop) Behind(p Packets, o verdict.Outcome) []Packets {
	b := o.Packets
	switch {
	case h.Direction == roles.Input:
		return []Packets{{b, p.Behind}}
	case h.Direction == roles.Forward && o.Direction == roles.Input:
		return nil
	case o.NAT != nil:
		b = verdict.Sent(*o.NAT, b)
	}
	var out []Packets
	for _, l := range h.Engine.Leave(b) {
		next := Packets{l.Packets, p.Behind}
		switch {
		case l.NAT == nil:
		case l.NAT.Kind == inventory.SNAT:
			next.Src, next.Behind = space.One(l.NAT.ToAddr), &Gateway{h.Host, l.NAT, []netip.Addr{l.NAT.ToAddr}}
		case h.Direction == roles.Forward: // what a host sends has the address of its interface already
			g := &Gateway{h.Host, l.NAT, h.masquerades(l.Packets)}
			if len(g.Sources) > 0 {
				next.Src = nil
			}
			for _, a := range g.Sources {
				next.Src = next.Src.Union(space.One(a))
			}
			next.Behind = g
		}
		out = append(out, next)
	}
	return out
}

// masquerades are the addresses that the host may give packets: those of the net that
// they leave by, as far as the file says which that is; else all of the family.
func (h Hop) masquerades(b space.Box) []netip.Addr {
	if list, ok := h.leaving(b); ok {
		return list
	}
	if list := h.addresses(b.V6(), func(net string) bool { return net == h.toNet && net != "" }); len(list) > 0 {
		return list
	}
	return h.addresses(b.V6(), func(string) bool { return true })
}

// leaving are the addresses of the nets whose aliases name the interfaces that packets
// leave by, if each of those has one.
func (h Hop) leaving(b space.Box) ([]netip.Addr, bool) {
	if b.Out.Except {
		return nil, false
	}
	var all []netip.Addr
	for _, name := range b.Out.List {
		list := h.addresses(b.V6(), func(net string) bool {
			alias, ok := h.inventory.Ifaces[net]
			return ok && alias.V == name
		})
		if len(list) == 0 {
			return nil, false
		}
		all = append(all, list...)
	}
	return all, true
}

func (h Hop) addresses(v6 bool, of func(net string) bool) []netip.Addr {
	var list []netip.Addr
	for _, n := range h.inventory.Addresses {
		for _, a := range n.Addresses {
			if of(n.Name) && a.V.Is6() == v6 && !slices.Contains(list, a.V) {
				list = append(list, a.V)
			}
		}
	}
	return list
}
