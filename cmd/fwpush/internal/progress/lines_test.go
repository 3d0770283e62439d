package progress

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
)

// told is a play without a terminal.
func told(t tester, hosts []string, waves ...rollout.Wave) (*play, *bytes.Buffer) {
	var out bytes.Buffer
	x := newPlay(t, 80, 24, Changes, hosts, waves...)
	x.p.log, x.p.screen = &log{out: &out}, nil
	return x, &out
}

// TestLinesOfGroups has a line for each change of a group, and one for each trouble.
func TestLinesOfGroups(t *testing.T) {
	all := web(1, 30)
	x, out := told(t, all, batches(30, 28)...)
	canary, rest := all[:2], all[2:]
	x.p.event(rollout.Event{Wave: 1, Step: rollout.StepWave, Hosts: canary})
	x.steps(1, rollout.StepConnecting, rollout.StepProved, canary...)
	x.p.event(rollout.Event{Wave: 1, Step: rollout.StepSoaking, Hosts: canary, Deadline: x.clock.Add(30 * time.Second)})
	x.end(1, commit.OutcomeConfirmed, nil, canary...)
	x.p.event(rollout.Event{Wave: 2, Step: rollout.StepWave, Hosts: rest})
	x.step(2, rollout.StepConnecting, rest[:12]...)
	x.step(2, rollout.StepReady, rest[:10]...)
	x.end(2, commit.OutcomeUnchanged, nil, rest[10])
	x.end(2, commit.OutcomeUnreachable, errTimeout, rest[11])
	x.steps(2, rollout.StepChecked, rollout.StepApplied, rest[:10]...)
	x.p.event(rollout.Event{Wave: 2, Host: rest[0], Step: rollout.StepEnded, Result: &rollout.Result{Name: rest[0], Took: time.Second,
		Result: commit.Result{Outcome: commit.OutcomeConfirmed, Hint: "boot path repaired"}}})
	x.end(2, commit.OutcomeConfirmed, nil, rest[1:10]...)
	x.steps(2, rollout.StepConnecting, rollout.StepProbing, rest[12:15]...)
	stop := &rollout.StopError{Host: "web15", Budget: "1 failed, at most 0 allowed", Cause: errors.New("probe tcp 443: refused")}
	x.p.event(rollout.Event{Wave: 2, Step: rollout.StepStopped, Err: stop})
	x.end(2, commit.OutcomeReverted, stop, rest[13:15]...)
	x.end(2, commit.OutcomeReverted, stop.Cause, rest[12])
	x.end(2, rollout.OutcomeSkipped, stop, rest[15:]...)
	x.p.end()
	const want = `canary: web[01-02] (2)  begins
canary: web[01-02] (2)  applied, reverts by 14:34:00Z unless confirmed
canary: web[01-02] (2)  in, soaking until 14:31:25Z (30s)
canary: web[01-02] (2)  confirmed in 0.8s
rest: web[03-30] (28)  begins
web14  unreachable: dial tcp 10.0.1.14:22: i/o timeout
rest: web[03-12] (10)  applied, reverts by 14:34:00Z unless confirmed
rest: web13  unchanged in 0.8s
rest: web03  confirmed in 1.0s; boot path repaired
rest: web[04-12] (9)  confirmed in 0.8s
rest: web[15-17] (3)  applied, reverts by 14:34:00Z unless confirmed
the rollout was stopped by web15 (1 failed, at most 0 allowed): probe tcp 443: refused; no new host is started, and what is not confirmed of the group under way is taken back
web15  reverted: probe tcp 443: refused
rest: web[16-17] (2)  reverted: the rollout was stopped by web15 (1 failed, at most 0 allowed): probe tcp 443: refused
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

// TestLinesOfGroupsThatFollow has the same lines where hosts of the next group are on their way while
// those of one end, and keeps nothing of what hosts have said.
func TestLinesOfGroupsThatFollow(t *testing.T) {
	all := web(1, 30)
	x, out := told(t, all)
	x.p.event(rollout.Event{Wave: 1, Step: rollout.StepWave, Hosts: all})
	x.steps(1, rollout.StepConnecting, rollout.StepProved, all[:3]...)
	for i := range 9 {
		x.step(1, rollout.StepConnecting, all[3+i])
		x.p.event(rollout.Event{Wave: 1, Host: all[i], Step: rollout.StepEnded, Result: &rollout.Result{Name: all[i], Took: time.Second,
			Result: commit.Result{Outcome: commit.OutcomeConfirmed, Facts: &commit.Facts{}}}})
		if told := x.p.board.waves[0].told.ended; len(told) > 0 && told[len(told)-1].Facts != nil {
			t.Error("what the host said is kept")
		}
		if i%3 == 2 {
			x.steps(1, rollout.StepReady, rollout.StepProved, all[i+1:i+4]...)
		}
	}
	const want = `web[01-03] (3)  applied, reverts by 14:34:00Z unless confirmed
web[01-03] (3)  confirmed in 1.0s
web[04-06] (3)  applied, reverts by 14:34:00Z unless confirmed
web[04-06] (3)  confirmed in 1.0s
web[07-09] (3)  applied, reverts by 14:34:00Z unless confirmed
web[07-09] (3)  confirmed in 1.0s
web[10-12] (3)  applied, reverts by 14:34:00Z unless confirmed
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

// TestHostsThatARunIsNotAbout says nothing of them: a confirm without a record asks the
// whole fleet.
func TestHostsThatARunIsNotAbout(t *testing.T) {
	all := web(1, 30)
	x, out := told(t, all)
	for _, name := range all[1:] {
		x.p.event(rollout.Event{Host: name, Step: rollout.StepEnded, Result: &rollout.Result{Name: name,
			Result: commit.Result{Outcome: rollout.OutcomeSkipped, Hint: "not concerned: run R is not pending here"}}})
	}
	x.p.end()
	if out.String() != "" {
		t.Errorf("told:\n%s", out.String())
	}
}

// TestHeartbeat breaks a silence, and nothing else does.
func TestHeartbeat(t *testing.T) {
	all := web(1, 4)
	x, out := told(t, all)
	x.p.lastWord = x.clock
	x.p.event(rollout.Event{Wave: 1, Step: rollout.StepWave, Hosts: all})
	x.step(1, rollout.StepConnecting, all...)
	x.steps(1, rollout.StepReady, rollout.StepChecked, all[:3]...)
	x.after(9 * time.Second)
	x.p.tick()
	if out.Len() > 0 {
		t.Errorf("told too early: %s", out.String())
	}
	x.after(time.Second)
	x.p.tick()
	x.p.tick()
	if want := "0 of 4 done, under way web[01-04] (4)\n"; out.String() != want {
		t.Errorf("got %s", out.String())
	}
}

// TestLiveAlwaysFits plays runs at random on terminals of any size: what stands there
// fits, and the numbers of a wave add up to its hosts.
func TestLiveAlwaysFits(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		hosts := web(1, rapid.IntRange(1, 60).Draw(r, "hosts"))
		var waves []rollout.Wave
		if len(hosts) > 2 {
			waves = batches(len(hosts), rapid.IntRange(1, 20).Draw(r, "batch"))
		}
		x := newPlay(r, rapid.IntRange(4, 120).Draw(r, "width"), rapid.IntRange(1, 30).Draw(r, "height"), Changes, hosts, waves...)
		steps := []rollout.Step{rollout.StepConnecting, rollout.StepReady, rollout.StepChecked, rollout.StepApplied, rollout.StepProbing, rollout.StepProved, rollout.StepExtended}
		outcomes := []commit.Outcome{commit.OutcomeConfirmed, commit.OutcomeUnchanged, commit.OutcomeReverted, commit.OutcomeFailed, commit.OutcomeUnknown, commit.OutcomeUnreachable, rollout.OutcomeSkipped}
		for range rapid.IntRange(1, 60).Draw(r, "events") {
			host := rapid.SampledFrom(hosts).Draw(r, "host")
			wave := rapid.IntRange(0, len(waves)).Draw(r, "wave")
			switch rapid.IntRange(0, 9).Draw(r, "kind") {
			case 0:
				x.p.event(rollout.Event{Wave: wave, Step: rollout.StepWave, Hosts: hosts})
			case 1:
				x.p.event(rollout.Event{Wave: wave, Step: rollout.StepSoaking, Hosts: hosts, Deadline: x.clock.Add(30 * time.Second)})
			case 2, 3:
				var err error
				if text := rapid.String().Draw(r, "error"); text != "" {
					err = errors.New(text)
				}
				x.end(wave, rapid.SampledFrom(outcomes).Draw(r, "outcome"), err, host)
			case 4:
				x.after(time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(r, "later")))
			case 5:
				_, height := x.v.Size()
				x.v.Resize(rapid.IntRange(4, 120).Draw(r, "new width"), height)
			default:
				x.step(wave, rapid.SampledFrom(steps).Draw(r, "step"), host)
			}
			x.look(fmt.Sprint(len(x.seen.String())))
			sum := 0
			for _, w := range x.p.board.waves {
				sum += w.total()
				ended := 0
				for _, n := range w.outcomes {
					ended += n
				}
				if ended != w.places[over] {
					r.Fatalf("%d outcomes of %d hosts that ended", ended, w.places[over])
				}
			}
			if sum != len(hosts) {
				r.Fatalf("%d hosts in waves, of %d", sum, len(hosts))
			}
		}
	})
}

// BenchmarkFrame draws a run of 10,000 hosts of which 1,000 have failed.
func BenchmarkFrame(b *testing.B) {
	hosts := web(1, 10000)
	x := newPlay(nil, 80, 24, Changes, hosts, batches(10000, 500)...)
	for i, h := range hosts[:5000] {
		x.step(i/500+1, rollout.StepConnecting, h)
		if i%5 == 0 {
			x.end(i/500+1, commit.OutcomeFailed, fmt.Errorf("error %d", i), h)
		}
	}
	for b.Loop() {
		x.p.board.frame(x.p.colour, 80, 24)
	}
}
