package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// receiveBuffer of a socket in bytes holds far more than a window of packets: with what the kernel
// adds, each counts about 1 KiB.
const receiveBuffer = 8 << 20

// sockets of a host. Each is used without waiting.
type sockets struct {
	outside  int // puts frames on the wires
	onLo     int // puts frames on the host's loopback
	tap      int // sees every frame that reaches or leaves the host, before and behind its rules
	netlink  int
	members  map[bool]int    // joins groups; by IPv6
	out      map[exit]int    // sends whole packets
	delivery map[arrival]int // gets what the rules let in; made when needed
}

type exit struct {
	dev string
	six bool
}

type arrival struct {
	proto uint8
	six   bool
}

type membership struct {
	index int
	group netip.Addr
}

func newSockets(h *host) (s sockets, err error) {
	s = sockets{outside: -1, onLo: -1, tap: -1, netlink: -1,
		members: map[bool]int{}, out: map[exit]int{}, delivery: map[arrival]int{}}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	err = h.outside.do(func() (err error) {
		s.outside, err = socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
		return err
	})
	if err != nil {
		return s, err
	}
	err = h.inside.do(func() (err error) {
		if s.onLo, err = socket(unix.AF_PACKET, unix.SOCK_RAW, 0); err != nil {
			return err
		}
		if s.tap, err = receiver(unix.AF_PACKET, int(bigEndian(unix.ETH_P_ALL))); err != nil {
			return err
		}
		if s.netlink, err = socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER); err != nil {
			return err
		}
		for six, family := range map[bool]int{false: unix.AF_INET, true: unix.AF_INET6} {
			if s.members[six], err = socket(family, unix.SOCK_DGRAM, 0); err != nil {
				return err
			}
			for name := range h.links {
				// IPPROTO_RAW: the packet comes with its header, in both families (raw(7)).
				fd, err := socket(family, unix.SOCK_RAW, unix.IPPROTO_RAW)
				if err != nil {
					return err
				}
				s.out[exit{name, six}] = fd
				if err := errors.Join(
					unix.BindToDevice(fd, name),
					unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1),
				); err != nil {
					return fmt.Errorf("wire: sending socket: %w", err)
				}
			}
		}
		return nil
	})
	return s, err
}

func (s *sockets) close() {
	for _, fd := range []int{s.outside, s.onLo, s.tap, s.netlink} {
		if fd > 0 {
			unix.Close(fd)
		}
	}
	for _, fd := range s.members {
		unix.Close(fd)
	}
	for _, fd := range s.out {
		unix.Close(fd)
	}
	for _, fd := range s.delivery {
		unix.Close(fd)
	}
}

func socket(family, kind, proto int) (int, error) {
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, proto)
	if err != nil {
		return -1, fmt.Errorf("wire: socket %d/%d/%d, which needs root: %w", family, kind, proto, err)
	}
	return fd, nil
}

// receiver is a raw socket with a buffer that does not fill.
func receiver(family, proto int) (int, error) {
	fd, err := socket(family, unix.SOCK_RAW, proto)
	if err != nil {
		return -1, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("wire: receive buffer: %w", err)
	}
	return fd, nil
}

// delivers is the socket that gets the packets of a protocol.
func (h *host) delivers(a arrival) (int, error) {
	if fd, ok := h.sockets.delivery[a]; ok {
		return fd, nil
	}
	family := unix.AF_INET
	if a.six {
		family = unix.AF_INET6
	}
	var fd int
	err := h.inside.do(func() (err error) {
		if fd, err = receiver(family, int(a.proto)); err != nil || !a.six {
			return err
		}
		// An IPv6 raw socket gets no header: the identity comes beside the packet.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, ipv6FlowInfo, 1); err != nil {
			unix.Close(fd)
			return fmt.Errorf("wire: IPV6_FLOWINFO: %w", err)
		}
		return nil
	})
	if err == nil {
		h.sockets.delivery[a] = fd
	}
	return fd, err
}

// ipv6FlowInfo is IPV6_FLOWINFO of linux/in6.h.
const ipv6FlowInfo = 11

// drain reads what a delivery socket has got.
func drain(fd int, six bool, got func(sight)) error {
	var packet [2048]byte
	var beside [256]byte
	for {
		n, nb, _, from, err := unix.Recvmsg(fd, packet[:], beside[:], unix.MSG_DONTWAIT)
		switch {
		case err == unix.EAGAIN:
			return checkDrops(fd)
		case err == unix.EINTR:
			continue
		case err != nil:
			return fmt.Errorf("wire: read deliveries: %w", err)
		}
		if !six {
			if s, _, _, ok := header(packet[:n]); ok {
				got(s)
			}
			continue
		}
		messages, err := unix.ParseSocketControlMessage(beside[:nb])
		if err != nil {
			return fmt.Errorf("wire: read deliveries: %w", err)
		}
		for _, m := range messages {
			if m.Header.Level != unix.IPPROTO_IPV6 || m.Header.Type != ipv6FlowInfo || len(m.Data) < 4 {
				continue
			}
			label := binary.BigEndian.Uint32(m.Data) & 0xfffff
			if from, ok := from.(*unix.SockaddrInet6); ok && label&^0xffff == labelMark {
				got(sight{id: uint16(label), src: netip.AddrFrom16(from.Addr)})
			}
		}
	}
}

// join makes the host a member of the group of an incoming packet, without which it does not
// listen to it.
func (h *host) join(p Packet) error {
	m := membership{h.links[p.In].index, p.Dst}
	if p.Direction != Input || !p.Dst.IsMulticast() || h.joined[m] {
		return nil
	}
	fd := h.sockets.members[p.Dst.Is6()]
	var err error
	if p.Dst.Is4() {
		err = unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP,
			&unix.IPMreqn{Multiaddr: p.Dst.As4(), Ifindex: int32(m.index)})
	} else {
		err = unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP,
			&unix.IPv6Mreq{Multiaddr: p.Dst.As16(), Interface: uint32(m.index)})
	}
	if err != nil {
		return fmt.Errorf("wire: join %v on %s: %w", p.Dst, p.In, err)
	}
	h.joined[m] = true
	return nil
}

// bigEndian swaps on a little-endian machine: the kernel takes a packet socket's protocol as it
// stands in a frame.
func bigEndian(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}
