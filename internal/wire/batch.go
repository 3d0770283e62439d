package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// window is how many packets are on their way at most. The kernel holds 1,000 frames for a CPU
	// (net.core.netdev_max_backlog) before it loses some.
	window = 256
	// sendings of a packet that does not arrive, because others fill that queue.
	sendings = 5
	// markerKind is for experiments on a local network (RFC 9542, B.2): no program reads it.
	markerKind = 0x88b5
	// markerAgain is when a marker that has not been seen is sent again, and markerLimit when the
	// host counts as broken.
	markerAgain = 50 * time.Millisecond
	markerLimit = 20 * time.Second
)

// record is what was seen of a packet.
type record struct {
	arrived   bool   // at the host, before any rule
	delivered bool   // behind the rules, to a socket
	left      string // behind the rules, by this interface
	answered  bool
}

func (r record) fate(p Packet) (Fate, error) {
	switch {
	case p.Direction == Input && r.delivered, p.Direction != Input && r.left == p.Out:
		return Accepted, nil
	case p.Direction != Input && r.left != "":
		return 0, fmt.Errorf("wire: %v: left by %s", p, r.left)
	case r.answered:
		return Rejected, nil
	}
	return Dropped, nil
}

// run sends packets to the rules, at most a window of them, and tells the fate of each.
func (h *host) run(ctx context.Context, packets []Packet) ([]Fate, error) {
	if int(h.id)+len(packets) > 1<<16 {
		h.id = 1 // 0 is for the kernel to fill in
	}
	b := &batch{host: h, packets: packets, records: make([]record, len(packets)), first: h.id}
	h.id += uint16(len(packets))
	for _, p := range packets {
		if err := h.join(p); err != nil {
			return nil, err
		}
		if p.Direction == Input {
			if _, err := h.delivers(arrival{p.Proto, p.Src.Is6()}); err != nil {
				return nil, err
			}
		}
	}
	if err := onOneCPU(func() error { return b.run(ctx) }); err != nil {
		return nil, err
	}
	fates := make([]Fate, len(packets))
	for i, r := range b.records {
		var err error
		if fates[i], err = r.fate(packets[i]); err != nil {
			return nil, err
		}
	}
	return fates, nil
}

type batch struct {
	*host
	packets []Packet
	records []record
	first   uint16 // identity of the first packet; the others count from it
}

func (b *batch) run(ctx context.Context) error {
	// What came since the last time, such as the kernel's own reports of membership.
	if err := b.collect(func(sight) {}); err != nil {
		return err
	}
	pending := make([]int, len(b.packets))
	for i := range pending {
		pending[i] = i
	}
	for range sendings {
		for _, i := range pending {
			if err := b.send(i); err != nil {
				return err
			}
		}
		if err := b.settle(ctx); err != nil {
			return err
		}
		pending = pending[:0]
		for i, r := range b.records {
			if !r.arrived {
				pending = append(pending, i)
			}
		}
		if len(pending) == 0 {
			return b.collect(b.deliver)
		}
	}
	return fmt.Errorf("wire: %v: sent %d times, did not arrive", b.packets[pending[0]], sendings)
}

// send puts a packet before the rules. A packet that leaves meets them in this very call.
func (b *batch) send(i int) error {
	p, id := b.packets[i], b.first+uint16(i)
	if p.Direction == Output {
		b.records[i].arrived = true
		// EPERM is the verdict of a rule (nf_hook_slow).
		err := unix.Sendto(b.sockets.out[exit{p.Out, p.Src.Is6()}], p.craft(id, 0), 0, b.destination(p))
		if err != nil && err != unix.EPERM {
			return fmt.Errorf("wire: %v: send: %w", p, err)
		}
		return nil
	}
	from := b.links[p.In]
	fd, index := b.sockets.outside, from.peer
	if p.In == loopback {
		fd, index = b.sockets.onLo, from.index
	}
	frame := p.frame(from.mac, p.craft(id, b.links[p.Out].class))
	if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: index}); err != nil && err != unix.ENOBUFS {
		return fmt.Errorf("wire: %v: send: %w", p, err)
	}
	return nil
}

func (b *batch) destination(p Packet) unix.Sockaddr {
	if p.Dst.Is4() {
		return &unix.SockaddrInet4{Addr: p.Dst.As4()}
	}
	to := &unix.SockaddrInet6{Addr: p.Dst.As16()}
	if p.Dst.IsLinkLocalUnicast() || p.Dst.IsMulticast() {
		to.ZoneId = uint32(b.links[p.Out].index)
	}
	return to
}

// settle waits until everything that was sent has met its fate: until a marker that is sent now is
// seen.
func (b *batch) settle(ctx context.Context) error {
	deadline := time.Now().Add(markerLimit)
	to := b.links[b.host.first]
	for {
		b.marker++
		frame := binary.BigEndian.AppendUint64(ethernet(to.mac, markerKind), b.marker)
		if err := unix.Sendto(b.sockets.outside, frame, 0, &unix.SockaddrLinklayer{Ifindex: to.peer}); err != nil && err != unix.ENOBUFS {
			return fmt.Errorf("wire: send marker: %w", err)
		}
		for again := time.Now().Add(markerAgain); ; {
			seen, err := b.look()
			if seen || err != nil {
				return err
			}
			wait := time.Until(again)
			if wait <= 0 {
				break
			}
			poll := []unix.PollFd{{Fd: int32(b.sockets.tap), Events: unix.POLLIN}}
			if _, err := unix.Poll(poll, int(wait/time.Millisecond)+1); err != nil && err != unix.EINTR {
				return fmt.Errorf("wire: wait for frames: %w", err)
			}
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("wire: wait for a marker: %w", err)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("wire: no marker came through within %v", markerLimit)
		}
	}
}

// look reads frames up to the latest marker, or those that there are.
func (b *batch) look() (marker bool, err error) {
	var buf [2048]byte
	for {
		n, from, err := unix.Recvfrom(b.sockets.tap, buf[:], unix.MSG_DONTWAIT)
		switch {
		case err == unix.EAGAIN:
			return false, nil
		case err == unix.EINTR:
			continue
		case err != nil:
			return false, fmt.Errorf("wire: read frames: %w", err)
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		if !ok || n < 14 {
			continue
		}
		if binary.BigEndian.Uint16(buf[12:]) == markerKind {
			if n >= 22 && binary.BigEndian.Uint64(buf[14:]) == b.marker {
				return true, b.lost()
			}
			continue
		}
		if s, ok := recognise(buf[14:n]); ok {
			b.see(s, link)
		}
	}
}

// lost tells whether the kernel had no room for a frame at the tap.
func (b *batch) lost() error {
	stats, err := unix.GetsockoptTpacketStats(b.sockets.tap, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return fmt.Errorf("wire: losses: %w", err)
	}
	if stats.Drops > 0 {
		return fmt.Errorf("wire: %d frames were lost", stats.Drops)
	}
	return nil
}

// see notes a packet on an interface.
func (b *batch) see(s sight, on *unix.SockaddrLinklayer) {
	i, ok := b.find(s)
	if !ok {
		return
	}
	p, r := b.packets[i], &b.records[i]
	leaving := on.Pkttype == unix.PACKET_OUTGOING
	switch {
	case s.answer:
		r.answered = r.answered || leaving
	case !leaving:
		r.arrived = r.arrived || on.Ifindex == b.links[p.In].index
	case p.Direction != Input:
		for name, l := range b.links {
			if l.index == on.Ifindex {
				r.left = name
			}
		}
	}
}

func (b *batch) deliver(s sight) {
	if i, ok := b.find(s); ok {
		b.records[i].delivered = true
	}
}

// find is the place of a packet. Where it was delivered its destination may be unknown.
func (b *batch) find(s sight) (i int, ok bool) {
	i = int(s.id) - int(b.first)
	if i < 0 || i >= len(b.packets) {
		return 0, false
	}
	p := b.packets[i]
	return i, p.Src == s.src && (p.Dst == s.dst || s.dst == netip.Addr{})
}

// collect reads the deliveries of the protocols that the batch has.
func (b *batch) collect(got func(sight)) error {
	done := map[arrival]bool{}
	var failed error
	for _, p := range b.packets {
		a := arrival{p.Proto, p.Src.Is6()}
		if p.Direction == Input && !done[a] {
			done[a] = true
			failed = errors.Join(failed, drain(b.sockets.delivery[a], a.six, got))
		}
	}
	return failed
}
