package progress

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/internal/vt"
	"fwpush/inventory"
)

var update = flag.Bool("update", false, "write golden files")

// play is a run that a test tells, on a terminal that the test looks at.
type play struct {
	t       tester
	p       *Progress
	v       *vt.Terminal
	s       *ui.Screen
	targets []rollout.Target
	start   time.Time
	clock   time.Time
	seen    strings.Builder // what golden files hold
}

// tester is a test, or one try of a property.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

func newPlay(t tester, width, height int, does Manner, hosts []string, waves ...rollout.Wave) *play {
	x := &play{t: t, v: vt.New(width, height), start: time.Date(2026, 11, 22, 14, 30, 55, 0, time.UTC)}
	x.clock = x.start
	x.s = ui.ScreenOf(x.v, x.v.Size)
	x.targets = make([]rollout.Target, len(hosts))
	for i, h := range hosts {
		x.targets[i].Host = inventory.Host{Name: h}
		x.targets[i].Candidate.Stamp.Run = "20261122T143055Z-7f3c91ab"
	}
	x.p = New(&log{out: x.s, screen: x.s}, x.targets, does)
	x.p.now = func() time.Time { return x.clock }
	x.p.board = newBoard(x.p.clock, x.targets, waves)
	return x
}

// web are hosts web01 and so on.
func web(from, to int) []string {
	var list []string
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprintf("web%0*d", max(2, len(fmt.Sprint(to))), i))
	}
	return list
}

// batches are waves of so many hosts, with a canary of two before them.
func batches(hosts, size int) []rollout.Wave {
	waves := []rollout.Wave{{Name: "canary", Canary: true, Targets: []int{0, 1}}}
	of := (hosts - 2 + size - 1) / size
	for from := 2; from < hosts; from += size {
		w := rollout.Wave{Name: fmt.Sprintf("wave %d of %d", len(waves), of)}
		if of == 1 {
			w.Name = "rest"
		}
		for i := from; i < min(from+size, hosts); i++ {
			w.Targets = append(w.Targets, i)
		}
		waves = append(waves, w)
	}
	return waves
}

func (x *play) after(d time.Duration) { x.clock = x.clock.Add(d) }

// step has hosts take a step of a wave.
func (x *play) step(wave int, step rollout.Step, hosts ...string) {
	for _, h := range hosts {
		e := rollout.Event{Wave: wave, Host: h, Step: step}
		switch step {
		case rollout.StepApplied, rollout.StepProbing, rollout.StepProved:
			e.Deadline = x.start.Add(3*time.Minute + 5*time.Second)
		}
		if step == rollout.StepProved {
			e.Probes = []string{"tcp 443"}
		}
		x.p.event(e)
	}
}

// steps takes hosts from the first to the last of these steps.
func (x *play) steps(wave int, first, last rollout.Step, hosts ...string) {
	order := []rollout.Step{rollout.StepConnecting, rollout.StepReady, rollout.StepChecked, rollout.StepApplied, rollout.StepProbing, rollout.StepProved}
	for _, s := range order[slices.Index(order, first) : slices.Index(order, last)+1] {
		x.step(wave, s, hosts...)
	}
}

func (x *play) end(wave int, outcome commit.Outcome, err error, hosts ...string) {
	for _, h := range hosts {
		x.p.event(rollout.Event{Wave: wave, Host: h, Step: rollout.StepEnded, Result: &rollout.Result{Name: h, Wave: wave,
			Took: 810 * time.Millisecond, Result: commit.Result{Outcome: outcome, Err: err}}})
	}
}

// wave is a whole one: every host is in, and confirmed.
func (x *play) wave(wave int, hosts ...string) {
	x.p.event(rollout.Event{Wave: wave, Step: rollout.StepWave, Hosts: hosts})
	x.steps(wave, rollout.StepConnecting, rollout.StepProved, hosts...)
	x.after(3100 * time.Millisecond)
	x.end(wave, commit.OutcomeConfirmed, nil, hosts...)
}

// look draws, holds the rules that are true of every screen, and keeps what is seen.
func (x *play) look(what string) string {
	x.t.Helper()
	wrapped := x.v.Wrapped // messages may be
	x.p.shown = frame{}
	x.p.tick()
	screen := x.v.Screen()
	_, height := x.v.Size()
	if x.v.Err() != nil || x.v.Wrapped > wrapped || x.v.Hidden {
		x.t.Errorf("%s: %v, %d lines wrapped, cursor hidden: %t\n%s", what, x.v.Err(), x.v.Wrapped-wrapped, x.v.Hidden, screen)
	}
	if _, column := x.v.Cursor(); column != 0 {
		x.t.Errorf("%s: the cursor stands in column %d", what, column)
	}
	if lines := x.p.shown.lines; len(lines) > height-1 {
		x.t.Errorf("%s: %d lines on a terminal of %d", what, len(lines), height)
	}
	for _, l := range x.p.shown.lines {
		if strings.ContainsAny(l, "\x1b\r\n") {
			x.t.Errorf("%s: %q can be acted on", what, l)
		}
	}
	x.keep(what, screen)
	return screen
}

func (x *play) keep(what, screen string) {
	width, height := x.v.Size()
	fmt.Fprintf(&x.seen, "-- %s, %s, %dx%d --\n%s", clock(x.clock.Sub(x.start)), what, width, height, screen)
}

// over ends the run and keeps all that was ever on the terminal.
func (x *play) over(what string) {
	x.p.mu.Lock()
	x.p.end()
	x.p.mu.Unlock()
	fmt.Fprintln(x.s, "Done")
	x.keep(what, x.v.All())
}

func (x *play) golden(name string) {
	x.t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(x.seen.String()), 0o644); err != nil {
			x.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		x.t.Fatal(err)
	}
	if x.seen.String() != string(want) {
		x.t.Errorf("%s differs; seen:\n%s", path, x.seen.String())
	}
}

var errTimeout = errors.New("dial tcp 10.0.1.14:22: i/o timeout")

// TestLiveCanaryAndRest is the run of the manual, on a usual and on a wide terminal.
func TestLiveCanaryAndRest(t *testing.T) {
	for _, width := range []int{80, 200} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			all := web(1, 20)
			x := newPlay(t, width, 24, Changes, all, batches(20, 18)...)
			x.p.log.Say("run 20261122T143055Z-7f3c91ab: web[01-20] (20), window 2m0s")
			canary := all[:2]
			x.p.event(rollout.Event{Wave: 1, Step: rollout.StepWave, Hosts: canary})
			x.step(1, rollout.StepConnecting, canary...)
			x.look("it begins")
			x.after(time.Second)
			x.steps(1, rollout.StepReady, rollout.StepProved, canary...)
			x.p.event(rollout.Event{Wave: 1, Step: rollout.StepSoaking, Hosts: canary, Deadline: x.clock.Add(30 * time.Second)})
			x.after(6 * time.Second)
			x.look("canaries soak")
			x.after(24100 * time.Millisecond)
			x.end(1, commit.OutcomeConfirmed, nil, canary...)
			rest := all[2:]
			x.p.event(rollout.Event{Wave: 2, Step: rollout.StepWave, Hosts: rest})
			x.step(2, rollout.StepConnecting, rest[:11]...)
			x.step(2, rollout.StepReady, rest[:9]...)
			x.after(4 * time.Second)
			x.look("two are late at the gate")
			x.end(2, commit.OutcomeUnreachable, errTimeout, "web13")
			x.step(2, rollout.StepReady, "web12")
			x.steps(2, rollout.StepChecked, rollout.StepApplied, rest[:10]...)
			x.after(300 * time.Millisecond)
			x.look("all of them prove themselves")
			x.steps(2, rollout.StepProbing, rollout.StepProved, rest[:8]...)
			x.step(2, rollout.StepProbing, "web11")
			x.look("two hold the group up")
			x.steps(2, rollout.StepProbing, rollout.StepProved, "web11", "web12")
			x.look("all in")
			x.p.log.Tell("web03  note: the host's clock is 31s ahead of this machine's")
			x.look("a message")
			x.end(2, commit.OutcomeConfirmed, nil, rest[:10]...)
			x.after(time.Second)
			x.end(2, commit.OutcomeConfirmed, nil, rest[11:]...)
			x.over("the end")
			x.golden(fmt.Sprintf("canary-%d", width))
		})
	}
}

// TestLiveThreeHosts has neither canary nor waves.
func TestLiveThreeHosts(t *testing.T) {
	all := web(1, 3)
	x := newPlay(t, 80, 24, Changes, all, rollout.Wave{Name: "all", Targets: []int{0, 1, 2}})
	x.p.event(rollout.Event{Wave: 1, Step: rollout.StepWave, Hosts: all})
	x.steps(1, rollout.StepConnecting, rollout.StepApplied, all...)
	x.end(1, commit.OutcomeReverted, errors.New("no fresh connection got in \x1b[31m東京\x9b"), "web02")
	x.p.event(rollout.Event{Wave: 1, Step: rollout.StepStopped, Err: &rollout.StopError{Host: "web02", Budget: "1 failed, at most 0 allowed", Cause: errors.New("no fresh connection got in")}})
	x.look("one is locked out")
	x.end(1, commit.OutcomeReverted, &rollout.StopError{Host: "web02", Budget: "1 failed, at most 0 allowed", Cause: errors.New("no fresh connection got in")}, "web01", "web03")
	x.over("the end")
	x.golden("three")
}

// TestLiveFolds has 300 hosts in 38 waves, and few lines for them.
func TestLiveFolds(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {80, 8}, {200, 24}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			all := web(1, 300)
			waves := batches(300, 8)
			x := newPlay(t, size[0], size[1], Changes, all, waves...)
			of := func(w rollout.Wave) []string { return all[w.Targets[0] : w.Targets[len(w.Targets)-1]+1] }
			for n, w := range waves {
				if n == 35 {
					x.p.event(rollout.Event{Wave: n + 1, Step: rollout.StepWave, Hosts: of(w)})
					x.steps(n+1, rollout.StepConnecting, rollout.StepApplied, of(w)...)
					x.steps(n+1, rollout.StepProbing, rollout.StepProved, of(w)[3:]...)
					x.look("in the middle")
					x.steps(n+1, rollout.StepProbing, rollout.StepProved, of(w)[:3]...)
					x.end(n+1, commit.OutcomeConfirmed, nil, of(w)...)
					continue
				}
				x.wave(n+1, of(w)...)
			}
			x.over("the end")
			x.golden(fmt.Sprintf("waves-%dx%d", size[0], size[1]))
		})
	}
}

// TestLiveAllFail has 300 hosts that fail, half of them in the same way.
func TestLiveAllFail(t *testing.T) {
	all := web(1, 300)
	x := newPlay(t, 80, 12, Changes, all)
	for i, h := range all {
		x.step(1, rollout.StepConnecting, h)
		err := errTimeout
		if i%2 == 1 {
			err = fmt.Errorf("the host says %d", i)
		}
		x.end(1, commit.OutcomeFailed, err, h)
		if i == 40 || i == len(all)-1 {
			x.look("hosts fail")
		}
	}
	if n := len(x.p.board.troubles); n != 151 {
		t.Errorf("%d kinds of trouble, want 151", n)
	}
	x.golden("failing")
}

// TestLiveIsResized makes the terminal narrow and low, and wide again.
func TestLiveIsResized(t *testing.T) {
	all := web(1, 20)
	x := newPlay(t, 80, 24, Changes, all, batches(20, 18)...)
	x.wave(1, all[:2]...)
	x.p.event(rollout.Event{Wave: 2, Step: rollout.StepWave, Hosts: all[2:]})
	x.steps(2, rollout.StepConnecting, rollout.StepApplied, all[2:]...)
	x.steps(2, rollout.StepProbing, rollout.StepProved, all[10:]...)
	x.look("at first")
	x.v.Resize(40, 24)
	x.look("narrow")
	x.v.Resize(40, 4)
	x.look("low")
	x.v.Resize(10, 24)
	x.look("very narrow")
	x.v.Resize(80, 24)
	x.look("at last")
	x.golden("resized")
}

// TestLiveAsks is a run that reads: one line, which goes.
func TestLiveAsks(t *testing.T) {
	all := web(1, 300)
	x := newPlay(t, 80, 24, Reads, all)
	x.step(0, rollout.StepConnecting, all...)
	x.after(time.Second)
	x.end(0, "", nil, all[:212]...)
	x.look("most hosts are silent")
	x.after(4 * time.Second)
	x.end(0, "", nil, all[212:298]...)
	x.look("two are late")
	x.end(0, commit.OutcomeUnreachable, errTimeout, all[298:]...)
	x.over("the end")
	x.golden("asking")
}

// TestLiveInterrupts has the third one leave hosts behind.
func TestLiveInterrupts(t *testing.T) {
	all := web(1, 6)
	x := newPlay(t, 80, 24, Changes, all)
	x.p.event(rollout.Event{Wave: 1, Step: rollout.StepWave, Hosts: all})
	x.steps(1, rollout.StepConnecting, rollout.StepApplied, all[:4]...)
	x.steps(1, rollout.StepProbing, rollout.StepProved, all[:2]...)
	for n := range 3 {
		x.p.interrupted(n + 1)
		x.look(fmt.Sprintf("interrupt %d", n+1))
	}
	results := x.p.leftBehind(x.targets)
	io.WriteString(x.s, "Done\n")
	x.keep("the end", x.v.All())
	x.golden("interrupts")
	var ends []string
	for _, r := range results {
		ends = append(ends, string(r.Outcome))
	}
	if got := strings.Join(ends, " "); got != "pending pending pending pending skipped skipped" {
		t.Errorf("hosts are left %s", got)
	}
}
