package wire

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Options describe the host that rules are loaded on.
type Options struct {
	// Interfaces beside lo are 1 to 7. What the host sends by itself leaves by the first: its answers
	// too, wherever the packet has come from.
	Interfaces []string
	// Own are the host's addresses beside 127.0.0.0/8 and ::1, as for Rig.Own.
	Own []netip.Prefix
	// Root is the root tree that programs are taken from and run in (chroot(2)). Empty means that of
	// the running program. Programs see a /run of the rig's own; nothing else keeps them from writing
	// to the tree.
	Root string
}

// Rig is a host to load rulesets on and to send packets at. It is for one goroutine at a time;
// several rigs do not see each other.
type Rig struct {
	test    *host // with rules
	control *host // without
	own     []netip.Prefix
	root    string
	mounts  mounts
}

// New makes a rig. Close frees it.
func New(ctx context.Context, o Options) (r *Rig, err error) {
	if err := checkInterfaces(o.Interfaces); err != nil {
		return nil, err
	}
	r = &Rig{root: o.Root}
	defer func() {
		if err != nil {
			r.Close()
			r = nil
		}
	}()
	if r.mounts, err = newMounts(o.Root); err != nil {
		return r, err
	}
	if r.test, err = newHost(ctx, o.Interfaces); err != nil {
		return r, err
	}
	if r.control, err = newHost(ctx, o.Interfaces); err != nil {
		return r, err
	}
	return r, r.Own(ctx, o.Own...)
}

func checkInterfaces(names []string) error {
	if len(names) == 0 || len(names) > interfacesMax {
		return fmt.Errorf("wire: %d interfaces: a rig has 1 to %d", len(names), interfacesMax)
	}
	for i, n := range names {
		switch {
		case n == "" || len(n) > 15 || strings.ContainsAny(n, " \t\n/:%") || n == "." || n == "..":
			return fmt.Errorf("wire: interface %q: no name that Linux takes (dev_valid_name)", n)
		case n == loopback || slices.Contains(names[:i], n):
			return fmt.Errorf("wire: interface %q is there already", n)
		}
	}
	return nil
}

// Close removes the hosts. The rig is of no use afterwards.
func (r *Rig) Close() {
	for _, h := range []*host{r.test, r.control} {
		if h != nil {
			h.close()
		}
	}
	r.mounts.close()
}

// Own gives the host the addresses in the prefixes and takes away those it had from an earlier
// call. It takes a few milliseconds; rules stay loaded.
func (r *Rig) Own(ctx context.Context, prefixes ...netip.Prefix) error {
	var own []netip.Prefix
	for _, p := range prefixes {
		if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() {
			return fmt.Errorf("wire: own %v: not a prefix, or bits are set behind its length", p)
		}
		if !slices.Contains(own, p) && !slices.Contains(fixed(), p) {
			own = append(own, p)
		}
	}
	for _, h := range []*host{r.test, r.control} {
		if err := h.own(ctx, r.own, own); err != nil {
			return err
		}
	}
	r.own = own
	return nil
}

// mine tells the host's own addresses.
func (r *Rig) mine(a netip.Addr) bool {
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	return a.IsLoopback() || slices.ContainsFunc(r.own, in) || slices.ContainsFunc(fixed(), in)
}

// Fates sends the packets one after the other and tells what became of each. Connection tracking
// takes every packet for the first of its connection: it forgets all others before, and in between
// when two packets would be of the same. Rules that count, such as limits, see the packets in their
// order, and also what the kernel sends by itself (resets and errors for ports without a listener).
//
// A packet that the kernel refuses without a rule is an error, as is one that fails Check, an
// interface that is not there, and a destination that does not fit: the host's own addresses and
// groups for Input, anything but those for Forward, and for Output the host's own by lo, all others
// by the other interfaces.
func (r *Rig) Fates(ctx context.Context, packets []Packet) ([]Fate, error) {
	for _, p := range packets {
		if err := r.check(p); err != nil {
			return nil, err
		}
	}
	fates, err := r.test.fates(ctx, packets)
	if err != nil {
		return nil, err
	}
	var refused []Packet
	for i, f := range fates {
		if f != Accepted {
			refused = append(refused, packets[i])
		}
	}
	control, err := r.control.fates(ctx, refused)
	if err != nil {
		return nil, err
	}
	for i, f := range control {
		if f != Accepted {
			return nil, fmt.Errorf("wire: %v: %v by the kernel itself, without a rule", refused[i], f)
		}
	}
	return fates, nil
}

func (r *Rig) check(p Packet) error {
	if err := p.Check(); err != nil {
		return err
	}
	for _, name := range []string{p.In, p.Out} {
		if _, ok := r.test.links[name]; name != "" && !ok {
			return fmt.Errorf("wire: %v: there is no interface %s", p, name)
		}
	}
	own, group := r.mine(p.Dst), p.Dst.IsMulticast() || p.Dst == broadcast
	switch {
	case p.Direction == Input && !own && !group:
		return fmt.Errorf("wire: %v: %v is not an address of the host", p, p.Dst)
	case p.Direction == Forward && own, p.Direction == Output && own != (p.Out == loopback):
		return fmt.Errorf("wire: %v: the host reaches its own addresses by %s, and nothing else", p, loopback)
	}
	return nil
}

// fates runs packets in windows of which none has two packets of one connection.
func (h *host) fates(ctx context.Context, packets []Packet) ([]Fate, error) {
	fates := make([]Fate, 0, len(packets))
	for len(packets) > 0 {
		n, seen := 0, map[connection]bool{}
		for n < min(window, len(packets)) {
			c, tracked := packets[n].connection()
			if tracked && seen[c] {
				break
			}
			seen[c] = true
			n++
		}
		if err := h.forget(); err != nil {
			return nil, err
		}
		f, err := h.run(ctx, packets[:n])
		if err != nil {
			return nil, err
		}
		fates, packets = append(fates, f...), packets[n:]
		if err := ctx.Err(); err != nil {
			return nil, errors.Join(errors.New("wire: interrupted"), err)
		}
	}
	return fates, nil
}

// connection is what connection tracking tells connections by, whichever way a packet goes.
type connection struct {
	low, high netip.AddrPort
	proto     uint8
}

// connection is not ok for ICMP, where each packet has an identifier of its own.
func (p Packet) connection() (c connection, ok bool) {
	c = connection{netip.AddrPortFrom(p.Src, p.SrcPort), netip.AddrPortFrom(p.Dst, p.DstPort), p.Proto}
	if c.high.Compare(c.low) < 0 {
		c.low, c.high = c.high, c.low
	}
	return c, !p.icmp()
}
