package progress

import (
	"context"
	"errors"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/commit"
	"fwpush/internal/rollout"
)

// Worker does something with many hosts, such as rollout.Apply.
type Worker func(ctx context.Context, targets []rollout.Target, o rollout.Options) []rollout.Result

// Work runs a worker with progress told and interrupts obeyed, and returns
// a result for every target.
func (p *Progress) Work(do Worker, targets []rollout.Target, o rollout.Options) []rollout.Result {
	in, stop := watchInterrupts(p.interrupted)
	defer stop()
	o.Event, o.Unwind = p.event, in.unwind
	beating := make(chan struct{})
	defer close(beating)
	go p.beat(beating)

	done := make(chan []rollout.Result, 1)
	go func() { done <- do(in.ctx, targets, o) }()
	select {
	case results := <-done:
		return results
	case <-in.leave:
		return p.leftBehind(targets)
	}
}

// leftBehind is how every host stands when a run is left at once. A host that
// was let go on takes the new rules back by itself.
func (p *Progress) leftBehind(targets []rollout.Target) []rollout.Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = true
	results := make([]rollout.Result, len(targets))
	for i, t := range targets {
		r, ended := p.ended[t.Host.Name]
		if !ended {
			r = rollout.Result{Name: t.Host.Name, Digest: t.Candidate.Rules.Digest, Wave: 1, Result: p.flying[t.Host.Name].left(t)}
		}
		results[i] = r
	}
	return results
}

// left is how a host stands that nobody waits for any more.
func (f flight) left(t rollout.Target) commit.Result {
	r := commit.Result{Outcome: rollout.OutcomeSkipped, Err: rollout.ErrInterrupted}
	switch {
	case f.step == rollout.StepApplied:
		r.Outcome, r.Deadline = commit.OutcomePending, f.deadline
		r.Hint = "reverts by itself by " + report.Clock(f.deadline) + "; to keep the rules: fwpush confirm " + t.Candidate.Stamp.Run
	case f.step != "" && f.undecided():
		r.Outcome = commit.OutcomeUnknown
		r.Hint = "if the new rules came into force, the host takes them back by itself: fwpush status"
	}
	return r
}

// isInterrupted says whether a host ended because of an interrupt.
func isInterrupted(r rollout.Result) bool { return errors.Is(r.Err, rollout.ErrInterrupted) }
