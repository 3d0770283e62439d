package commit

import (
	"context"
	"errors"
	"time"

	"fwpush/transport"
)

// Watch gives up on confirming, because of cause, and looks how the host ends: at
// the latest 150 s after the deadline.
func (p *Pending) Watch(ctx context.Context, dial Dialer, cause error) Result {
	p.hangUp()
	return p.await(ctx, dial, StageConfirm, cause)
}

// await looks until the host says how it ended, or 150 s after the deadline.
func (p *Pending) await(ctx context.Context, dial Dialer, stage Stage, cause error) Result {
	end := p.Deadline().Add(afterDeadline)
	// Once in any case: what came before may have taken all the time there was.
	for pause := time.Second; ctx.Err() == nil; pause = min(2*pause, 4*time.Second) {
		conn, err := p.dial(ctx, dial, maxAttempt*8)
		if err == nil {
			r, ok := p.look(ctx, conn, stage, cause)
			conn.Close()
			if ok {
				return r
			}
		}
		if !time.Now().Before(end) {
			break
		}
		sleep(ctx, min(pause, time.Until(end)))
	}
	r := p.result
	r.Outcome, r.Stage, r.Err = OutcomeUnknown, stage, cause
	r.Hint = "the host did not say how it ended; it reverts by itself: fwpush status"
	return r
}

// look asks one connection how the transaction ended.
func (p *Pending) look(ctx context.Context, conn *transport.Conn, stage Stage, cause error) (Result, bool) {
	word, rest, err := ask(ctx, conn, "tell", p.tx)
	if err != nil || word != "over" {
		return Result{}, false // still pending, or not to be understood: look again
	}
	return p.ended(ctx, conn, rest, stage, cause)
}

// ended is over for a word that may not be the last one, or "none": a reboot
// empties /run, and then the outcome stands in what the host stores and runs.
// false: not to be told, or not yet.
func (p *Pending) ended(ctx context.Context, conn *transport.Conn, word string, stage Stage, cause error) (Result, bool) {
	switch word {
	case "none":
	case "confirming", "reverting":
		return Result{}, false // decided, and somebody is at it: look again
	default:
		return p.over(word, stage, cause), true
	}
	f, r := Inspect(ctx, conn, "", ModeSame, "")
	if r.Err != nil || p.result.Facts == nil {
		return Result{}, false
	}
	before := p.result.Facts
	switch {
	case f.Meta["tx"] == p.tx && f.Stored():
		return p.over("confirmed", stage, nil).unlessDrifted(f), true
	case f.BootID != before.BootID:
		r := p.over("reverted", stage, errors.New("the host was rebooted inside the window"))
		asBefore := sameRules(f.Running, before.Running) || before.CanonKnown && before.Generation > 0 && sameRules(f.Running, before.Canon)
		if !asBefore {
			r.Outcome = OutcomeUnknown
			r.Hint = "after the reboot the host does not run what it ran before"
		}
		return r, true
	}
	return p.over(word, stage, cause), true
}

// unlessDrifted is a confirmed result of a host that runs something else by now.
func (r Result) unlessDrifted(f Facts) Result {
	if drifted, known := f.Drifted(); known && drifted && f.Pending == nil {
		r.Stage, r.Err = StagePersist, errors.New("the confirmed rules are stored, and the host runs others")
		r.Hint = "look at the difference: fwpush diff"
	}
	return r
}

// hangUp ends the first connection: by closing it, since a host that nobody can
// reach never answers a goodbye.
func (p *Pending) hangUp() {
	if p.first != nil {
		p.first.conn.Close()
		p.first = nil
	}
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
