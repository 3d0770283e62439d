package roles

import (
	"net/netip"

	"fwpush/inventory"
	"fwpush/roles/space"
)

// Keys are what traffic is about in one family.
func (t Traffic) Keys(v6 bool) space.Keys {
	if t.All {
		return space.AllKeys()
	}
	var list []space.Range[space.Key]
	for _, p := range t.Ports {
		list = append(list, space.PortKeys(space.ProtoNumber(p.Proto), p.From, p.To)...)
	}
	types, proto := t.ICMP, uint8(space.ICMP)
	if v6 {
		types, proto = t.ICMPv6, space.ICMPv6
	}
	for _, n := range types {
		list = append(list, space.TypeKeys(proto, n)...)
	}
	for _, n := range t.Protos {
		list = append(list, space.ProtoKeys(n)...)
	}
	return space.Of(list...)
}

// packets are what a rule matches, a box for each family.
func (r Rule) packets() space.Region {
	return packets(r.Traffic, r.From, r.To, r.InIfaces, r.OutIfaces, r.Family)
}

// packets are what an entry of nat matches on a host with these addresses, a box
// for each family.
func (n NAT) packets(own []netip.Addr) space.Region {
	region := packets(Traffic{All: len(n.Ports) == 0, Ports: n.Ports}, n.From, n.To, n.InIfaces, n.OutIfaces, n.Family)
	if !n.toItself() {
		return region
	}
	for i, b := range region {
		var dst space.Addrs
		for _, a := range own {
			if a.Is6() == b.V6() {
				dst = dst.Union(space.One(a))
			}
		}
		if dst.Empty() {
			// Its addresses are some, and none that an entry names.
			dst = space.One(b.Dst[0].From)
		}
		region[i].Dst = dst
	}
	return region
}

func packets(t Traffic, from, to []Peer, in, out []string, f inventory.Family) space.Region {
	names := func(list []string) space.Names {
		if len(list) == 0 {
			return space.AnyName()
		}
		return space.NamesOf(list...)
	}
	from4, from6 := reach(from)
	to4, to6 := reach(to)
	var region space.Region
	for _, b := range [...]struct {
		family   inventory.Family
		src, dst []inventory.AddrRange
	}{{inventory.IPv4, from4, to4}, {inventory.IPv6, from6, to6}} {
		box := space.Box{
			Src: space.AddrsOf(b.src...), Dst: space.AddrsOf(b.dst...), Key: t.Keys(b.family == inventory.IPv6), SrcPort: space.AllPorts(),
			In: names(in), Out: names(out),
		}
		if (f == inventory.BothFamilies || f == b.family) && !box.Empty() {
			region = append(region, box)
		}
	}
	return region
}
