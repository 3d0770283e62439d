package wire

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

// A packet carries its identity where no rule looks and every answer quotes it: in the IPv4
// identification or the IPv6 flow label, and with TCP in the sequence number, which a reset
// acknowledges. The rest of the number tells ours from those of the kernel's own packets.
const (
	labelMark    = 0xa0000 // of 20 bits
	sequenceMark = 0x6b2d

	udpLite = 136
)

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// craft makes the IP packet. The traffic class is where routing finds a forwarded packet's way out.
func (p Packet) craft(id uint16, class uint8) []byte {
	var options []byte
	next := p.Proto
	if p.mld() {
		// RFC 2710 and RFC 3810: a router alert, and padding, in a hop-by-hop header.
		options = []byte{ICMPv6, 0, 5, 2, 0, 0, 1, 0}
		next = 0
	}
	body := p.body(id)
	if p.Src.Is4() {
		b := make([]byte, 20, 20+len(body))
		b[0], b[1] = 0x45, class
		binary.BigEndian.PutUint16(b[2:], uint16(20+len(body)))
		binary.BigEndian.PutUint16(b[4:], id)
		b[8], b[9] = p.hops(), p.Proto
		src, dst := p.Src.As4(), p.Dst.As4()
		copy(b[12:], src[:])
		copy(b[16:], dst[:])
		binary.BigEndian.PutUint16(b[10:], checksum(b))
		return append(b, body...)
	}
	b := make([]byte, 40, 40+len(options)+len(body))
	binary.BigEndian.PutUint32(b, 6<<28|uint32(class)<<20|labelMark|uint32(id))
	binary.BigEndian.PutUint16(b[4:], uint16(len(options)+len(body)))
	b[6], b[7] = next, p.hops()
	src, dst := p.Src.As16(), p.Dst.As16()
	copy(b[8:], src[:])
	copy(b[24:], dst[:])
	return append(append(b, options...), body...)
}

// mld tells multicast listener queries, reports, ends, and reports of version 2.
func (p Packet) mld() bool {
	return p.icmp() && p.Src.Is6() && (p.Type >= 130 && p.Type <= 132 || p.Type == 143)
}

func (p Packet) body(id uint16) []byte {
	switch {
	case p.Proto == TCP:
		b := make([]byte, 20)
		p.putPorts(b)
		binary.BigEndian.PutUint32(b[4:], uint32(id)<<16|sequenceMark)
		b[12], b[13] = 5<<4, 1<<1 // header words; SYN
		binary.BigEndian.PutUint16(b[14:], 64240)
		binary.BigEndian.PutUint16(b[16:], p.transportSum(b))
		return b
	case p.Proto == UDP, p.Proto == udpLite:
		b := make([]byte, 8)
		p.putPorts(b)
		binary.BigEndian.PutUint16(b[4:], uint16(len(b))) // with UDP-Lite: all of it is summed up
		sum := p.transportSum(b)
		if sum == 0 {
			sum = 0xffff // RFC 768: zero would mean none
		}
		binary.BigEndian.PutUint16(b[6:], sum)
		return b
	case p.Proto == SCTP:
		return p.sctpInit()
	case p.icmp():
		// Behind the header are zeros, which make no sense to the kernel: it must not learn a
		// router or a path MTU from a packet that the rules have let in.
		b := make([]byte, 48)
		b[0], b[1] = p.Type, p.Code
		binary.BigEndian.PutUint16(b[4:], id) // of an echo; makes a connection of each
		if p.Src.Is4() {
			binary.BigEndian.PutUint16(b[2:], checksum(b))
		} else {
			binary.BigEndian.PutUint16(b[2:], p.transportSum(b))
		}
		return b
	case p.Proto == GRE:
		return []byte{0, 0, 8, 0, 0, 0, 0, 0} // version 0, no options, carries IPv4
	case p.Proto == ESP:
		b := make([]byte, 32)
		b[2], b[7] = 1, 1 // parameters index 256, sequence number 1
		return b
	case p.Proto == AH:
		b := make([]byte, 24)
		b[0], b[1], b[6], b[11] = 59, 4, 1, 1 // nothing behind it; length; as with ESP
		return b
	}
	b := make([]byte, 16)
	if p.Src.Is6() {
		// Rejecting takes a sum over the pseudo header for granted in most protocols, and answers no
		// packet in which it is wrong (nf_reject_verify_csum, nf_ip6_checksum).
		binary.BigEndian.PutUint16(b[14:], p.transportSum(b))
	}
	return b
}

func (p Packet) putPorts(b []byte) {
	binary.BigEndian.PutUint16(b, p.SrcPort)
	binary.BigEndian.PutUint16(b[2:], p.DstPort)
}

// sctpInit is what opens an association (RFC 9260, 3.3.2): connection tracking takes nothing else
// for a new one.
func (p Packet) sctpInit() []byte {
	b := make([]byte, 32)
	p.putPorts(b)
	b[12], b[15] = 1, 20                        // INIT of 20 bytes
	binary.BigEndian.PutUint32(b[16:], 1)       // initiate tag
	binary.BigEndian.PutUint32(b[20:], 1<<16)   // receiver window
	binary.BigEndian.PutUint32(b[24:], 1<<16|1) // one stream each way
	binary.BigEndian.PutUint32(b[28:], 1)       // initial TSN
	// RFC 9260, appendix A: the one field that is not in network order.
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// transportSum is the checksum over a body and its pseudo header (RFC 9293, 3.1; RFC 8200, 8.1).
func (p Packet) transportSum(body []byte) uint16 {
	pseudo := append(p.Src.AsSlice(), p.Dst.AsSlice()...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(body)))
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(p.Proto))
	return checksum(append(pseudo, body...))
}

// checksum is that of RFC 1071 over a number of bytes that is even.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// frame puts an IP packet into an Ethernet frame to the interface, or to the group that a packet
// to a group goes to (RFC 1112, 6.4; RFC 2464, 7): the kernel tells packet types by it.
func (p Packet) frame(to [6]byte, packet []byte) []byte {
	kind := uint16(0x86dd)
	if p.Src.Is4() {
		kind = 0x0800
	}
	switch dst := p.Dst.As16(); {
	case p.Dst == broadcast:
		to = [6]byte{255, 255, 255, 255, 255, 255}
	case p.Dst.IsMulticast() && p.Dst.Is4():
		to = [6]byte{0x01, 0x00, 0x5e, dst[13] & 0x7f, dst[14], dst[15]}
	case p.Dst.IsMulticast():
		to = [6]byte{0x33, 0x33, dst[12], dst[13], dst[14], dst[15]}
	}
	return append(ethernet(to, kind), packet...)
}

// ethernet is the header of a frame from an address that nobody has.
func ethernet(to [6]byte, kind uint16) []byte {
	b := append(to[:], 0x02, 0, 0, 0, 0, 0xfe)
	return binary.BigEndian.AppendUint16(b, kind)
}
