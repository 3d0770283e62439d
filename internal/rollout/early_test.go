package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"fwpush/internal/simhost"
	"fwpush/internal/sshtest"
	"fwpush/inventory"
	"fwpush/transport"
)

// slowTo keeps a host from saying a word until it is let.
func slowTo(f *simhost.Fleet, i int, word string) (asked, let chan struct{}) {
	asked, let = make(chan struct{}), make(chan struct{})
	f.Host(i).SetFaults(simhost.Faults{Lie: func(line string) string {
		if strings.HasPrefix(line, word) {
			close(asked)
			<-let
		}
		return line
	}})
	return asked, let
}

// knocked tells of the first connection to a host, and counts all.
func knocked(f *simhost.Fleet, i int) (first chan struct{}, count *atomic.Int32) {
	first, count = make(chan struct{}), new(atomic.Int32)
	faults := f.Host(i).Faults()
	faults.Connection = func(n int) sshtest.Fault {
		if count.Add(1) == 1 {
			close(first)
		}
		return sshtest.Fault{}
	}
	f.Host(i).SetFaults(faults)
	return first, count
}

// TestTheNextGroupLogsInEarly: while a group proves itself the hosts of the next one are connected to,
// and nobody after them; nothing is asked of them, and their connection is the one that is used then.
func TestTheNextGroupLogsInEarly(t *testing.T) {
	f, targets := simulated(t, 24, 80)
	asked, let := slowTo(f, 1, "fresh")
	first, count := knocked(f, 15)
	_, none := knocked(f, 16) // there is room for a ninth, were it not for the bound
	o := options(t, targets, Strategy{})
	o.Forks = 8
	go func() {
		<-asked
		<-first
		time.Sleep(200 * time.Millisecond) // what shall not come would have come by then
		if h := f.Host(15); h.Counts().Execs != 0 || none.Load() != 0 {
			t.Errorf("before its turn: %d executions on %s, %d connections to the one after it", h.Counts().Execs, h.Name(), none.Load())
		}
		close(let)
	}()
	results := Apply(t.Context(), targets, o)
	expect(t, results, wholeFleet(24, "confirmed", nil))
	for _, r := range results {
		if r.Connections != 2 || r.Execs != 2 {
			t.Errorf("%s: %d connections, %d executions", r.Name, r.Connections, r.Execs)
		}
	}
	if count.Load() != 2 {
		t.Errorf("%d connections to %s", count.Load(), f.Host(15).Name())
	}
}

// TestTheNextGroupLogsInWhileTheGateWaits: its logins fill the time in which the last host of a group
// comes to the gate.
func TestTheNextGroupLogsInWhileTheGateWaits(t *testing.T) {
	f, targets := simulated(t, 16, 80)
	asked, let := slowTo(f, 1, "checked")
	first, count := knocked(f, 8)
	_, none := knocked(f, 9)
	o := options(t, targets, Strategy{})
	o.Forks = 8
	go func() {
		<-asked
		<-first
		if f.Host(8).Counts().Execs != 0 || none.Load() != 0 || f.Host(0).Running() != "" {
			t.Errorf("before the gate: %d executions, %d connections to the one after it, %q applied", f.Host(8).Counts().Execs, none.Load(), f.Host(0).Running())
		}
		close(let)
	}()
	expect(t, Apply(t.Context(), targets, o), wholeFleet(16, "confirmed", nil))
	if count.Load() != 2 {
		t.Errorf("%d connections to %s", count.Load(), f.Host(8).Name())
	}
}

// TestEarlyLoginOfAHostThatHasNoTurn: where the run stops it is closed, and counted.
func TestEarlyLoginOfAHostThatHasNoTurn(t *testing.T) {
	f, targets := simulated(t, 8, 80)
	asked, let := slowTo(f, 1, "fresh")
	first, _ := knocked(f, 4)
	f.Host(2).SetFaults(simhost.Faults{LockOut: simhost.Refuse})
	o := options(t, targets, Strategy{})
	o.Forks = 4
	go func() {
		<-asked
		<-first
		close(let)
	}()
	results := Apply(t.Context(), targets, o)
	for i, r := range results[4:] {
		want := f.Host(4 + i).Counts().Connections
		if i == 0 {
			want = 1
		}
		if r.Outcome != OutcomeSkipped || r.Connections != want || want > 1 || r.Execs != 0 || f.Host(4+i).Running() != "" {
			t.Errorf("%s: %s, %d connections, %d executions", r.Name, r.Outcome, r.Connections, r.Execs)
		}
	}
}

// TestEarlyLoginThatFails is how that host ends, and nobody else.
func TestEarlyLoginThatFails(t *testing.T) {
	f, targets := simulated(t, 5, 80)
	f.Host(4).SetFaults(simhost.Faults{Unreachable: simhost.Refuse})
	o := options(t, targets, Strategy{})
	o.Forks = 4
	expect(t, Apply(t.Context(), targets, o), "web01 confirmed, web02 confirmed, web03 confirmed, web04 confirmed, web05 unreachable")
}

// dialing has something happen at the first login to a host, which is its early one.
type dialing struct {
	Dialer
	host  string
	times atomic.Int32
	first func(ctx context.Context, ep inventory.Endpoint) (*transport.Conn, error)
}

func (d *dialing) Dial(ctx context.Context, ep inventory.Endpoint) (*transport.Conn, error) {
	if ep.Name == d.host && d.times.Add(1) == 1 {
		return d.first(ctx, ep)
	}
	return d.Dialer.Dial(ctx, ep)
}

// living is a probe that asks before the push whether its connection is there, and fails after it.
type living struct{ tries atomic.Int32 }

func (*living) String() string { return "living" }

func (l *living) Try(_ context.Context, conn *transport.Conn) error {
	if l.tries.Add(1) == 1 {
		return conn.Gone()
	}
	return errors.New("refused")
}

// TestEarlyLoginThatDoesNotHold: a connection that is over before the host's turn is none, also not for
// probes, and what could not be reached while others changed is tried again.
func TestEarlyLoginThatDoesNotHold(t *testing.T) {
	for name, tt := range map[string]struct {
		connections int
		first       func(d Dialer) func(context.Context, inventory.Endpoint) (*transport.Conn, error)
	}{
		"over": {3, func(d Dialer) func(context.Context, inventory.Endpoint) (*transport.Conn, error) {
			return func(ctx context.Context, ep inventory.Endpoint) (*transport.Conn, error) {
				conn, err := d.Dial(ctx, ep)
				if err == nil {
					conn.Close()
				}
				return conn, err
			}
		}},
		"refused": {2, func(Dialer) func(context.Context, inventory.Endpoint) (*transport.Conn, error) {
			return func(context.Context, inventory.Endpoint) (*transport.Conn, error) {
				return nil, &transport.DialError{Kind: transport.DialRefused, Stage: "connect", Err: fmt.Errorf("dial: %w", syscall.ECONNREFUSED)}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f, targets := simulated(t, 5, 80)
			targets[4].Probes = []Probe{&living{}}
			_, let := slowTo(f, 1, "fresh")
			o := options(t, targets, Strategy{})
			d := &dialing{Dialer: o.Dialer, host: "web05"}
			first := tt.first(o.Dialer)
			d.first = func(ctx context.Context, ep inventory.Endpoint) (*transport.Conn, error) {
				time.AfterFunc(100*time.Millisecond, func() { close(let) })
				return first(ctx, ep)
			}
			o.Dialer, o.Forks = d, 4
			results := Apply(t.Context(), targets, o)
			expect(t, results, wholeFleet(5, "confirmed", map[string]string{"web05": "reverted"}))
			if r := results[4]; r.Connections != tt.connections || d.times.Load() != 2 {
				t.Errorf("%d connections, %d logins", r.Connections, d.times.Load())
			}
		})
	}
}

// TestNobodyLogsInEarly where the run is interrupted, and through a jump host: there the logins of the
// group whose deadlines run come first.
func TestNobodyLogsInEarly(t *testing.T) {
	for _, why := range []string{"interrupted", "behind a jump host"} {
		t.Run(why, func(t *testing.T) {
			f, targets := simulated(t, 5, 80)
			asked, let := slowTo(f, 1, "checked")
			o := options(t, targets, Strategy{})
			inner := o.Dialer
			d := &dialing{Dialer: inner, host: "web05", first: func(ctx context.Context, ep inventory.Endpoint) (*transport.Conn, error) {
				if _, generation := f.Host(0).Confirmed(); generation == 0 {
					t.Error("logged in to before the group is decided")
				}
				ep.Via = nil // as far as this test goes
				return inner.Dial(ctx, ep)
			}}
			o.Dialer, o.Forks = d, 4
			ctx, interrupt := context.WithCancelCause(t.Context())
			defer interrupt(nil)
			want, logins := "confirmed", int32(1)
			if why == "interrupted" {
				want, logins = "skipped", 0
			} else {
				targets[4].Host.SSH.Via = &inventory.Endpoint{Name: "jump"}
			}
			go func() {
				<-asked
				if why == "interrupted" {
					interrupt(errors.New("interrupted"))
				}
				close(let)
			}()
			expect(t, Apply(ctx, targets, o), wholeFleet(5, "confirmed", map[string]string{"web05": want}))
			if d.times.Load() != logins {
				t.Errorf("%d logins to web05", d.times.Load())
			}
		})
	}
}
