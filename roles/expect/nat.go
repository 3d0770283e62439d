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
	from := met
	if len(p.Behind.Sources) == 0 { // anybody but the host itself
		from.Src = space.Everyone(met.V6()).Minus(h.Engine.Own())
	}
	outcomes := h.Engine.Decide(h.Direction, space.Region{from})
	for i := range outcomes {
		outcomes[i].Packets.Src = met.Src
	}
	left := space.Region{met}
	var agreed []verdict.Outcome
	for _, o := range outcomes {
		sure := space.Region{o.Packets}
		for _, other := range outcomes {
			if !alike(o.Verdict, other.Verdict) {
				sure = sure.Minus(other.Packets)
			}
		}
		for _, b := range sure {
			for _, o.Packets = range left.And(b) {
				agreed = append(agreed, o)
			}
			left = left.Minus(b)
		}
	}
	for _, b := range left {
		agreed = append(agreed, verdict.Unsure(h.Direction, b, p.Behind.NAT.Place, p.Behind.unsure()))
	}
	return agreed
}

// alike tells whether two verdicts let the same pass.
func alike(a, b inventory.Verdict) bool {
	return (a == inventory.Accept) == (b == inventory.Accept) && (a == verdict.Undecided) == (b == verdict.Undecided)
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

// Behind are packets that the hop lets pass, as the next one meets them. What nat keeps
// at the host itself comes to no other.
func (h Hop) Behind(p Packets, o verdict.Outcome) []Packets {
	b := o.Packets
	switch {
	case h.Direction == roles.Input, h.Direction == roles.Published:
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
			next.Behind = &Gateway{h.Host, l.NAT, h.masquerades(l.Packets)}
			var sources space.Addrs
			for _, a := range next.Behind.Sources {
				sources = sources.Union(space.One(a))
			}
			if !sources.Empty() { // else nobody knows, and the old one is as good to tell
				next.Src = sources
			}
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
