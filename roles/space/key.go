package space

import (
	"cmp"
	"net/netip"

	"fwpush/inventory"
)

// Addrs is a set of addresses of one family or both.
type Addrs = Set[netip.Addr]

// AddrsOf are the addresses of ranges.
func AddrsOf(ranges ...inventory.AddrRange) Addrs {
	list := make([]Range[netip.Addr], len(ranges))
	for i, r := range ranges {
		list[i] = Range[netip.Addr]{From: r.From, To: r.To}
	}
	return Of(list...)
}

// Prefix is the addresses of a prefix.
func Prefix(p netip.Prefix) Addrs {
	p = p.Masked()
	last := p.Addr().AsSlice()
	for i := p.Bits(); i < len(last)*8; i++ {
		last[i/8] |= 1 << (7 - i%8)
	}
	to, _ := netip.AddrFromSlice(last)
	return Addrs{{From: p.Addr(), To: to}}
}

// Everyone is every address of a family.
func Everyone(v6 bool) Addrs {
	if v6 {
		return Prefix(netip.PrefixFrom(netip.IPv6Unspecified(), 0))
	}
	return Prefix(netip.PrefixFrom(netip.IPv4Unspecified(), 0))
}

// Key says in one number what a packet is about: its IP protocol, and behind that
// the destination port, or the type and code of an ICMP message. Of other protocols
// there is nothing to tell apart.
type Key uint32

// Protocols that are more than their number.
const (
	ICMP   = 1
	TCP    = 6
	UDP    = 17
	ICMPv6 = 58
	SCTP   = 132
)

// Proto is the IP protocol of a key.
func (k Key) Proto() uint8 { return uint8(k >> 16) }

// Port is the destination port of a key.
func (k Key) Port() uint16 { return uint16(k) }

// Type is the ICMP type of a key.
func (k Key) Type() uint8 { return uint8(k >> 8) }

// Compare, Next and Prev make a Key a Point.
func (k Key) Compare(o Key) int { return cmp.Compare(k, o) }
func (k Key) Next() Key         { return k + 1 }
func (k Key) Prev() Key         { return k - 1 }

// Keys is a set of services.
type Keys = Set[Key]

// AllKeys is every protocol, port and type.
func AllKeys() Keys { return Keys{{0, 0xff_ffff}} }

// ProtoKeys is all of a protocol.
func ProtoKeys(proto uint8) Keys {
	k := Key(proto) << 16
	return Keys{{k, k | 0xffff}}
}

// PortKeys is a range of ports of a protocol.
func PortKeys(proto uint8, from, to uint16) Keys {
	k := Key(proto) << 16
	return Keys{{k | Key(from), k | Key(to)}}
}

// TypeKeys is a type of ICMP or ICMPv6 with all its codes.
func TypeKeys(proto, icmpType uint8) Keys {
	k := Key(proto)<<16 | Key(icmpType)<<8
	return Keys{{k, k | 0xff}}
}

// ProtoNumber is the number of a protocol with ports, 0 for a word that is none.
func ProtoNumber(name string) uint8 {
	switch name {
	case "tcp":
		return TCP
	case "udp":
		return UDP
	case "sctp":
		return SCTP
	}
	return 0
}

// ProtoWord is the name of a protocol with ports, "" for others.
func ProtoWord(proto uint8) string {
	switch proto {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case SCTP:
		return "sctp"
	}
	return ""
}

// Port is a source port.
type Port uint16

// Compare, Next and Prev make a Port a Point.
func (p Port) Compare(o Port) int { return cmp.Compare(p, o) }
func (p Port) Next() Port         { return p + 1 }
func (p Port) Prev() Port         { return p - 1 }

// Ports is a set of source ports.
type Ports = Set[Port]

// AllPorts is every port.
func AllPorts() Ports { return Ports{{0, 0xffff}} }
