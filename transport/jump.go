package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"fwpush/inventory"
)

// errClosed is why a closed Dialer goes through no jump host.
var errClosed = errors.New("the dialer was closed")

// hop is a jump host with the connection that all logins through it share.
type hop struct {
	ep     inventory.Endpoint
	places chan struct{} // one for each login under way through it

	mu     sync.Mutex
	last   *attempt
	closed bool
}

// attempt is a login to a jump host that everybody who needs it waits for.
type attempt struct {
	done chan struct{} // closed when the rest is known
	conn *Conn
	err  error
	own  bool // the one who made it gave up: that says nothing about the jump host
}

// defaultJumpLogins is what a small jump host connects to at a time.
const defaultJumpLogins = 16

// hop finds the place of a jump host. Two endpoints are the same hop if they are logged
// in to, checked and reached in the same way, with as many logins at a time; how they are
// called does not matter.
func (d *Dialer) hop(ep inventory.Endpoint) (*hop, error) {
	var key string
	for at := &ep; at != nil; at = at.Via {
		user, err := userOf(*at)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", peerOf(*at), err)
		}
		key += fmt.Sprintf("%q %q %d %d %q\n%s\n", user, at.Address, at.Port, cmp.Or(at.JumpLogins, defaultJumpLogins), []string{at.AddressFamily, at.BindAddress, at.BindInterface, at.ProxyCommand}, Settings(*at))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.hops[key]
	if h == nil {
		h = &hop{ep: ep, places: make(chan struct{}, cmp.Or(ep.JumpLogins, defaultJumpLogins)), closed: d.closing.Err() != nil}
		d.hops[key] = h
	}
	return h, nil
}

// Settings are what an endpoint says of keys and host keys: two with the same pass Check,
// and fail it, for the same reasons.
func Settings(ep inventory.Endpoint) string {
	return fmt.Sprintf("%q %q %q %t %q %q %q", ep.Identity, ep.Certificates, ep.IdentityAgent, ep.OtherKeys, ep.KnownHosts, ep.RevokedKeys, ep.HostKeyAlias)
}

// Close ends the connections to jump hosts, and with them everything that goes through
// these, but for what DialApart made. Nothing goes through a jump host afterwards. It
// always returns nil.
func (d *Dialer) Close() error {
	d.close(errClosed)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range d.hops {
		h.close()
	}
	return nil
}

func (h *hop) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if a := h.last; a != nil && a.over() && a.conn != nil {
		a.conn.Close()
	}
}

func (a *attempt) over() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

// open returns the connection to the jump host, over which logins go. It is made when it
// is first needed, and anew when it has ended; whoever comes meanwhile waits for it and
// gets the same answer.
func (d *Dialer) open(ctx context.Context, h *hop) (*Conn, error) {
	for {
		a, first, err := h.attempt()
		if err != nil {
			return nil, err
		}
		if first {
			d.try(ctx, h, a)
			return a.conn, a.err
		}
		select {
		case <-a.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: waiting for the login there: %w", peerOf(h.ep), context.Cause(ctx))
		}
		if !a.own {
			return a.conn, a.err
		}
	}
}

// attempt is the one to wait for, or a new one to make if there is none.
func (h *hop) attempt() (a *attempt, first bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, false, fmt.Errorf("%s: %w", peerOf(h.ep), errClosed)
	}
	if a := h.last; a != nil && (!a.over() || a.err == nil && a.conn.Gone() == nil) {
		return a, false, nil
	}
	h.last = &attempt{done: make(chan struct{}), err: context.Canceled, own: true}
	return h.last, true, nil
}

// try makes an attempt. A panic must not keep the others waiting.
func (d *Dialer) try(parent context.Context, h *hop, a *attempt) {
	defer h.settle(a)
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	defer context.AfterFunc(d.closing, func() { cancel(errClosed) })()
	a.conn, a.err = d.Dial(ctx, h.ep)
	a.own = a.err != nil && parent.Err() != nil
}

// settle tells the others how an attempt ended.
func (h *hop) settle(a *attempt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed && a.err == nil {
		a.conn.Close()
		a.conn, a.err = nil, fmt.Errorf("%s: %w", peerOf(h.ep), errClosed)
	}
	close(a.done)
}

// ErrBusy is wrapped in the error of a login that was not begun: all the time there was
// went into waiting for others through the same jump host. It says nothing of the host.
var ErrBusy = errors.New("too many logins through it")

// enter waits for a place among the logins under way through the jump host, and returns
// what gives it back.
func (h *hop) enter(ctx context.Context) (leave func(), err error) {
	select {
	case h.places <- struct{}{}:
		return func() { <-h.places }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w: waiting for one of the %d at a time: %w", peerOf(h.ep), ErrBusy, cap(h.places), context.Cause(ctx))
	}
}

// through logs in over the connection to a jump host that all share. If that ends
// meanwhile, or was dead already, the login is repeated once over a new one.
func (d *Dialer) through(ctx context.Context, o order) (*Conn, error) {
	h, err := d.hop(*o.ep.Via)
	if err != nil {
		return nil, o.jumpError(ctx, err)
	}
	// The jump host comes first: those who wait for a place shall not have to find out
	// one by one that it is down.
	if _, err := d.open(ctx, h); err != nil {
		return nil, o.jumpError(ctx, err)
	}
	leave, err := h.enter(ctx)
	if err != nil {
		return nil, o.jumpError(ctx, err)
	}
	defer leave()
	for again := true; ; again = false {
		jump, err := d.open(ctx, h)
		if err != nil {
			return nil, o.jumpError(ctx, err)
		}
		conn, err := d.login(ctx, &login{order: o}, &ride{jump, false})
		var lost *LostError // only the jump host is lost: there is no Conn to lose yet
		if errors.As(err, &lost) {
			jump.fail(lost.Err)
		}
		switch {
		case err == nil:
			return conn, nil
		case ctx.Err() != nil || jump.Gone() == nil:
			return nil, err
		case !again:
			return nil, o.jumpError(ctx, jump.lost("logging in to "+o.ep.Name))
		}
	}
}

// DialApart is Dial with a new login, over new connections, at every jump host on the way.
// They are closed with the Conn. This is how the way through a jump host is tried after
// that has got other rules, which the connections of before do not show.
func (d *Dialer) DialApart(ctx context.Context, ep inventory.Endpoint) (*Conn, error) {
	o, err := d.order(ep)
	if err != nil {
		return nil, err
	}
	if ep.Via == nil {
		return d.login(ctx, &login{order: o}, nil)
	}
	h, err := d.hop(*ep.Via)
	if err != nil {
		return nil, o.jumpError(ctx, err)
	}
	jump, err := d.DialApart(ctx, *ep.Via)
	if err != nil {
		return nil, o.jumpError(ctx, err)
	}
	leave, err := h.enter(ctx)
	if err != nil {
		jump.Close()
		return nil, o.jumpError(ctx, err)
	}
	defer leave()
	conn, err := d.login(ctx, &login{order: o}, &ride{jump, true})
	if err != nil {
		if jump.Gone() != nil && ctx.Err() == nil {
			err = o.jumpError(ctx, jump.lost("logging in to "+ep.Name))
		}
		jump.Close()
	}
	return conn, err
}
