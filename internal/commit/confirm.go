package commit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"fwpush/internal/stop"
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
	// abortTime is how long the first connection may take to answer a revert; it
	// is heard within milliseconds or never.
	abortTime = 15 * time.Second
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
	switch {
	case proof != nil:
		return proof.Commit(ctx, dial)
	case r.Outcome == OutcomePending:
		return p.Watch(ctx, dial, r.Err)
	}
	return r
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

// Prove dials until a fresh connection is in, the time is over or ctx is done. A nil
// Proof comes with the outcome; where that is pending nobody got in, Err says why, and
// Watch or TakeBack find out how the host ends. A Proof does not depend on ctx. Prove may
// be called again while an earlier Proof stands: each is a connection of its own.
func (p *Pending) Prove(ctx context.Context, dial Dialer) (*Proof, Result) {
	stop.At("confirm")
	cause := ErrUntried
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
		if errors.Is(err, errTold) {
			continue // at once: the next connection may confirm
		}
		if ctx.Err() != nil {
			break // an attempt that was given up says nothing
		}
		cause = err
		if !errors.Is(err, errNotYet) && !errors.Is(err, transport.ErrBusy) {
			failures++
		}
		if failures >= enough {
			if r, ok := p.abort(ctx, StageConfirm, fmt.Errorf("no fresh connection got in: %w", cause)); ok {
				return nil, r
			}
		}
		sleep(ctx, min(pause, time.Until(p.Deadline())))
		pause = min(2*pause, 4*time.Second)
	}
	r := p.result
	r.Stage, r.Err = StageConfirm, fmt.Errorf("no fresh connection got in: %w", cause)
	return nil, r
}

// ErrUntried is why nobody got in where nobody tried to the end.
var ErrUntried = errors.New("there was no time for one")

var (
	// errTold: this connection was told the seal and may not confirm.
	errTold = errors.New("another connection is needed")
	// errNotYet: the host was reached and has nothing to confirm yet.
	errNotYet = errors.New("the host is still applying")
)

// attempt makes one fresh connection and asks with it.
func (p *Pending) attempt(ctx context.Context, dial Dialer, left time.Duration) (*Proof, *Result, error) {
	conn, err := p.dial(ctx, dial, left)
	if err != nil {
		return nil, nil, err
	}
	ctx = context.WithoutCancel(ctx) // what comes now is bounded by itself
	keep := false
	defer func() {
		if !keep {
			conn.Close()
		}
	}()
	if p.seal == "" {
		// Begin's answer was lost. Whoever is told the seal may not confirm:
		// this connection may be older than the new rules.
		r, err := p.learn(ctx, conn)
		return nil, r, err
	}
	d, err := start(ctx, conn, finishProgram(), "confirm", p.tx)
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
		r, known := p.ended(ctx, conn, rest, StageConfirm, errFaster)
		if !known {
			return nil, nil, fmt.Errorf("%w: it says %q", errNotYet, clip(rest))
		}
		return nil, &r, nil
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
	if proof.Timers == 0 {
		p.result.Notes = append(p.result.Notes, "no timer of the host was left to take the rules back when they were confirmed")
	}
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
// Result means that the transaction is over; the error says why not, errTold
// that the seal is known now.
func (p *Pending) learn(ctx context.Context, conn *transport.Conn) (*Result, error) {
	word, rest, err := ask(ctx, conn, "tell", p.tx)
	switch {
	case err != nil:
		return nil, err
	case word == "state":
		words := strings.Fields(rest)
		if len(words) != 4 || words[0] != "applied" || words[3] == "-" {
			return nil, fmt.Errorf("%w: %q", errNotYet, clip(rest))
		}
		p.setLeft(words[1])
		p.nonce, p.seal = words[2], words[3]
		return nil, errTold
	case word == "over":
		r, known := p.ended(ctx, conn, rest, StageApply, errTaken)
		if !known {
			return nil, fmt.Errorf("%w: it says %q", errNotYet, clip(rest))
		}
		return &r, nil
	}
	return nil, refusal(rest)
}

// ask runs one verb of the finish program and returns its first word.
func ask(ctx context.Context, conn *transport.Conn, verb, tx string) (word, rest string, err error) {
	d, err := start(ctx, conn, finishProgram(), verb, tx)
	if err != nil {
		return "", "", err
	}
	defer d.close()
	return d.hear(ctx, stageTime)
}

// abort asks for the revert over the first connection, which the new rules may
// still let through although nobody else gets in. It saves the rest of the
// window; if nobody hears it the timers do the same.
func (p *Pending) abort(ctx context.Context, stage Stage, cause error) (Result, bool) {
	first := p.first
	if first == nil {
		return Result{}, false
	}
	p.first = nil
	defer first.conn.Close()
	// Whoever gives up meanwhile wants the same, and this says it soonest.
	ctx = context.WithoutCancel(ctx)
	if err := first.dialogue.send(ctx, []byte("revert\n"), abortTime); err != nil {
		return Result{}, false
	}
	for end := time.Now().Add(abortTime); ; {
		word, rest, err := first.dialogue.hear(ctx, time.Until(end))
		switch {
		case err != nil:
			return Result{}, false
		case word == "reverted":
			return p.over("reverted", stage, cause), true
		case word == "open":
			return p.over("reverting open", stage, fmt.Errorf("%w; %s", cause, rest)), true
		case word == "homeless":
			return p.over("reverted home", stage, cause), true
		}
		// What the host said before it heard of the revert: applied, late.
	}
}

// Commit makes the candidate last. The host decides: only its own word
// `confirmed` is success.
func (f *Proof) Commit(ctx context.Context, dial Dialer) Result {
	defer f.conn.Close()
	defer f.p.hangUp()
	stop.At("commit")
	f.p.told = true
	word, rest := "", ""
	err := f.d.say(ctx, "commit")
	if err == nil {
		word, rest, err = f.d.hear(ctx, stageTime)
	}
	switch {
	case err != nil:
		return f.p.await(ctx, dial, StageConfirm, fmt.Errorf("the answer to commit was lost: %w", err))
	case word == "over":
		cause := errors.New("the host could not make the rules last")
		if r, known := f.p.ended(ctx, f.conn, rest, StagePersist, cause); known {
			return r
		}
		return f.p.await(ctx, dial, StagePersist, cause)
	case word == "refused":
		return f.p.takeBack(ctx, f.conn, dial, refusal(rest))
	}
	return f.p.await(ctx, dial, StageConfirm, fmt.Errorf("the host said %q to commit", clip(word)))
}

// Revert takes the candidate back now, because of cause: over this connection, or if it
// is lost over others.
func (f *Proof) Revert(ctx context.Context, dial Dialer, stage Stage, cause error) Result {
	defer f.conn.Close()
	defer f.p.hangUp()
	f.p.told = false
	err := f.d.say(ctx, "revert")
	if err == nil {
		var word, rest string
		if word, rest, err = f.d.hear(ctx, stageTime); err == nil && word == "over" {
			if r, known := f.p.ended(ctx, f.conn, rest, stage, cause); known {
				return r
			}
		}
	}
	return f.p.TakeBack(ctx, dial, stage, cause)
}

// Evidence is what a Proof is: who got in how, and what still guards the host.
type Evidence struct {
	Client, Server string        // both ends of the fresh connection, as this machine sees them; of what is behind a jump host, as that does
	Left           time.Duration // until the host reverts
	Timers         int           // of the host that still stand
}

// Evidence tells what got in, as of now.
func (f *Proof) Evidence() Evidence {
	return Evidence{Client: f.conn.LocalAddr().String(), Server: f.conn.Peer().Addr,
		Left: time.Until(f.p.Deadline()).Round(time.Second), Timers: f.Timers}
}

// Conn is the fresh connection, for what has to be tried on the host itself. It ends
// with the Proof.
func (f *Proof) Conn() *transport.Conn { return f.conn }

// Deadline is when the host reverts unless it is told otherwise.
func (f *Proof) Deadline() time.Time { return f.p.Deadline() }

// Hold keeps the host waiting for a decision: it waits 120 s for each word. An error
// says that it does not wait any more.
func (f *Proof) Hold(ctx context.Context) error {
	// A deadline that is no later than the one there is changes nothing.
	return f.Extend(ctx, minExtension)
}

// minExtension is the least that a host takes, in scripts/finish.sh.
const minExtension = 2 * time.Second

// Extend moves the deadline to d from now, on the host, in whole seconds; 60 minutes
// after apply at most. It never makes it earlier. On an error the old deadline stands.
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
	f.p.most = max(f.p.most, d)
	f.p.setLeft(seconds)
	return nil
}

// Close leaves the decision to another Proof, a later confirm, or the host's timers.
func (f *Proof) Close() { f.conn.Close() }

// takeBack asks for the revert over conn, which is in, and looks at the result.
func (p *Pending) takeBack(ctx context.Context, conn *transport.Conn, dial Dialer, refused *refusedError) Result {
	word, rest, err := ask(ctx, conn, "revert", p.tx)
	if err == nil && word == "over" {
		if r, known := p.ended(ctx, conn, rest, refused.stage, refused); known {
			return r.doubted(refused)
		}
	}
	return p.await(ctx, dial, refused.stage, refused).doubted(refused)
}

// doubted is a result after a refusal: a host that decided to confirm and then
// found fault with what it had made last is no success.
func (r Result) doubted(refused *refusedError) Result {
	if r.Outcome == OutcomeConfirmed {
		r.Outcome, r.Stage, r.Err = OutcomeUnknown, refused.stage, refused
		r.Hint = "the new rules run, but would perhaps not come back after a reboot: apply again"
	}
	return r
}
