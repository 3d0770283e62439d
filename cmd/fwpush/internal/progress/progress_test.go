package progress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// log is a Log with everything on.
type log struct {
	out     io.Writer
	screen  *ui.Screen // what out is, for a live view
	verbose bool
}

func (l *log) Tell(format string, args ...any) {
	fmt.Fprintln(l.out, ui.Safe(fmt.Sprintf(format, args...)))
}
func (l *log) Say(format string, args ...any) { l.Tell(format, args...) }
func (l *log) Verbose() bool                  { return l.verbose }
func (l *log) Live() (*ui.Screen, ui.Colour)  { return l.screen, ui.Colour{} }

func fewTargets(n int) []rollout.Target {
	targets := make([]rollout.Target, n)
	for i := range targets {
		targets[i].Host = inventory.Host{Name: fmt.Sprintf("web%02d", i+1)}
		targets[i].Candidate.Stamp.Run = "20261122T143055Z-7f3c91ab"
	}
	return targets
}

func endedEvent(name string, r commit.Result) rollout.Event {
	return rollout.Event{Host: name, Step: rollout.StepEnded, Result: &rollout.Result{Name: name, Result: r, Took: 810 * time.Millisecond}}
}

func TestProgressTellsOfFewHostsEach(t *testing.T) {
	var out bytes.Buffer
	p := New(&log{out: &out}, fewTargets(2), Changes)
	p.event(rollout.Event{Host: "web01", Step: rollout.StepConnecting})
	p.event(endedEvent("web01", commit.Result{Outcome: commit.OutcomeConfirmed}))
	p.event(endedEvent("web02", commit.Result{Outcome: commit.OutcomeFailed, Stage: commit.StageArm,
		Err: errors.New("fewer than two timers\x1b[2J"), Hint: "start atd"}))
	want := "web01  confirmed in 0.8s\nweb02  failed at arm: fewer than two timers\\x1b[2J; start atd\n"
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestProgressCountsManyHosts(t *testing.T) {
	var out bytes.Buffer
	p := New(&log{out: &out}, fewTargets(40), Changes)
	for i := range 39 {
		p.event(endedEvent(fmt.Sprintf("web%02d", i+1), commit.Result{Outcome: commit.OutcomeConfirmed}))
	}
	if out.Len() != 0 {
		t.Errorf("got:\n%s", out.String())
	}
	p.event(endedEvent("web40", commit.Result{Outcome: commit.OutcomeReverted, Err: errors.New("no fresh connection got in")}))
	if want := "web40  reverted: no fresh connection got in\n"; out.String() != want {
		t.Errorf("got:\n%s", out.String())
	}
}

// TestThirdInterruptLeaves has a worker that hangs with hosts at every step.
func TestThirdInterruptLeaves(t *testing.T) {
	var out bytes.Buffer
	p := New(&log{out: &out}, fewTargets(5), Changes)
	deadline := time.Now().Add(time.Minute)
	hang := make(chan struct{})
	defer close(hang)
	stuck := func(ctx context.Context, targets []rollout.Target, o rollout.Options) []rollout.Result {
		o.Event(endedEvent("web01", commit.Result{Outcome: commit.OutcomeConfirmed}))
		o.Event(rollout.Event{Host: "web02", Step: rollout.StepApplied, Deadline: deadline})
		o.Event(rollout.Event{Host: "web03", Step: rollout.StepChecked})
		o.Event(rollout.Event{Host: "web04", Step: rollout.StepConnecting})
		kill(t, syscall.SIGINT)
		<-ctx.Done()
		kill(t, syscall.SIGINT)
		<-o.Unwind
		kill(t, syscall.SIGINT)
		<-hang
		return nil
	}
	results := p.Work(stuck, fewTargets(5), rollout.Options{})
	var got []string
	for _, r := range results {
		got = append(got, r.Name+" "+string(r.Outcome))
	}
	if want := "web01 confirmed, web02 pending, web03 unknown, web04 skipped, web05 skipped"; strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, ", "), want)
	}
	if !results[1].Deadline.Equal(deadline) || !strings.HasSuffix(results[1].Hint, "to keep the rules: fwpush confirm 20261122T143055Z-7f3c91ab") {
		t.Errorf("web02: %+v", results[1])
	}
	if code := rollout.ExitCode(results); code != 5 {
		t.Errorf("exit %d, want 5", code)
	}
	for _, want := range []string{
		"interrupted: no new host is started, what is in flight is finished, under way web[02-04] (3), not confirmed they revert by " + report.Clock(deadline),
		"take back what is not confirmed", "leaving: by themselves revert web[02-03] (2), ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}

// TestSIGTERMUnwinds has the first SIGTERM count as two interrupts.
func TestSIGTERMUnwinds(t *testing.T) {
	p := New(&log{out: &bytes.Buffer{}}, fewTargets(1), Changes)
	p.Work(func(ctx context.Context, _ []rollout.Target, o rollout.Options) []rollout.Result {
		kill(t, syscall.SIGTERM)
		<-ctx.Done()
		<-o.Unwind
		return make([]rollout.Result, 1)
	}, fewTargets(1), rollout.Options{})
}

func kill(t *testing.T, s syscall.Signal) {
	if err := syscall.Kill(syscall.Getpid(), s); err != nil {
		t.Error(err)
	}
}
