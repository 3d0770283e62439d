package rollout

import (
	"context"
	"time"

	"fwpush/internal/commit"
)

// pulse keeps a host waiting for the word of its group. The host gives up 120 s after the
// last word it heard, and reverts at its deadline, which is moved once half of the window
// is over. A pulse lasts as long as its Proof and belongs to one goroutine at a time.
type pulse struct {
	*host
	proof *commit.Proof
	timer *time.Timer // until the host must hear something
}

// longest is how long after apply a deadline may be, less what this clock and the host's
// may differ by. A transaction lasts 60 minutes at most; after that the host reverts.
const longest = time.Hour - 10*time.Second

func (h *host) pulse(proof *commit.Proof) *pulse {
	p := &pulse{host: h, proof: proof}
	p.timer = time.NewTimer(p.pause())
	return p
}

// due tells when to beat. Nobody is kept waiting by no pulse.
func (p *pulse) due() <-chan time.Time {
	if p == nil {
		return nil
	}
	return p.timer.C
}

// beat tells the host to go on waiting. An error says that it does not.
func (p *pulse) beat(ctx context.Context) error {
	if err := p.keep(ctx, p.window()/2); err != nil {
		return err
	}
	p.timer.Reset(max(p.pause(), min(time.Second, p.window()/8))) // whatever the host says is left
	return nil
}

// last is the last beat, before another connection has to prove itself: that one shall
// have as much time as the first one had. Where the host does not answer any more it has
// to do with what is left, and shows whether that was the host or only the connection.
func (p *pulse) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_ = p.keep(ctx, 3*p.window()/4)
}

// keep has the host go on waiting, with its deadline moved if no more than least is left
// of it.
func (p *pulse) keep(ctx context.Context, least time.Duration) error {
	if p.left() > least || !p.movable() {
		return p.proof.Hold(ctx)
	}
	more := min(p.window(), time.Until(p.applied.Add(longest)))
	if err := p.proof.Extend(ctx, more); err != nil {
		return err
	}
	p.step(Event{Step: StepExtended, Deadline: p.proof.Deadline()})
	return nil
}

// movable says whether the deadline can still be moved. That of a transaction which
// another run began is left alone: nobody here knows for how long it has been.
func (p *pulse) movable() bool {
	return p.window() > 0 && p.applied.Add(longest).Sub(p.proof.Deadline()) > 2*time.Second
}

// pause is how long the host can be left alone.
func (p *pulse) pause() time.Duration {
	rest := 30 * time.Second
	if p.movable() {
		rest = min(rest, p.window()/4, p.left()-p.window()/2)
	}
	return max(rest, 0)
}

func (p *pulse) left() time.Duration { return time.Until(p.proof.Deadline()) }

// window is that of the transaction, 0 if it is of another run.
func (p *pulse) window() time.Duration { return p.target.Candidate.Window }
