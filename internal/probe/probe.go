package probe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"fwpush/inventory"
	"fwpush/transport"
)

// maxAddresses bounds what one name may stand for. More than that is no host.
const maxAddresses = 64

// Probe is something that must work, or must not, while a host runs rules that are
// not confirmed.
type Probe struct {
	prober *Prober
	host   inventory.Host
	want   inventory.Probe
	limit  time.Duration
}

// String names the probe for people, on one line: "tcp 443", "no tcp 5432 from web2",
// "http /healthz = 204", "ssh ipv6", "run as root: systemctl is-active ...".
func (p *Probe) String() string {
	var b strings.Builder
	w := p.want
	if w.Kind == "run" {
		b.WriteString("run")
		if w.Become {
			b.WriteString(" as root")
		}
		b.WriteString(": " + short(w.Text))
		if w.Fails {
			b.WriteString(" (must fail)")
		}
		return b.String()
	}
	if w.Fails {
		b.WriteString("no ")
	}
	b.WriteString(w.Kind + " ")
	if w.Kind == "tcp" {
		b.WriteString(strconv.Itoa(int(w.Port)))
	} else {
		b.WriteString(short(w.Text))
	}
	if w.Status > 0 {
		fmt.Fprintf(&b, " = %d", w.Status)
	}
	if w.Host.V != "" {
		b.WriteString(" to " + safe(w.Host.V))
	}
	if from, isHost := strings.CutPrefix(w.From.V, "host:"); isHost {
		b.WriteString(" from " + safe(from))
	}
	return b.String()
}

// Try returns nil if it is as it must be, within the timeout of the probe. Conn is a
// login on the host, which probes of the kinds run and ssh need; it stays open.
//
// A *NotTriedError says that nothing was found out. All other errors say what is not as
// it must be. Their texts are printable, whatever a host has sent.
func (p *Probe) Try(ctx context.Context, conn *transport.Conn) error {
	trying, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	err := p.try(trying, conn)
	// With less time than was asked for, silence says nothing.
	if why := over(ctx); why != nil && (err != nil || p.want.Fails) {
		return &NotTriedError{sayf(why, "given up: %s", safe(why.Error()))}
	}
	return err
}

// over returns why the caller has given up, or does so at this moment: timers of the
// kernel's may ring a little before those of a context.
func over(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if until, ok := ctx.Deadline(); ok && time.Until(until) < 50*time.Millisecond {
		return context.DeadlineExceeded
	}
	return nil
}

func (p *Probe) try(ctx context.Context, conn *transport.Conn) error {
	switch p.want.Kind {
	case "tcp":
		return p.tcp(ctx)
	case "http":
		return p.http(ctx)
	case "ssh":
		return p.login(ctx, conn)
	case "run":
		return p.run(ctx, conn)
	}
	return &NotTriedError{sayf(nil, "there are no probes of the kind %s", safe(p.want.Kind))}
}

func (p *Probe) tcp(ctx context.Context) error {
	way, err := p.way()
	if err != nil {
		return &NotTriedError{err}
	}
	targets, err := p.targets(ctx, p.want.Host.V, p.want.Port)
	if err != nil {
		return &NotTriedError{err}
	}
	return p.race(ctx, targets, func(ctx context.Context, at string) attempt {
		conn, a := way.connect(ctx, at, p.limit)
		if conn != nil {
			conn.Close()
		}
		return a
	})
}

// way is where connections come from.
type way interface {
	// connect makes a TCP connection. The conn is nil unless the attempt found
	// something there. Limit is how long silence has to last to mean something.
	connect(ctx context.Context, at string, limit time.Duration) (net.Conn, attempt)
}

func (p *Probe) way() (way, error) {
	s, err := p.prober.start(p.want.From.V)
	if s == nil {
		return here{}, err
	}
	return s, nil
}

// targets are the addresses, with a port, that stand for a name: of a host of the
// fleet those of the fleet file, of the empty name those of the probe's host. Another
// name is looked up where the probe starts.
func (p *Probe) targets(ctx context.Context, name string, port uint16) ([]string, error) {
	host, known := p.host, true
	if name != "" {
		host, known = p.prober.host(name)
	}
	var list []string
	add := func(host string) { list = append(list, net.JoinHostPort(host, strconv.Itoa(int(port)))) }
	if known {
		for _, a := range host.Addrs() {
			add(a.String())
		}
		if len(list) > 0 {
			return list, nil
		}
		name = host.SSH.Address
	}
	if a, err := netip.ParseAddr(name); err == nil {
		add(a.String())
		return list, nil
	}
	if strings.HasPrefix(p.want.From.V, "host:") {
		add(name)
		return list, nil
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	switch {
	case err != nil:
		return nil, sayf(err, "looking up %s: %s; check the name, or write an address", safe(name), safe(err.Error()))
	case len(addrs) > maxAddresses:
		return nil, sayf(nil, "%s stands for more than %d addresses", safe(name), maxAddresses)
	}
	for _, a := range addrs {
		add(a.Unmap().String())
	}
	return list, nil
}
