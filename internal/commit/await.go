package commit

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

var (
	// errUntold is a host that claims the end which nobody here has decided on.
	errUntold = errors.New("the host says that it is confirmed, and this run did not tell it to")
	// Of a host that is found to have ended already.
	errFaster = errors.New("the host was faster than the confirm")
	errTaken  = errors.New("the host took the new rules back")
)

// hintHomeless is about a host that runs our old rules again, and not all of those that
// an adoption had taken away.
const hintHomeless = "the last confirmed rules run again, but not all home-made ones could be put back: the newest directory in /var/lib/fwpush/adopted has them"

// over turns the host's word about a finished transaction into an outcome.
// cause is why it was not confirmed, if it was not.
func (p *Pending) over(word string, stage Stage, cause error) Result {
	r := p.result
	r.Deadline = time.Time{}
	state, mark, _ := strings.Cut(word, " ")
	switch {
	case (state == "confirmed" || state == "removed") && !p.told:
		// A lie, or somebody else's doing: nothing of it was proved or tried here.
		r.Outcome, r.Stage, r.Err = OutcomeUnknown, StageConfirm, errUntold
		if cause != nil && cause != errFaster && cause != errTaken {
			r.Err = fmt.Errorf("%w; %w", errUntold, cause)
		}
		r.Hint = "somebody else may have confirmed it: fwpush status"
	case state == "confirmed" || state == "removed":
		r.Outcome, r.Stage, r.Err = OutcomeConfirmed, "", nil
	case mark == "boot":
		r.Outcome, r.Stage, r.Err = OutcomeUnknown, StagePersist, cause
		r.Hint = "the old rules run again, but the boot file could not be put back: a boot would load the new ones; look at the disk of /var/lib/fwpush and apply again"
	case mark == "home":
		r.Outcome, r.Stage, r.Err, r.Hint = OutcomeUnknown, StageRevert, cause, hintHomeless
	case mark == "open":
		r.Outcome, r.Stage, r.Err = OutcomeUnknown, StageRevert, cause
		r.Hint = "the old rules could not be loaded and ours are gone: the host is open; run fwpush apply again"
	case state == "reverted" || state == "drilled":
		r.Outcome, r.Stage, r.Err = OutcomeReverted, stage, cause
		r.Hint = "the host runs its old rules again"
	default:
		r.Outcome, r.Stage, r.Err = OutcomeUnknown, stage, fmt.Errorf("the host says %q: %w", clip(word), cause)
	}
	return r
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
