package rollout

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"fwpush/internal/commit"
)

// gatedDialer keeps every dial waiting until it is released, and notes who came.
type gatedDialer struct {
	release chan struct{}
	mu      sync.Mutex
	came    []string
	ended   int // dials whose context was over when they were released
}

func (d *gatedDialer) dial(ctx context.Context, host string) error {
	d.mu.Lock()
	d.came = append(d.came, host)
	d.mu.Unlock()
	<-d.release
	d.mu.Lock()
	defer d.mu.Unlock()
	if ctx.Err() != nil {
		d.ended++
	}
	return errors.New("no route")
}

func (d *gatedDialer) arrived() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	slices.Sort(d.came)
	return strings.Join(d.came, " ")
}

func TestNoMoreHostsAtATimeThanForks(t *testing.T) {
	for forks, want := range map[int]string{
		0: "web01",
		1: "web01",
		3: "web01 web02 web03",
		9: "web01 web02 web03 web04 web05",
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &gatedDialer{release: make(chan struct{})}
			var results []Result
			go func() { results = Apply(t.Context(), named(5), Options{Dialer: dialFunc(d.dial), Forks: forks}) }()
			synctest.Wait()
			if got := d.arrived(); got != want {
				t.Errorf("forks %d: %q are dialled at once, want %q", forks, got, want)
			}
			close(d.release)
			synctest.Wait()
			if len(results) != 5 {
				t.Errorf("forks %d: %d results, want 5", forks, len(results))
			}
		})
	}
}

func TestResultsComeInTheOrderOfTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		targets := named(4)
		turns := map[string]chan struct{}{}
		for _, target := range targets {
			turns[target.Host.Name] = make(chan struct{})
		}
		var results []Result
		var steps []string
		go func() {
			results = Apply(t.Context(), targets, Options{
				Forks:  4,
				Dialer: dialFunc(func(_ context.Context, host string) error { <-turns[host]; return errors.New("no route to " + host) }),
				Event: func(e Event) {
					if e.Step == StepEnded {
						steps = append(steps, e.Host+" "+string(e.Result.Outcome))
					}
				},
			})
		}()
		for i := len(targets) - 1; i >= 0; i-- {
			synctest.Wait()
			close(turns[targets[i].Host.Name])
		}
		synctest.Wait()
		if got, want := outcomesOf(results), "web01 unreachable, web02 unreachable, web03 unreachable, web04 unreachable"; got != want {
			t.Errorf("results %q, want %q", got, want)
		}
		for _, r := range results {
			if r.Err.Error() != "no route to "+r.Name {
				t.Errorf("%s has the error %q", r.Name, r.Err)
			}
		}
		if got, want := strings.Join(steps, ", "), "web04 unreachable, web03 unreachable, web02 unreachable, web01 unreachable"; got != want {
			t.Errorf("events %q, want them as they happen: %q", got, want)
		}
	})
}

func TestInterruptStartsNoNewHostAndLetsTheOthersFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		d := &gatedDialer{release: make(chan struct{})}
		var results []Result
		go func() { results = Apply(ctx, named(5), Options{Dialer: dialFunc(d.dial), Forks: 2}) }()
		synctest.Wait()
		interrupt()
		synctest.Wait()
		close(d.release)
		synctest.Wait()
		want := "web01 unreachable, web02 unreachable, web03 skipped, web04 skipped, web05 skipped"
		if got := outcomesOf(results); got != want {
			t.Errorf("results %q, want %q", got, want)
		}
		if got := d.arrived(); got != "web01 web02" {
			t.Errorf("dialled %q after the interrupt", got)
		}
		if d.ended != 0 {
			t.Errorf("%d hosts in flight were cut off by the interrupt", d.ended)
		}
		if !errors.Is(results[4].Err, ErrInterrupted) {
			t.Errorf("a skipped host says %v", results[4].Err)
		}
	})
}

func TestInterruptedInspectGivesUpAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		var got []Observation
		go func() {
			got = Inspect(ctx, named(2), Options{Forks: 1, Dialer: dialFunc(func(ctx context.Context, _ string) error {
				<-ctx.Done()
				return ctx.Err()
			})})
		}()
		synctest.Wait()
		interrupt()
		synctest.Wait()
		if len(got) != 2 || got[0].Outcome != OutcomeSkipped || got[1].Outcome != OutcomeSkipped {
			t.Fatalf("observations %+v, want two that are skipped", got)
		}
		if code := ExitCode([]Result{got[0].Result, got[1].Result}); code != 130 {
			t.Errorf("exit %d, want 130", code)
		}
	})
}

func TestPanicEndsOneHostOnly(t *testing.T) {
	results := Apply(t.Context(), named(3), Options{Forks: 2, Strategy: eachForItself(), Dialer: dialFunc(func(_ context.Context, host string) error {
		if host == "web02" {
			var nothing map[string]int
			nothing[host] = 1 //lint:ignore SA5000 this is the bug
		}
		return errors.New("no route")
	})})
	if got, want := outcomesOf(results), "web01 unreachable, web02 failed, web03 unreachable"; got != want {
		t.Fatalf("results %q, want %q", got, want)
	}
	text := results[1].Err.Error()
	for _, part := range []string{"web02", "bug in fwpush", "nil map", "walk_test.go:"} {
		if !strings.Contains(text, part) {
			t.Errorf("the error lacks %q: %s", part, text)
		}
	}
}

func TestPanicAfterApplyIsUnknown(t *testing.T) {
	results := outcomes(t.Context(), named(1), Options{}, func(_ context.Context, h *host) commit.Result {
		h.goOn()
		panic("late")
	})
	if r := results[0]; r.Outcome != commit.OutcomeUnknown || r.Name != "web01" {
		t.Errorf("%s is %s, want unknown: the rules may be in force", r.Name, r.Outcome)
	}
}

// A bug in what tells of a run, or in what reads a host's facts, ends no run.
func TestPanicInAListenerEndsNothing(t *testing.T) {
	o := Options{Forks: 2, Event: func(Event) { panic("the terminal is gone") },
		Dialer: dialFunc(func(context.Context, string) error { return errors.New("no route") })}
	if got, want := outcomesOf(Apply(t.Context(), named(3), o)), "web01 unreachable, web02 unreachable, web03 unreachable"; got != want {
		t.Errorf("results %q, want %q", got, want)
	}
}

func TestSlowListenerHoldsUpNoHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &gatedDialer{release: make(chan struct{})}
		close(d.release)
		terminal := make(chan struct{})
		done := false
		go func() {
			Apply(t.Context(), named(20), Options{Dialer: dialFunc(d.dial), Forks: 2, Event: func(Event) { <-terminal }})
			done = true
		}()
		synctest.Wait()
		if got := len(strings.Fields(d.arrived())); got != 20 {
			t.Errorf("%d of 20 hosts were worked on while nobody listened", got)
		}
		close(terminal)
		synctest.Wait()
		if !done {
			t.Error("the run did not end")
		}
	})
}

func TestUnwindStopsAHostBeforeApply(t *testing.T) {
	s := &seat{}
	s.going, s.leave = context.WithCancelCause(t.Context())
	s.leave(ErrInterrupted)
	h := &host{seat: s, tell: func(Event) { t.Error("an event of a host that goes no further") }}
	if err := h.candidate().Gate(t.Context()); !errors.Is(err, ErrInterrupted) {
		t.Errorf("the gate says %v, want that the run was interrupted", err)
	}
}
