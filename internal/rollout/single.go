package rollout

import (
	"context"
	"fmt"
	"time"

	"fwpush/internal/commit"
	"fwpush/transport"
)

// Observation is what a host told: Facts, with an empty Outcome. Without Facts
// the Outcome is unreachable, failed or skipped and Err says why.
type Observation struct{ Result }

// Inspect asks every target for its facts: one connection and one execution of
// a program that can change nothing. When ctx is done the hosts in flight are
// given up, since nothing depends on them.
func Inspect(ctx context.Context, targets []Target, o Options) []Observation {
	observations := make([]Observation, len(targets))
	walk(ctx, targets, o, func(ctx context.Context, h *host) commit.Result {
		_, _, r := h.inspect(ctx)
		if r.Err != nil && ctx.Err() != nil {
			return skipped(ErrInterrupted, "")
		}
		return r
	}, func(i int, r Result) { observations[i] = Observation{r} })
	return observations
}

// Examine tries on every target what a push would need: one connection and one
// execution, which leaves nothing on the host. A Result with an empty Outcome has the
// Facts and the Health of its host; one that could not be examined says why not.
func Examine(ctx context.Context, targets []Target, o Options) []Result {
	results := make([]Result, len(targets))
	walk(ctx, targets, o, func(ctx context.Context, h *host) commit.Result {
		r := h.examine(ctx)
		if r.Err != nil && ctx.Err() != nil {
			return skipped(ErrInterrupted, "")
		}
		return r
	}, func(i int, r Result) { results[i] = r })
	return results
}

func (h *host) examine(ctx context.Context) commit.Result {
	conn, err := h.dial(ctx)
	if err != nil {
		return unreachable(err)
	}
	return commit.Examine(ctx, conn, commit.Exam{Want: h.target.want(), Mode: h.target.mode(),
		Policy: h.target.Candidate.Policy, Rules: h.target.Fit})
}

// ConfirmRun finishes a run that was left pending: on every target where it is,
// it repeats the proof of a fresh connection, and the probes unless the decision to
// confirm it is on record, and confirms. A host where that
// run is confirmed already says so again; one that took it back is reverted, with
// an Err; one that it does not concern is skipped, with a nil Err.
func ConfirmRun(ctx context.Context, targets []Target, run string, o Options) []Result {
	return outcomes(ctx, targets, o, func(ctx context.Context, h *host) commit.Result {
		ctx = context.WithoutCancel(ctx)
		conn, f, r := h.inspect(ctx)
		switch {
		case r.Err != nil:
			return r
		case f.Pending != nil && f.Pending.Run == run:
		case f.Meta["run"] == run && f.Stored():
			return commit.ConfirmedBefore(f)
		case revertedBy(run, f):
			return commit.Result{Outcome: commit.OutcomeReverted, Stage: commit.StageConfirm, Facts: &f,
				Err:  fmt.Errorf("the host took the run back %s, a confirm comes too late", f.LastRevert.When.UTC().Format(time.RFC3339)),
				Hint: "apply again"}
		default:
			return unconcerned(run, f)
		}
		h.goOn()
		pending, r := h.takeUp(ctx, conn, f)
		if pending == nil {
			return r
		}
		return h.finish(ctx, pending)
	})
}

// RevertRun fires the reverts of a run that was left pending, on every target
// where it is. A host where the run is confirmed stays confirmed, with an Err.
func RevertRun(ctx context.Context, targets []Target, run string, o Options) []Result {
	return outcomes(ctx, targets, o, func(ctx context.Context, h *host) commit.Result {
		ctx = context.WithoutCancel(ctx)
		conn, f, r := h.inspect(ctx)
		switch {
		case r.Err != nil:
			return r
		case f.Pending != nil && f.Pending.Run == run:
			h.goOn()
			return commit.TakeBack(ctx, conn, f)
		case f.Meta["run"] == run && f.Stored():
			return commit.Result{Outcome: commit.OutcomeConfirmed, Stage: commit.StageRevert, Facts: &f,
				Err: commit.ErrTooLate, Hint: commit.HintTooLate}
		case revertedBy(run, f):
			return commit.Result{Outcome: commit.OutcomeReverted, Facts: &f}
		}
		return unconcerned(run, f)
	})
}

// revertedBy says whether the last revert of the host took that run back.
func revertedBy(run string, f commit.Facts) bool {
	return f.LastRevert != nil && f.LastRevert.Run == run
}

func unconcerned(run string, f commit.Facts) commit.Result {
	r := skipped(nil, fmt.Sprintf("not concerned: run %s is not pending here", run))
	r.Facts = &f
	return r
}

// takeUp goes on with a transaction of a controller that is gone. Where that had decided
// to confirm, it had tried the probes.
func (h *host) takeUp(ctx context.Context, conn *transport.Conn, f commit.Facts) (*commit.Pending, commit.Result) {
	if s, decided := h.options.Decided[h.target.Host.Name]; decided && s.TX == f.Pending.TX {
		return commit.Recall(conn, f, s)
	}
	for _, p := range h.probes() {
		h.trials = append(h.trials, trial{Probe: p}) // how they were before nobody knows
	}
	return commit.Resume(ctx, conn, f)
}

// finish decides a pending transaction of a host that goes by itself.
func (h *host) finish(ctx context.Context, pending *commit.Pending) commit.Result {
	h.apply(pending)
	going, stop := h.options.untilUnwound(ctx)
	defer stop()
	proof, r := pending.Prove(going, h)
	switch {
	case proof != nil:
	case r.Outcome != commit.OutcomePending:
		return r
	case going.Err() != nil:
		return pending.TakeBack(ctx, h, commit.StageConfirm, ErrInterrupted)
	default:
		return pending.Watch(ctx, h, r.Err)
	}
	_, err := h.tryProbes(ctx, going, h.pulse(proof))
	switch {
	case going.Err() != nil:
		return proof.Revert(ctx, h, commit.StageConfirm, ErrInterrupted)
	case err != nil:
		return proof.Revert(ctx, h, commit.StageProbe, err)
	}
	h.options.journal().decide(Commit, []Decided{h.decided(proof, pending)})
	return proof.Commit(ctx, h)
}

// untilUnwound is a context that ends with the second interrupt too.
func (o Options) untilUnwound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-o.Unwind:
			cancel(ErrInterrupted)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}
