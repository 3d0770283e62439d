package rollout

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/simhost"
	"fwpush/inventory"
	"fwpush/transport"
)

// tries is a probe that does something else at each try; the last one again after that.
type tries struct {
	mu   sync.Mutex
	each []func(ctx context.Context, conn *transport.Conn) error
}

func (*tries) String() string { return "something" }

func (p *tries) Try(ctx context.Context, conn *transport.Conn) error {
	p.mu.Lock()
	try := p.each[0]
	if len(p.each) > 1 {
		p.each = p.each[1:]
	}
	p.mu.Unlock()
	return try(ctx, conn)
}

func good(context.Context, *transport.Conn) error { return nil }

func takes(d time.Duration) func(context.Context, *transport.Conn) error {
	return func(ctx context.Context, conn *transport.Conn) error { return slow(d).Try(ctx, conn) }
}

// A connection that breaks while the probes are tried for the first time is the end of
// that host, and of nobody and nothing else.
func TestConnectionLostAtTheGate(t *testing.T) {
	_, targets := simulated(t, 3, 80)
	targets[0].Probes = []Probe{&tries{each: []func(context.Context, *transport.Conn) error{func(ctx context.Context, conn *transport.Conn) error {
		conn.Close()
		<-ctx.Done()
		return nil
	}}}}
	targets[1].Probes = []Probe{slow(2 * time.Second)}
	o := options(t, targets, Strategy{MaxFailures: inventory.Budget{Count: 1}})
	var steps []Step
	o.Event = func(e Event) {
		if e.Host == "web01" {
			steps = append(steps, e.Step)
		}
	}
	began := time.Now()
	results := Apply(t.Context(), targets, o)
	expect(t, results, "web01 failed, web02 confirmed, web03 confirmed")
	if !slices.Equal(steps, []Step{StepConnecting, StepEnded}) {
		t.Errorf("web01 went %q", steps)
	}
	var lost *transport.LostError
	if !errors.As(results[0].Err, &lost) || results[0].Stage != commit.StageStage {
		t.Errorf("web01 at %s: %v", results[0].Stage, results[0].Err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s to notice", took)
	}
}

// redialing is a Dialer with another Redial.
type redialing struct {
	*transport.Dialer
	redial func(ctx context.Context, t transport.Target, dial func() (*transport.Conn, error)) (*transport.Conn, error)
}

func (d redialing) Redial(ctx context.Context, t transport.Target) (*transport.Conn, error) {
	return d.redial(ctx, t, func() (*transport.Conn, error) { return d.Dialer.Redial(ctx, t) })
}

func TestHostThatFailsTwiceIsCountedOnce(t *testing.T) {
	f, targets := simulated(t, 3, 80)
	targets[0].Candidate.Window = 2 * time.Second
	o := options(t, targets, Strategy{MaxFailures: inventory.Budget{Count: 1}, Batch: inventory.Budget{Count: 2}})
	o.Dialer = redialing{dialer(), func(_ context.Context, to transport.Target, dial func() (*transport.Conn, error)) (*transport.Conn, error) {
		if to.Addr() != f.Host(0).Addr() {
			return dial()
		}
		if f.Host(0).State() == "reverted" {
			panic("how it ended is not to be seen")
		}
		return nil, errors.New("no")
	}}
	expect(t, Apply(t.Context(), targets, o), "web01 unknown, web02 confirmed, web03 confirmed")
}

// A canary that others are faster than has its turn all the same.
func TestSlowCanaryIsNotForgotten(t *testing.T) {
	f, targets := simulated(t, 5, 80)
	expect(t, Apply(t.Context(), targets[1:2], Options{Dialer: dialer()}), "web02 confirmed")
	f.Host(0).SetFaults(simhost.Faults{SlowFacts: 2 * time.Second})
	o := options(t, targets, Strategy{Canary: Canary{Share: inventory.Budget{Count: 2}}})
	results := Apply(t.Context(), targets, o)
	expect(t, results, wholeFleet(5, "confirmed", map[string]string{"web02": "unchanged"}))
	if results[0].Wave != 1 {
		t.Errorf("web01 went in wave %d", results[0].Wave)
	}
}

// A host that is looked at in place of a canary is none as long as nothing is known of it.
func TestHostOutOfReachInPlaceOfACanary(t *testing.T) {
	f, targets := simulated(t, 8, 80)
	expect(t, Apply(t.Context(), targets[:2], Options{Dialer: dialer(), Forks: 2}), "web01 confirmed, web02 confirmed")
	for _, i := range []int{2, 3, 4} {
		f.Host(i).SetFaults(simhost.Faults{Unreachable: simhost.Refuse})
	}
	f.Host(5).Hold("20260102T030405Z-0000000f", "somebody", time.Minute)
	o := options(t, targets, Strategy{Canary: Canary{Share: inventory.Budget{Count: 1}}})
	waves := map[string]int{}
	o.Event = func(e Event) {
		if e.Step == StepApplied {
			waves[e.Host] = e.Wave
		}
	}
	results := Apply(t.Context(), targets, o)
	expect(t, results, "web01 unchanged, web02 unchanged, web03 unreachable, web04 unreachable, web05 unreachable, web06 locked, web07 confirmed, web08 confirmed")
	// Either of the two may be the first that is found to change.
	if waves["web07"]+waves["web08"] != 3 {
		t.Errorf("applied in waves %v: a canary of one goes first", waves)
	}
}

// No deadline runs out because a host has just been told to wait when it is asked for more.
func TestDeadlineIsMovedBetweenProbesAndGroup(t *testing.T) {
	_, targets := simulated(t, 2, 80)
	for i := range targets {
		targets[i].Candidate.Window = 8 * time.Second
	}
	targets[0].Probes = []Probe{&tries{each: []func(context.Context, *transport.Conn) error{good, good, takes(1900 * time.Millisecond)}}}
	targets[1].Probes = []Probe{&tries{each: []func(context.Context, *transport.Conn) error{good, good, takes(7 * time.Second)}}}
	o := options(t, targets, Strategy{Soak: 3900 * time.Millisecond})
	time.Sleep(900 * time.Millisecond) // a host counts in whole seconds of its uptime
	results := Apply(t.Context(), targets, o)
	expect(t, results, "web01 confirmed, web02 confirmed")
}

// A host whose connections broke is asked over a new one to go back.
func TestUnwindOverANewConnection(t *testing.T) {
	f, targets := simulated(t, 1, 80)
	targets[0].Candidate.Window = 30 * time.Second
	var proof *transport.Conn
	targets[0].Probes = []Probe{&tries{each: []func(context.Context, *transport.Conn) error{good, func(_ context.Context, conn *transport.Conn) error {
		proof = conn
		return nil
	}}}}
	unwind := make(chan struct{})
	o := options(t, targets, Strategy{Soak: time.Minute})
	o.Unwind = unwind
	began := time.Now()
	o.Event = func(e Event) {
		if e.Step == StepSoaking {
			proof.Close()
			close(unwind)
		}
	}
	results := Apply(t.Context(), targets, o)
	expect(t, results, "web01 reverted")
	if took := time.Since(began); took > 10*time.Second || !errors.Is(results[0].Err, ErrInterrupted) {
		t.Errorf("after %s: %v", took, results[0].Err)
	}
	if f.Host(0).Running() != "" {
		t.Error("it runs the new rules")
	}
}

// A revert that is asked for is waited for, although the group is given up meanwhile.
func TestRevertUnderWayIsNotGivenUp(t *testing.T) {
	f, targets := simulated(t, 1, 80)
	targets[0].Candidate.Window = 20 * time.Second
	unwind := make(chan struct{})
	var once sync.Once
	f.Host(0).SetFaults(simhost.Faults{LockOut: simhost.Refuse, Lie: func(line string) string {
		if strings.HasPrefix(line, "reverted") {
			once.Do(func() { close(unwind) })
			time.Sleep(200 * time.Millisecond) // of a slow host
		}
		return line
	}})
	o := options(t, targets, Strategy{})
	o.Unwind = unwind
	results := Apply(t.Context(), targets, o)
	expect(t, results, "web01 reverted")
	if got := f.Host(0).Counts().Connections; got != 4 {
		t.Errorf("%d connections, want the first and 3 that were refused", got)
	}
}

// apartPanics is a Dialer of which DialApart has a bug.
type apartPanics struct{ *transport.Dialer }

func (apartPanics) DialApart(context.Context, inventory.Endpoint) (*transport.Conn, error) {
	panic("not apart")
}

func TestPanicOnTheWayThroughAJumpHost(t *testing.T) {
	_, targets := simulated(t, 2, 80)
	targets[0].Behind = []inventory.Endpoint{targets[1].Host.SSH}
	o := options(t, targets[:1], Strategy{})
	o.Dialer = apartPanics{dialer()}
	results := Apply(t.Context(), targets[:1], o)
	expect(t, results, "web01 confirmed")
	if notes := strings.Join(results[0].Notes, " "); !strings.Contains(notes, "failed before the push too") || !strings.Contains(notes, "bug in fwpush: not apart") {
		t.Errorf("notes %q", notes)
	}
}

// What another run left pending is confirmed with its probes tried, however long they
// take; here nobody knows its window.
func TestConfirmOfARunWithProbes(t *testing.T) {
	_, targets := simulated(t, 1, 80)
	run := targets[0].Candidate.Stamp.Run
	expect(t, Apply(t.Context(), targets, options(t, targets, Strategy{Manual: true})), "web01 pending")
	targets[0].Candidate.Window = 0
	targets[0].Probes = []Probe{slow(time.Second)}
	expect(t, ConfirmRun(t.Context(), targets, run, Options{Dialer: dialer()}), "web01 confirmed")
}

// Which of several broken hosts is heard first decides nothing.
func TestExitCodeOfHostsThatFailTogether(t *testing.T) {
	for range 40 {
		f, targets := simulated(t, 2, 80)
		var both sync.WaitGroup
		both.Add(2)
		for i := range targets {
			targets[i].Probes = []Probe{&tries{each: []func(context.Context, *transport.Conn) error{good, func(context.Context, *transport.Conn) error {
				both.Done()
				both.Wait()
				return errors.New("refused")
			}}}}
		}
		results := Apply(t.Context(), targets, options(t, targets, Strategy{}))
		expect(t, results, "web01 reverted, web02 reverted")
		if line := ExitLine(results); !strings.HasPrefix(line, "exit 6: the rollout was stopped by web0") || f.Writes() == 0 {
			t.Fatal(line)
		}
	}
}

// The second interrupt of a confirm takes back what it waits for, whatever it waits for.
func TestUnwindOfAConfirm(t *testing.T) {
	for at, fault := range map[Step]simhost.Faults{StepProbing: {}, StepApplied: {LockOut: simhost.Hang}} {
		f, targets := simulated(t, 1, 80)
		targets[0].Candidate.Window = time.Minute
		run := targets[0].Candidate.Stamp.Run
		expect(t, Apply(t.Context(), targets, options(t, targets, Strategy{Manual: true})), "web01 pending")
		targets[0].Probes = []Probe{slow(20 * time.Second)}
		unwind := make(chan struct{})
		o := Options{Dialer: dialer(), Unwind: unwind}
		o.Event = func(e Event) {
			if e.Step == StepApplied {
				f.Host(0).SetFaults(fault)
			}
			if e.Step == at {
				time.AfterFunc(time.Second, func() {
					f.Host(0).SetFaults(simhost.Faults{})
					close(unwind)
				})
			}
		}
		began := time.Now()
		results := ConfirmRun(t.Context(), targets, run, o)
		expect(t, results, "web01 reverted")
		if took := time.Since(began); took > 8*time.Second || ExitCode(results) != 130 {
			t.Errorf("%s: after %s: exit %d, %v", at, took, ExitCode(results), results[0].Err)
		}
	}
}
