package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"fwpush/inventory"
	"fwpush/transport/trust"
)

// Waits before a connection that sshd turned away is tried again: each doubles the one
// before. sshd has free places again as soon as others have logged in.
const (
	firstWait = 500 * time.Millisecond
	tries     = 4
)

// patiently is handshake for an sshd that takes no connection while too many others are
// logging in. An order that has no time to wait is tried once.
func (d *Dialer) patiently(ctx, parent context.Context, l *login, jump *ride, keys *trust.Identities) (*Conn, error) {
	addr := l.peer.Addr
	for try, wait := 1, firstWait; ; try, wait = try+1, 2*wait {
		conn, err := d.handshake(ctx, parent, l, jump, keys)
		if err == nil {
			conn.tries = try
			return conn, nil
		}
		var failed *DialError
		if errors.As(err, &failed) {
			failed.Tries = try
		}
		if failed == nil || !failed.full || l.once || try == tries || time.Until(l.until) < 2*wait {
			return nil, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			l.peer.Addr = addr
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		}
	}
}

// connect opens the connection that the login goes over, and tells the address that
// answered; the zero AddrPort if only a jump host or a program knows that.
func (l *login) connect(ctx, parent context.Context, jump *ride) (net.Conn, netip.AddrPort, error) {
	none := netip.AddrPort{}
	switch {
	case jump != nil:
		channel, err := jump.Dial(ctx, l.peer.Addr)
		if err != nil {
			return nil, none, l.forwardError(parent, err)
		}
		addr, _ := netip.ParseAddrPort(l.peer.Addr)
		return piped(channel, l.peer.Addr), addr, nil
	case l.ep.ProxyCommand != "":
		p, err := l.startProgram()
		if err != nil {
			return nil, none, l.connectError(parent, err)
		}
		return p, none, nil
	}
	tcp, err := l.dial(ctx)
	if err != nil {
		return nil, none, l.connectError(parent, err)
	}
	return tcp, addrPort(tcp.RemoteAddr()), nil
}

// dial connects straight from here: to one address after the other, each with its share of
// the time.
func (l *login) dial(ctx context.Context) (net.Conn, error) {
	network := networkOf(l.ep)
	local, err := LocalAddr(ctx, l.ep)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{FallbackDelay: -1}
	if local.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	return dialer.DialContext(ctx, network, l.peer.Addr)
}

func networkOf(ep inventory.Endpoint) string {
	switch ep.AddressFamily {
	case "inet":
		return "tcp4"
	case "inet6":
		return "tcp6"
	}
	return "tcp"
}

// LocalAddr is the address that connections to a host begin at: that of BindAddress, or one
// of BindInterface. It is the zero Addr if that is left to the routes. An address of
// another family than the host's is no use, and connecting fails.
func LocalAddr(ctx context.Context, ep inventory.Endpoint) (netip.Addr, error) {
	fits := func(a netip.Addr) bool {
		network := networkOf(ep)
		if to, err := netip.ParseAddr(ep.Address); err == nil && to.Unmap().Is4() != a.Is4() {
			return false
		}
		return network == "tcp" || (network == "tcp4") == a.Is4()
	}
	switch {
	case ep.BindAddress != "":
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", ep.BindAddress)
		if err != nil {
			return netip.Addr{}, fmt.Errorf("BindAddress of ssh_config: %w", err)
		}
		for _, a := range addrs {
			if fits(a.Unmap()) {
				return a.Unmap(), nil
			}
		}
		return netip.Addr{}, fmt.Errorf("BindAddress %s of ssh_config is of another family than the host", ep.BindAddress)
	case ep.BindInterface != "":
		return ofInterface(ep.BindInterface, fits)
	}
	return netip.Addr{}, nil
}

// ofInterface is an address of an interface, one that is good for more than its link if
// there is one.
func ofInterface(name string, fits func(netip.Addr) bool) (netip.Addr, error) {
	var addrs []net.Addr
	iface, err := net.InterfaceByName(name)
	if err == nil {
		addrs, err = iface.Addrs()
	}
	if err != nil {
		return netip.Addr{}, fmt.Errorf("BindInterface %s of ssh_config: %w", name, err)
	}
	var local netip.Addr
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil || !fits(prefix.Addr()) {
			continue
		}
		if !prefix.Addr().IsLoopback() && !prefix.Addr().IsLinkLocalUnicast() {
			return prefix.Addr(), nil
		}
		if !local.IsValid() {
			local = prefix.Addr()
			if local.IsLinkLocalUnicast() && local.Is6() {
				local = local.WithZone(name)
			}
		}
	}
	if !local.IsValid() {
		return netip.Addr{}, fmt.Errorf("BindInterface %s of ssh_config has no address of the host's family", name)
	}
	return local, nil
}

// proxyCommand is the command of an endpoint for the address to connect to.
func proxyCommand(ep inventory.Endpoint) string {
	return strings.NewReplacer("%%", "%", "%h", ep.Address, "%p", fmt.Sprint(ep.Port)).Replace(ep.ProxyCommand)
}
