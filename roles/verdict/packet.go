package verdict

import (
	"net/netip"

	"fwpush/roles"
	"fwpush/roles/space"
)

// Packet is the first packet of something.
type Packet struct {
	Direction        roles.Direction
	Proto            uint8 // IP protocol
	Src, Dst         netip.Addr
	SrcPort, DstPort uint16 // of TCP, UDP and SCTP
	Type, Code       uint8  // of ICMP and ICMPv6
	In, Out          string // interfaces, "" for any but lo
}

// Box is the packet as a region.
func (k Packet) Box() space.Box {
	port := space.AllPorts()
	key := space.ProtoKeys(k.Proto)
	switch {
	case space.ProtoWord(k.Proto) != "":
		key, port = space.PortKeys(k.Proto, k.DstPort, k.DstPort), space.One(space.Port(k.SrcPort))
	case k.Proto == space.ICMP || k.Proto == space.ICMPv6:
		key = space.One(key[0].From | space.Key(k.Type)<<8 | space.Key(k.Code))
	}
	return space.Box{Src: space.One(k.Src), Dst: space.One(k.Dst), Key: key, SrcPort: port, In: oneOrAny(k.In), Out: oneOrAny(k.Out)}
}

func oneOrAny(name string) space.Names {
	if name == "" {
		return space.NamesOf("lo").Not()
	}
	return space.NamesOf(name)
}

// Packet tells what becomes of a packet. One whose interface is not told may have
// several outcomes.
func (e *Engine) Packet(k Packet) []Outcome {
	return e.Decide(k.Direction, space.Region{k.Box()})
}
