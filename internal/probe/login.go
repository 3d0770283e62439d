package probe

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"fwpush/transport"
)

// margin is how much earlier than the probe a login ends, so that it can still say why.
const margin = 200 * time.Millisecond

// login logs in once more, over one family, at the addresses of the host. The host key
// is the one that the host has shown already.
func (p *Probe) login(ctx context.Context, conn *transport.Conn) error {
	if conn == nil {
		return &NotTriedError{sayf(nil, "there is no connection to the host")}
	}
	pinned := conn.Pinned()
	targets := p.sshAddresses(pinned.Addr())
	if len(targets) == 0 {
		return &NotTriedError{sayf(nil, "%s has no %s address in the fleet file; add one to its addresses", safe(p.host.Name), p.want.Text)}
	}
	return p.race(ctx, targets, func(ctx context.Context, at string) attempt {
		addr, err := netip.ParseAddrPort(at)
		if err != nil {
			return attempt{at: at, fate: notTried, why: sayf(err, "no address")}
		}
		// Only what goes there straight from here has a route from here.
		if a := route(ctx, at); a.fate != there && p.host.SSH.Direct() {
			return a
		}
		return p.loginAt(ctx, pinned, addr)
	})
}

// sshAddresses are the addresses of the probe's family, each with the port of sshd as
// this machine sees it.
func (p *Probe) sshAddresses(pinned netip.AddrPort) []string {
	of := func(a netip.Addr) bool { return a.IsValid() && a.Is4() == (p.want.Text == "ipv4") }
	port := pinned.Port()
	var list []netip.Addr
	own := false
	for _, a := range p.host.Addrs() {
		own = own || a == pinned.Addr()
		if of(a) {
			list = append(list, a)
		}
	}
	switch {
	case len(p.host.Addrs()) == 0 && of(pinned.Addr()):
		list = append(list, pinned.Addr())
	case !own && len(p.host.SSHDPorts) > 0:
		// It was reached at an address that is not its own, behind a NAT maybe.
		port = p.host.SSHDPorts[0].V
	}
	targets := make([]string, len(list))
	for i, a := range list {
		targets[i] = netip.AddrPortFrom(a, port).String()
	}
	return targets
}

// loginAt logs in at one address. A login is finished even if nobody waits for it any
// more: sshd counts those that are not (PerSourcePenalties in sshd_config(5)).
func (p *Probe) loginAt(ctx context.Context, pinned transport.Target, addr netip.AddrPort) attempt {
	limit := p.limit - margin
	if until, ok := ctx.Deadline(); ok {
		limit = time.Until(until) - margin
	}
	ended := make(chan error, 1)
	began := time.Now()
	p.prober.group.Go(func() {
		conn, err := p.prober.dialer.RedialAt(p.prober.ctx, pinned, addr, max(limit, margin))
		if conn != nil {
			conn.Close()
		}
		ended <- err
	})
	select {
	case err := <-ended:
		return p.loggedIn(addr.String(), began, err)
	case <-ctx.Done():
		return attempt{at: addr.String(), fate: notTried, why: sayf(nil, "the login did not end within %s", p.limit)}
	}
}

// loggedIn says what came of a login. For a probe that must fail, a way that is open and
// leads to no login is open.
func (p *Probe) loggedIn(at string, began time.Time, err error) attempt {
	if err == nil {
		return attempt{at: at, fate: there, did: "takes a login"}
	}
	open := attempt{at: at, fate: notThere, did: "connects, if without a login", why: sayf(err, "%s", safe(err.Error()))}
	if p.want.Fails {
		open.fate = there
	}
	var dial *transport.DialError
	var key *transport.HostKeyError
	var auth *transport.AuthError
	var forward *transport.ForwardError
	jump := errors.As(err, &dial) && dial.Jump()
	switch {
	case jump: // nothing is known of the address
	case errors.As(err, &forward) && forward.Kind == transport.ForwardSilent:
		return silence(at, began, p.limit)
	case errors.As(err, &forward):
		return forwarding(at, forward.Peer.Host, err)
	case errors.As(err, &key) && p.own(key.Peer), errors.As(err, &auth) && p.own(auth.Peer):
		return open
	case !errors.As(err, &dial) || !p.own(dial.Peer):
	case dial.Reached():
		return open
	case dial.Kind == transport.DialTimeout:
		return silence(at, began, p.limit)
	case dial.Kind == transport.DialRefused, dial.Kind == transport.DialNoRoute, dial.Kind == transport.DialClosed:
		return attempt{at: at, fate: notThere, why: open.why}
	}
	return attempt{at: at, fate: notTried, why: open.why}
}

// own tells errors about the host from those about one on the way to it.
func (p *Probe) own(peer transport.Peer) bool { return peer.Host == p.host.SSH.Name }
