package rollout

import (
	"context"
	"fmt"

	"fwpush/inventory"
	"fwpush/transport"
)

// mostThrough is how many hosts behind a jump host are tried at once.
const mostThrough = 3

// probes are those of the target, and of a jump host the way through it.
func (h *host) probes() []Probe {
	list := h.target.Probes
	if len(h.target.Behind) > 0 {
		list = append(list[:len(list):len(list)], &through{h.options.Dialer, h.target.Behind})
	}
	return list
}

// probed are the probes that count and are as they must be.
func (h *host) probed() []string {
	var list []string
	for _, t := range h.trials {
		if t.before == nil {
			list = append(list, t.String())
		}
	}
	return list
}

// hops are the jump hosts on the way to an endpoint, the first one first.
func hops(ep inventory.Endpoint) []string {
	var names []string
	for via := ep.Via; via != nil; via = via.Via {
		names = append([]string{via.Name}, names...)
	}
	return names
}

// through is the way through a jump host, as a probe: somebody behind it can be logged
// in to over connections that are all new.
type through struct {
	dialer Dialer
	behind []inventory.Endpoint
}

func (t *through) String() string { return "login to a host behind it" }

// Try is nil as soon as one host behind is in. That one is tried first from then on:
// before the push it is found, and after it asked again.
func (t *through) Try(ctx context.Context, _ *transport.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	some := t.behind[:min(mostThrough, len(t.behind))]
	type login struct {
		index int
		err   error
	}
	logins := make(chan login, len(some))
	for i, ep := range some {
		go func() { logins <- login{i, t.login(ctx, ep)} }()
	}
	var first error
	for range some {
		l := <-logins
		if l.err == nil {
			t.behind = append([]inventory.Endpoint{some[l.index]}, without(t.behind, l.index)...)
			return nil
		}
		if first == nil {
			first = l.err
		}
	}
	return fmt.Errorf("nobody behind it could be reached: %w", first)
}

// login is one login there and back.
func (t *through) login(ctx context.Context, ep inventory.Endpoint) (err error) {
	defer func() { // a panic here would end every transaction of this controller
		if p := recover(); p != nil {
			err = fmt.Errorf("a bug in fwpush: %v", p)
		}
	}()
	conn, err := t.dialer.DialApart(ctx, ep)
	if err == nil {
		conn.Close()
	}
	return err
}

func without(list []inventory.Endpoint, index int) []inventory.Endpoint {
	return append(list[:index:index], list[index+1:]...)
}
