package progress

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/commit"
	"fwpush/internal/rollout"
)

// Worker does something with many hosts, such as rollout.Apply.
type Worker func(ctx context.Context, targets []rollout.Target, o rollout.Options) []rollout.Result

// Work runs a worker with progress told and interrupts obeyed, and returns
// a result for every target.
func (p *Progress) Work(do Worker, targets []rollout.Target, o rollout.Options) []rollout.Result {
	p.board = newBoard(p.clock, targets, o.Waves)
	in, stop := watchInterrupts(p.interrupted)
	defer stop()
	o.Event, o.Unwind = both(o.Event, p.event), in.unwind
	ended := make(chan struct{})
	defer close(ended)
	go p.watch(ended)

	done := make(chan []rollout.Result, 1)
	go func() { done <- do(in.ctx, targets, o) }()
	select {
	case results := <-done:
		p.mu.Lock()
		defer p.mu.Unlock()
		p.end()
		return results
	case <-in.leave:
		return p.leftBehind(targets)
	}
}

// both is first and then second, where there is a first.
func both(first, second func(rollout.Event)) func(rollout.Event) {
	if first == nil {
		return second
	}
	return func(e rollout.Event) {
		first(e)
		second(e)
	}
}

// watch ticks until the run has ended.
func (p *Progress) watch(ended <-chan struct{}) {
	every := time.Second
	resumed := make(chan os.Signal, 1)
	if p.screen != nil {
		every = redraw
		signal.Notify(resumed, syscall.SIGCONT)
		defer signal.Stop(resumed)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-resumed:
			p.screen.Resumed()
		case <-tick.C:
			p.tick()
		}
	}
}

// leftBehind is how every host stands when a run is left at once. A host that
// was let go on takes the new rules back by itself.
func (p *Progress) leftBehind(targets []rollout.Target) []rollout.Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
	p.left = true
	results := make([]rollout.Result, len(targets))
	for i, t := range targets {
		s := p.board.seats[i]
		if s.result != nil {
			results[i] = *s.result
			continue
		}
		results[i] = rollout.Result{Name: s.name, Digest: t.Candidate.Rules.Digest, Wave: s.wave + 1, Result: s.left()}
	}
	return results
}

// left is how a host stands that nobody waits for any more.
func (s *seat) left() commit.Result {
	r := commit.Result{Outcome: rollout.OutcomeSkipped, Err: rollout.ErrInterrupted}
	switch {
	case s.undecided() && !s.deadline.IsZero():
		r.Outcome, r.Deadline = commit.OutcomePending, s.deadline
		r.Hint = "reverts by itself by " + report.Clock(s.deadline)
		if !s.drill {
			r.Hint += "; to keep the rules: fwpush confirm " + s.run
		}
	case s.undecided():
		r.Outcome = commit.OutcomeUnknown
		r.Hint = "if the new rules came into force, the host takes them back by itself: fwpush status"
	}
	return r
}

// isInterrupted says whether a host ended because of an interrupt.
func isInterrupted(r rollout.Result) bool { return errors.Is(r.Err, rollout.ErrInterrupted) }
