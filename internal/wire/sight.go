package wire

import (
	"encoding/binary"
	"net/netip"
)

// sight is a packet that was seen, or one that an answer speaks of.
type sight struct {
	id       uint16
	src, dst netip.Addr
	answer   bool // it is the answer to that packet
	marked   bool // the identity may be one of ours
}

// recognise reads an IP packet as the kernel delivers or sends it. Packets that cannot be ours are
// not ok.
func recognise(b []byte) (s sight, ok bool) {
	s, proto, body, ok := header(b)
	if !ok {
		return sight{}, false
	}
	if quoted, is := quote(proto, s.src, body); is {
		if inner, _, _, ok := header(quoted); ok && inner.marked {
			inner.answer = true
			return inner, true
		}
	}
	if proto == TCP && len(body) >= 20 && body[13]&(1<<2) != 0 {
		// RFC 9293, 3.10.7.1: a reset acknowledges the SYN as one byte.
		sequence := binary.BigEndian.Uint32(body[8:]) - 1
		return sight{id: uint16(sequence >> 16), src: s.dst, dst: s.src, answer: true}, uint16(sequence) == sequenceMark
	}
	return s, s.marked
}

// quote is what an ICMP error of an unreachable destination quotes. That is what both kinds of
// reject send for anything but a reset.
func quote(proto uint8, from netip.Addr, body []byte) (quoted []byte, is bool) {
	if len(body) < 8 {
		return nil, false
	}
	is = from.Is4() && proto == ICMP && body[0] == 3 || from.Is6() && proto == ICMPv6 && body[0] == 1
	return body[8:], is
}

// header reads an IP header. The protocol of an IPv6 packet with extension headers is the first of
// these, which no answer of the kernel has.
func header(b []byte) (s sight, proto uint8, body []byte, ok bool) {
	switch {
	case len(b) >= 20 && b[0]>>4 == 4 && b[0]&15 >= 5 && len(b) >= int(b[0]&15)*4:
		s.id, s.marked = binary.BigEndian.Uint16(b[4:]), true
		s.src, s.dst = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
		return s, b[9], b[int(b[0]&15)*4:], true
	case len(b) >= 40 && b[0]>>4 == 6:
		label := binary.BigEndian.Uint32(b) & 0xfffff
		s.id, s.marked = uint16(label), label&^0xffff == labelMark
		s.src, s.dst = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
		return s, b[6], b[40:], true
	}
	return sight{}, 0, nil, false
}
