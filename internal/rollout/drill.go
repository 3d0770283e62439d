package rollout

import (
	"context"
	"errors"

	"fwpush/internal/commit"
)

// Drill proves on every target that its host takes new rules back by itself: what the
// host runs is applied with a marker that means nothing, and nobody confirms it. A host
// that others are reached through comes after all of these. Hosts go by themselves: one
// that fails is no reason for another not to be tried. A proved one is reverted, without
// an Err.
//
// When ctx is done no host is started any more, and those under way end by themselves;
// once Unwind is closed they are asked to.
func Drill(ctx context.Context, targets []Target, o Options) []Result {
	if o.Waves == nil {
		o.Waves, _ = Waves(targets, Strategy{}) // without a canary there is no error
	}
	results := make([]Result, len(targets))
	for n, w := range o.Waves {
		some := make([]Target, len(w.Targets))
		for i, index := range w.Targets {
			some[i] = targets[index]
		}
		o := o
		if tell := o.Event; tell != nil {
			o.Event = func(e Event) {
				e.Wave = n + 1
				if e.Result != nil {
					r := *e.Result
					r.Wave = n + 1
					e.Result = &r
				}
				tell(e)
			}
			if ctx.Err() == nil {
				names := make([]string, len(some))
				for i, t := range some {
					names[i] = t.Host.Name
				}
				o.Event(Event{Step: StepWave, Hosts: names})
			}
		}
		for i, r := range outcomes(ctx, some, o, func(ctx context.Context, h *host) commit.Result { return h.drill(ctx) }) {
			r.Wave = n + 1
			results[w.Targets[i]] = r
		}
	}
	return results
}

// drill takes one host through its drill. It is not for an interrupt to end it: what
// began ends on the host.
func (h *host) drill(ctx context.Context) commit.Result {
	ctx = context.WithoutCancel(ctx)
	going, stop := h.options.untilUnwound(ctx)
	defer stop()
	conn, err := h.dial(ctx)
	if err != nil {
		return unreachable(err)
	}
	marker := ""
	c := h.target.Candidate
	c.Drill, c.Want, c.Mode = true, "", commit.ModeSame
	c.Judge = func(f commit.Facts) (v commit.Verdict) {
		v, marker = h.target.judgeDrill(f)
		return v
	}
	c.Gate = func(context.Context) error {
		if err := context.Cause(going); err != nil {
			return err
		}
		// As for a group: where the record cannot be written nothing is changed.
		if err := h.options.journal().applying(h.wave, []string{h.target.Host.Name}); err != nil {
			return err
		}
		h.goOn()
		return nil
	}
	pending, r := commit.Begin(ctx, conn, c)
	if pending == nil {
		if r.Outcome == commit.OutcomeFailed && errors.Is(r.Err, ErrInterrupted) {
			r.Outcome = OutcomeSkipped
		}
		return r
	}
	h.apply(pending)
	return pending.Drill(ctx, going, h, marker)
}

// judgeDrill answers a host's facts: whether it is ours, and as it was confirmed.
func (t Target) judgeDrill(f commit.Facts) (v commit.Verdict, marker string) {
	if alien := t.notOurs(f); alien != nil {
		return commit.Verdict{Err: alien, Hint: "a drill is for hosts of this fleet"}, ""
	}
	rules, marker, err := f.Marked()
	if err != nil {
		return commit.Verdict{Err: err, Hint: "a drill tries what a host is known to go back to: fwpush apply first"}, ""
	}
	return commit.Verdict{Act: commit.Go, Rules: rules}, marker
}
