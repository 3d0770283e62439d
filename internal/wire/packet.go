package wire

import (
	"fmt"
	"net/netip"
)

// Direction is the hook whose rules a packet meets.
type Direction uint8

// A packet comes in for the host, leaves it, or passes through.
const (
	Input Direction = iota
	Output
	Forward
)

func (d Direction) String() string {
	switch d {
	case Input:
		return "input"
	case Output:
		return "output"
	case Forward:
		return "forward"
	}
	return fmt.Sprintf("direction %d", uint8(d))
}

// Fate is what becomes of a packet.
type Fate uint8

// Rejected is a refusal that the sender is told of by a TCP reset or an ICMP error.
const (
	Accepted Fate = iota + 1
	Rejected
	Dropped
)

func (f Fate) String() string {
	switch f {
	case Accepted:
		return "accepted"
	case Rejected:
		return "rejected"
	case Dropped:
		return "dropped"
	}
	return fmt.Sprintf("fate %d", uint8(f))
}

// Protocol numbers of IANA that the rig knows the header of.
const (
	ICMP   = 1
	TCP    = 6
	UDP    = 17
	GRE    = 47
	ESP    = 50
	AH     = 51
	ICMPv6 = 58
	SCTP   = 132
)

// Packet is the first packet of a connection: with TCP a SYN, with SCTP an INIT. Other protocols
// than these, UDP and ICMP get a header without meaning; so does ICMP of the other family. State
// tells what connection tracking thinks of it.
type Packet struct {
	Direction Direction
	In, Out   string // interfaces; In for Input and Forward, Out for Output and Forward
	Src, Dst  netip.Addr
	Proto     uint8

	SrcPort, DstPort uint16 // of TCP, UDP and SCTP
	Type, Code       uint8  // of ICMP and ICMPv6

	HopLimit uint8 // or TTL; 0 means 64
}

func (p Packet) String() string {
	s := p.Direction.String()
	if p.In != "" {
		s += " in " + p.In
	}
	if p.Out != "" {
		s += " out " + p.Out
	}
	switch {
	case p.ported():
		s += fmt.Sprintf(" %v > %v proto %d",
			netip.AddrPortFrom(p.Src, p.SrcPort), netip.AddrPortFrom(p.Dst, p.DstPort), p.Proto)
	case p.icmp():
		s += fmt.Sprintf(" %v > %v proto %d type %d code %d", p.Src, p.Dst, p.Proto, p.Type, p.Code)
	default:
		s += fmt.Sprintf(" %v > %v proto %d", p.Src, p.Dst, p.Proto)
	}
	if p.HopLimit != 0 {
		s += fmt.Sprintf(" hops %d", p.HopLimit)
	}
	return s
}

func (p Packet) ported() bool { return p.Proto == TCP || p.Proto == UDP || p.Proto == SCTP }

func (p Packet) icmp() bool {
	return p.Proto == ICMP && p.Src.Is4() || p.Proto == ICMPv6 && p.Src.Is6()
}

func (p Packet) hops() uint8 {
	if p.HopLimit == 0 {
		return 64
	}
	return p.HopLimit
}

// Check says why a packet does not exist, cannot be sent or cannot be seen. What depends on the
// host, its interfaces and its addresses, is not part of it.
func (p Packet) Check() error {
	if why := p.trouble(); why != "" {
		return fmt.Errorf("wire: %v: %s", p, why)
	}
	return nil
}

func (p Packet) trouble() string {
	switch {
	case p.Direction > Forward:
		return "there is no such direction"
	case (p.In != "") != (p.Direction != Output), (p.Out != "") != (p.Direction != Input):
		return "input has In alone, output Out alone, forward both"
	case p.Direction == Forward && (p.In == loopback || p.Out == loopback):
		return "nothing is forwarded from or to " + loopback
	case !p.Src.IsValid() || p.Src.Zone() != "" || !p.Dst.IsValid() || p.Dst.Zone() != "":
		return "it needs two addresses without a zone"
	case p.Src.Is4() != p.Dst.Is4() || p.Src.Is4In6() || p.Dst.Is4In6():
		return "both addresses must be IPv4, or both IPv6 and no IPv4 in disguise"
	case p.Src.IsMulticast() || p.Src == broadcast:
		return "nothing comes from a group"
	case !p.ported() && (p.SrcPort != 0 || p.DstPort != 0):
		return "only TCP, UDP and SCTP have ports"
	case !p.icmp() && (p.Type != 0 || p.Code != 0):
		return "only ICMP with IPv4 and ICMPv6 with IPv6 have a type and a code"
	case p.Direction == Forward && p.HopLimit == 1:
		return "a router ends it: its hop limit is 1"
	case p.Direction == Forward && (p.Dst.IsMulticast() || p.Dst == broadcast):
		return "the host does not route to groups"
	}
	if p.Src.Is4() {
		return p.trouble4()
	}
	return p.trouble6()
}

func (p Packet) trouble4() string {
	switch {
	case p.Proto == 0:
		return "protocol 0 has no raw socket (raw(7))"
	case p.Dst.As4()[0] == 0:
		return "nothing goes to 0.0.0.0/8 (RFC 1122, 3.2.1.3)"
	case p.Src.As4()[0] == 0 && p.Direction != Output && (p.Src.As4() != [4]byte{} || p.Dst != broadcast):
		return "from 0.0.0.0/8 only 0.0.0.0 comes, and only to 255.255.255.255 (ip_route_input_slow)"
	}
	return ""
}

func (p Packet) trouble6() string {
	switch {
	// Hop-by-hop options, routing, fragment, AH, no next header, destination options: the kernel
	// looks behind them for the protocol (ipv6_ext_hdr), so rules never see these numbers.
	case p.Proto == 0 || p.Proto == 43 || p.Proto == 44 || p.Proto == AH || p.Proto == 59 || p.Proto == 60:
		return fmt.Sprintf("%d is no protocol of IPv6 but an extension header", p.Proto)
	case p.Dst.IsUnspecified():
		return "nothing goes to ::"
	case p.Src.IsLoopback() != p.Dst.IsLoopback() && p.Direction != Output, p.Src.IsLoopback() && p.In != loopback && p.Out != loopback:
		return "::1 is on " + loopback + " alone (RFC 4291, 2.5.3)"
	case p.Direction == Forward && (p.Src.IsUnspecified() || p.Src.IsLinkLocalUnicast() || p.Dst.IsLinkLocalUnicast()):
		return "no router forwards it (RFC 4291, 2.5.2 and 2.5.6)"
	}
	return ""
}
