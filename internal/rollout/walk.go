package rollout

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"fwpush/internal/commit"
)

// note is an event on its way from a worker to the collector.
type note struct {
	index int
	Event
}

// work is what is done with one host.
type work func(ctx context.Context, h *host) commit.Result

// walk does work for every target, Forks at a time, and hands each Result to
// done, in the order in which hosts end. Events and results are handed over by
// the calling goroutine. Once ctx is done no host is started any more.
//
// The group is one without a context: a context of errgroup.WithContext would
// end all transactions as soon as one host fails.
func walk(ctx context.Context, targets []Target, o Options, do work, done func(index int, r Result)) {
	// There is room for every event, so that no transaction ever waits for a
	// slow terminal.
	notes := make(chan note, stepsPerHost*len(targets))
	go func() {
		var group errgroup.Group
		group.SetLimit(max(1, o.Forks))
		for i, t := range targets {
			group.Go(func() error {
				h := &host{target: t, options: o, tell: func(e Event) { notes <- note{i, e} }}
				r := h.run(ctx, do)
				h.tell(Event{Host: r.Name, Step: StepEnded, Result: &r})
				return nil // how a host ended is its Result
			})
		}
		group.Wait()
	}()
	for ended := 0; ended < len(targets); {
		n := <-notes
		if o.Event != nil {
			contained(func() { o.Event(n.Event) })
		}
		if n.Result != nil {
			done(n.index, *n.Result)
			ended++
		}
	}
}

// outcomes is walk for runs of which only the outcomes are kept: facts hold the
// host's rules several times over.
func outcomes(ctx context.Context, targets []Target, o Options, do work) []Result {
	results := make([]Result, len(targets))
	walk(ctx, targets, o, do, func(i int, r Result) {
		r.Facts = nil
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
	r = Result{Name: h.target.Host.Name, Digest: h.target.Candidate.Rules.Digest, Wave: 1}
	if ctx.Err() != nil {
		r.Result = skipped(ErrInterrupted, "")
		return r
	}
	began := time.Now()
	defer func() {
		if p := recover(); p != nil {
			r.Result = h.panicked(p)
			// What the host came to is still to be seen.
			contained(func() { r.Result = h.watched(ctx, r.Result) })
		}
		contained(func() { r.learn(h.target) })
		r.Connections, r.Execs = h.hangUp()
		r.Took = time.Since(began)
	}()
	h.tell(Event{Host: r.Name, Step: StepConnecting})
	r.Result = do(ctx, h)
	return r
}
