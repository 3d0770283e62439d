package commit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"fwpush/transport"
)

// Dialer makes new TCP connections to a host that was reached before: same
// address, same host key. Confirm takes one of these and no connection, so that
// an old connection cannot be what confirms.
type Dialer interface {
	Redial(ctx context.Context, t transport.Target) (*transport.Conn, error)
}

// Timing of the way back in.
const (
	minAttempt = 2 * time.Second
	maxAttempt = 10 * time.Second
	// afterDeadline is how long a host is given to heal itself before it is
	// called unknown: the at job behind a lost watchdog fires within 120 s.
	afterDeadline = 150 * time.Second
	// enough failed logins in a row, with 1 and 2 s in between, are a lock-out
	// and not a server that is busy (MaxStartups, sshd_config(5)).
	enough = 3
)

// Confirm proves that a fresh connection gets in and makes the candidate last.
// It returns when the outcome is known, at the latest 150 s after the deadline.
// ctx should not be one that an interrupt cancels: the host would be left to
// itself, and its outcome unknown.
func (p *Pending) Confirm(ctx context.Context, dial Dialer) Result {
	proof, r := p.Prove(ctx, dial)
	if proof == nil {
		return r
	}
	return proof.Commit(ctx, dial)
}

// Proof is a fresh connection that got in while the candidate was running. The
// host waits on it for the decision, and forgets about it when it ends.
type Proof struct {
	p    *Pending
	conn *transport.Conn
	d    *dialogue
	// Timers is how many of the host's timers still stand. With none left the
	// host would not heal itself.
	Timers int
}

// Prove dials until a fresh connection is in or the time is over. A nil Proof
// comes with the outcome.
func (p *Pending) Prove(ctx context.Context, dial Dialer) (*Proof, Result) {
	stopAt("confirm")
	var cause error
	failures := 0
	for pause := time.Second; ; {
		left := time.Until(p.Deadline())
		if left <= 0 || ctx.Err() != nil {
			break
		}
		proof, decided, err := p.attempt(ctx, dial, left)
		if proof != nil {
			return proof, p.result
		}
		if decided != nil {
			p.hangUp()
			return nil, *decided
		}
		if errors.Is(err, errTryAgain) {
			sleep(ctx, 200*time.Millisecond)
			continue
		}
		cause = err
		if failures++; failures >= enough {
			if r, ok := p.abort(ctx, cause); ok {
				return nil, r
			}
		}
		sleep(ctx, min(pause, time.Until(p.Deadline())))
		pause = min(2*pause, 4*time.Second)
	}
	p.hangUp()
	return nil, p.await(ctx, dial, StageConfirm, fmt.Errorf("no fresh connection got in: %w", cause))
}

// errTryAgain asks for another connection at once: this one may not confirm.
var errTryAgain = errors.New("another connection is needed")

// attempt makes one fresh connection and asks with it.
func (p *Pending) attempt(ctx context.Context, dial Dialer, left time.Duration) (*Proof, *Result, error) {
	conn, err := p.dial(ctx, dial, left)
	if err != nil {
		return nil, nil, err
	}
	keep := false
	defer func() {
		if !keep {
			conn.Close()
		}
	}()
	if p.seal == "" {
		// Begin's answer was lost. Whoever is told the seal may not confirm:
		// this connection may be older than the new rules.
		return nil, p.learn(ctx, conn), errTryAgain
	}
	d, err := start(ctx, conn, p.become, finishProgram(), "confirm", p.tx)
	if err != nil {
		return nil, nil, err
	}
	word, rest, err := d.hear(ctx, wordTime)
	if err == nil && word == "ask" {
		if err = d.say(ctx, p.nonce, p.seal); err == nil {
			word, rest, err = d.hear(ctx, wordTime)
		}
	}
	switch {
	case err != nil:
		return nil, nil, err
	case word == "over":
		r, known := p.ended(ctx, conn, rest, StageConfirm, errors.New("the host was faster than the confirm"))
		if !known {
			return nil, nil, errors.New("the host does not know the transaction")
		}
		return nil, &r, nil
	case word == "refused" && strings.HasPrefix(rest, "fresh this connection"):
		return nil, nil, errTryAgain
	case word == "refused":
		return nil, nil, refusal(rest)
	case word != "fresh":
		return nil, nil, fmt.Errorf("the host said %q instead of fresh", clip(word))
	}
	proof := &Proof{p: p, conn: conn, d: d}
	var seconds string
	if _, err := fmt.Sscan(rest, &seconds, &proof.Timers); err != nil {
		return nil, nil, fmt.Errorf("the host said %q after fresh", clip(rest))
	}
	p.setLeft(seconds)
	keep = true
	return proof, nil, nil
}

func (p *Pending) dial(ctx context.Context, dial Dialer, left time.Duration) (*transport.Conn, error) {
	limit := min(max(left/8, minAttempt), maxAttempt)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return dial.Redial(ctx, p.target)
}

// learn asks a connection that may not confirm for state and seal. A non-nil
// Result means that the transaction is over.
func (p *Pending) learn(ctx context.Context, conn *transport.Conn) *Result {
	word, rest, err := ask(ctx, conn, p.become, "tell", p.tx)
	if err != nil {
		return nil
	}
	switch word {
	case "state":
		if words := strings.Fields(rest); len(words) == 4 && words[0] == "applied" {
			p.setLeft(words[1])
			if words[3] != "-" {
				p.nonce, p.seal = words[2], words[3]
			}
		}
	case "over":
		if r, known := p.ended(ctx, conn, rest, StageApply, errors.New("the host took the new rules back")); known {
			return &r
		}
	}
	return nil
}

// ask runs one verb of the finish program and returns its first word.
func ask(ctx context.Context, conn *transport.Conn, become, verb, tx string) (word, rest string, err error) {
	d, err := start(ctx, conn, become, finishProgram(), verb, tx)
	if err != nil {
		return "", "", err
	}
	defer d.close()
	return d.hear(ctx, stageTime)
}

// abort asks for the revert over the first connection, which the new rules may
// still let through although nobody else gets in. It saves the rest of the
// window; if nobody hears it the timers do the same.
func (p *Pending) abort(ctx context.Context, cause error) (Result, bool) {
	first := p.first
	if first == nil {
		return Result{}, false
	}
	p.first = nil
	defer first.conn.Close()
	if err := first.dialogue.say(ctx, "revert"); err != nil {
		return Result{}, false
	}
	word, rest, err := first.dialogue.hear(ctx, stageTime)
	if err != nil {
		return Result{}, false
	}
	lockedOut := fmt.Errorf("no fresh connection got in: %w", cause)
	switch word {
	case "reverted":
		return p.over("reverted", StageConfirm, lockedOut), true
	case "open":
		return p.over("reverting open", StageConfirm, fmt.Errorf("%w; %s", lockedOut, rest)), true
	}
	return Result{}, false
}

// over turns the host's word about a finished transaction into an outcome.
// cause is why it was not confirmed, if it was not.
func (p *Pending) over(word string, stage Stage, cause error) Result {
	r := p.result
	r.Deadline = time.Time{}
	state, open, _ := strings.Cut(word, " ")
	switch {
	case state == "confirmed" || state == "removed":
		r.Outcome, r.Stage, r.Err = OutcomeConfirmed, "", nil
	case open == "open":
		r.Outcome, r.Stage, r.Err = OutcomeUnknown, StageRevert, cause
		r.Hint = "the old rules could not be loaded and table inet fwpush is gone: the host is open; run fwpush apply again"
	case state == "reverted":
		r.Outcome, r.Stage, r.Err = OutcomeReverted, stage, cause
		r.Hint = "the host runs its old rules again"
	default:
		r.Outcome, r.Stage, r.Err = OutcomeUnknown, stage, fmt.Errorf("the host says %q: %w", clip(word), cause)
	}
	return r
}

// Commit makes the candidate last. The host decides: only its own word
// `confirmed` is success.
func (f *Proof) Commit(ctx context.Context, dial Dialer) Result {
	defer f.conn.Close()
	defer f.p.hangUp()
	stopAt("commit")
	word, rest := "", ""
	err := f.d.say(ctx, "commit")
	if err == nil {
		word, rest, err = f.d.hear(ctx, stageTime)
	}
	switch {
	case err != nil:
		return f.p.await(ctx, dial, StageConfirm, fmt.Errorf("the answer to commit was lost: %w", err))
	case word == "over":
		return f.p.over(rest, StagePersist, errors.New("the host could not make the rules last"))
	case word == "refused":
		return f.p.takeBack(ctx, f.conn, dial, refusal(rest))
	}
	return f.p.await(ctx, dial, StageConfirm, fmt.Errorf("the host said %q to commit", clip(word)))
}

// Revert takes the candidate back now, because of cause.
func (f *Proof) Revert(ctx context.Context, dial Dialer, stage Stage, cause error) Result {
	defer f.conn.Close()
	defer f.p.hangUp()
	err := f.d.say(ctx, "revert")
	if err == nil {
		var word, rest string
		if word, rest, err = f.d.hear(ctx, stageTime); err == nil && word == "over" {
			return f.p.over(rest, stage, cause)
		}
	}
	return f.p.await(ctx, dial, stage, cause)
}

// Extend moves the deadline to d from now, on the host; 60 minutes after apply
// at most. On an error the old deadline stands.
func (f *Proof) Extend(ctx context.Context, d time.Duration) error {
	if err := f.d.say(ctx, "extend", fmt.Sprint(int(d/time.Second))); err != nil {
		return err
	}
	word, rest, err := f.d.hear(ctx, stageTime)
	if err != nil {
		return err
	}
	if word != "extended" {
		return refusal(rest)
	}
	seconds, _, _ := strings.Cut(rest, " ")
	f.p.setLeft(seconds)
	return nil
}

// Close leaves the decision to the host's timers, or to a later confirm.
func (f *Proof) Close() {
	f.conn.Close()
	f.p.hangUp()
}

// takeBack asks for the revert over conn, which is in, and looks at the result.
func (p *Pending) takeBack(ctx context.Context, conn *transport.Conn, dial Dialer, refused *refusedError) Result {
	word, rest, err := ask(ctx, conn, p.become, "revert", p.tx)
	if err != nil || word != "over" {
		return p.await(ctx, dial, refused.stage, refused)
	}
	return p.over(rest, refused.stage, refused)
}

// await looks until the host says how it ended, or 150 s after the deadline.
func (p *Pending) await(ctx context.Context, dial Dialer, stage Stage, cause error) Result {
	end := p.Deadline().Add(afterDeadline)
	for pause := time.Second; ctx.Err() == nil && time.Now().Before(end); pause = min(2*pause, 4*time.Second) {
		conn, err := p.dial(ctx, dial, maxAttempt*8)
		if err == nil {
			r, ok := p.look(ctx, conn, stage, cause)
			conn.Close()
			if ok {
				return r
			}
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
	word, rest, err := ask(ctx, conn, p.become, "tell", p.tx)
	if err != nil || word != "over" {
		return Result{}, false // still pending, or not to be understood: look again
	}
	return p.ended(ctx, conn, rest, stage, cause)
}

// ended is over for a word that may be "none": a reboot empties /run, and then
// the outcome stands in what the host stores and runs. false: not to be told.
func (p *Pending) ended(ctx context.Context, conn *transport.Conn, word string, stage Stage, cause error) (Result, bool) {
	if word != "none" {
		return p.over(word, stage, cause), true
	}
	f, r := Inspect(ctx, conn, p.become)
	if r.Err != nil || p.result.Facts == nil {
		return Result{}, false
	}
	before := p.result.Facts
	switch {
	case f.Meta["tx"] == p.tx:
		return p.over("confirmed", stage, nil), true
	case f.BootID != before.BootID:
		r := p.over("reverted", stage, errors.New("the host was rebooted inside the window"))
		if !sameRules(f.Running, before.Running) && !sameRules(f.Running, before.Canon) {
			r.Outcome = OutcomeUnknown
			r.Hint = "after the reboot the host does not run what it ran before"
		}
		return r, true
	}
	return p.over(word, stage, cause), true
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
