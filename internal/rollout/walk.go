package rollout

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"fwpush/internal/commit"
)

// work is what is done with one host.
type work func(ctx context.Context, h *host) commit.Result

// walk does work for every target, Forks at a time, each for itself, and hands each
// Result to done, in the order in which hosts end. Events and results are handed over by
// the calling goroutine. Once ctx is done no host is started any more.
//
// The group is one without a context: a context of errgroup.WithContext would
// end all transactions as soon as one host fails.
func walk(ctx context.Context, targets []Target, o Options, do work, done func(index int, r Result)) {
	events := newQueue()
	index := make(map[string]int, len(targets))
	for i, t := range targets {
		index[t.Host.Name] = i
	}
	go func() {
		defer events.close()
		var group errgroup.Group
		group.SetLimit(max(1, o.Forks))
		for _, t := range targets {
			group.Go(func() error {
				h := &host{target: t, options: o, wave: 1, tell: events.put}
				r := h.run(ctx, do)
				h.tell(Event{Host: r.Name, Step: StepEnded, Result: &r})
				return nil // how a host ended is its Result
			})
		}
		_ = group.Wait() // nothing but nil is returned above
	}()
	events.each(func(e Event) {
		if e.Result != nil {
			done(index[e.Host], *e.Result)
		}
		if o.Event != nil {
			o.Event(e)
		}
	})
}

// outcomes is walk for runs of which only the outcomes are kept: facts hold the
// host's rules several times over.
func outcomes(ctx context.Context, targets []Target, o Options, do work) []Result {
	results := make([]Result, len(targets))
	walk(ctx, targets, o, do, func(i int, r Result) {
		r.Facts, r.Back = nil, nil
		results[i] = r
	})
	return results
}

// contained keeps a panic of f, a bug in what tells of hosts, from ending the
// transactions of all of them.
func contained(f func()) {
	defer func() { _ = recover() }()
	f()
}

// run does work with one host and makes a Result of whatever happens.
func (h *host) run(ctx context.Context, do work) (r Result) {
	r = Result{Name: h.target.Host.Name, Digest: h.target.Candidate.Rules.Digest, Wave: h.wave}
	if ctx.Err() != nil {
		r.Result = skipped(ErrInterrupted, "")
		return r
	}
	began := time.Now()
	defer func() {
		if p := recover(); p != nil {
			r.Result = h.panicked(p)
			if h.seat != nil {
				h.seat.fail(r.Err) // its group need not wait for what comes now
			}
			// What the host came to is still to be seen.
			contained(func() { r.Result = h.watched(ctx, r.Result) })
		}
		contained(func() { r.learn(h.target) })
		if h.target.Past != nil && r.Facts != nil {
			back := h.target
			r.Back = &back
		}
		r.Connections, r.Execs = h.hangUp()
		r.Took = time.Since(began)
	}()
	h.step(Event{Step: StepConnecting})
	r.Result = do(ctx, h)
	return r
}
