package probe

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"

	"fwpush/inventory"
	"fwpush/transport"
)

// Dialer logs in to hosts. A *transport.Dialer is one.
type Dialer interface {
	Dial(ctx context.Context, ep inventory.Endpoint) (*transport.Conn, error)
	RedialAt(ctx context.Context, t transport.Target, addr netip.AddrPort, limit time.Duration) (*transport.Conn, error)
}

// Prober makes the probes of many hosts. They share one connection to each host that
// they start on, which is kept until Close. It is safe for any number of goroutines.
type Prober struct {
	dialer Dialer
	host   func(name string) (inventory.Host, bool)

	ctx    context.Context
	cancel context.CancelFunc
	group  sync.WaitGroup // what may outlive the probe that began it

	mu     sync.Mutex
	starts map[string]*start
}

// NewProber returns a Prober. It connects to nothing before a probe is tried. Host finds
// the hosts of the fleet by name, those included that are not pushed to.
func NewProber(dialer Dialer, host func(name string) (inventory.Host, bool)) *Prober {
	p := &Prober{dialer: dialer, host: host, starts: map[string]*start{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Close ends every connection and waits for what the probes have left under way. No
// probe may be tried any more. It always returns nil.
func (p *Prober) Close() error {
	p.cancel()
	p.mu.Lock()
	for _, s := range p.starts {
		s.end()
	}
	p.mu.Unlock()
	p.group.Wait()
	return nil
}

// Of returns the probes of a host, in order.
func (p *Prober) Of(h inventory.Host, probes []inventory.Probe) []*Probe {
	list := make([]*Probe, len(probes))
	for i, want := range probes {
		limit := want.Timeout
		if want.Kind == "run" {
			limit = min(limit, maxRun)
		}
		list[i] = &Probe{prober: p, host: h, want: want, limit: limit}
	}
	return list
}

// start returns the host of the fleet that a probe starts on, nil for this machine.
func (p *Prober) start(from string) (*start, error) {
	name, isHost := strings.CutPrefix(from, "host:")
	if !isHost {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.starts[name]
	if s == nil {
		h, known := p.host(name)
		if !known {
			return nil, sayf(nil, "no host %s in the fleet to start from", safe(name))
		}
		s = newStart(p.ctx, &p.group, name, func(ctx context.Context) (*transport.Conn, error) { return p.dialer.Dial(ctx, h.SSH) })
		p.starts[name] = s
	}
	return s, nil
}
