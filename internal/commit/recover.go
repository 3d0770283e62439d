package commit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"fwpush/transport"
)

// Resume takes up a transaction that another controller left pending. conn is
// told the secrets and may therefore not confirm; Confirm dials again.
func Resume(ctx context.Context, conn *transport.Conn, f Facts) (*Pending, Result) {
	if f.Pending == nil {
		return nil, failed(StageInspect, errors.New("nothing is pending on this host"), "")
	}
	h := *f.Pending
	p := &Pending{
		tx: h.TX, target: conn.Pinned(),
		result: Result{Outcome: OutcomePending, Facts: &f, Deadline: time.Now().Add(h.Left)},
		most:   maxWindow * time.Second,
		told:   true,
	}
	word, rest, err := ask(ctx, conn, "tell", h.TX)
	switch {
	case err != nil:
		return nil, beginTrouble(StageInspect, err)
	case word == "over":
		return nil, p.over(rest, StageConfirm, errors.New("the host was faster"))
	case word != "state":
		return nil, failed(StageInspect, refusal(rest), "")
	}
	words := strings.Fields(rest)
	if len(words) != 4 || words[0] != "applied" || words[3] == "-" {
		return nil, failed(StageConfirm, fmt.Errorf("the transaction is %s: there is nothing to confirm yet", h.State), "it ends by itself")
	}
	p.setLeft(words[1])
	p.nonce, p.seal = words[2], words[3]
	return p, p.result
}

// ConfirmedBefore is the result for a host that stores what was to be confirmed; an
// Err says that it runs something else by now.
func ConfirmedBefore(f Facts) Result {
	return Result{Outcome: OutcomeConfirmed, Facts: &f}.unlessDrifted(f)
}

// Secrets are what the host asks of a connection that wants to confirm: they fence
// transactions against each other and keep nobody out who is root there.
type Secrets struct {
	TX, Nonce, Seal string
}

// Secrets are those of this transaction, for a record that outlives this process.
func (p *Pending) Secrets() Secrets { return Secrets{p.tx, p.nonce, p.seal} }

// Recall takes up a transaction whose secrets were recorded. conn is the one that told
// the facts, which must be of that transaction.
func Recall(conn *transport.Conn, f Facts, s Secrets) (*Pending, Result) {
	if f.Pending == nil || f.Pending.TX != s.TX || s.Nonce == "" || s.Seal == "" {
		return nil, failed(StageInspect, errors.New("the recorded transaction is not pending on this host"), "")
	}
	p := &Pending{
		tx: s.TX, nonce: s.Nonce, seal: s.Seal, target: conn.Pinned(),
		result: Result{Outcome: OutcomePending, Facts: &f, Deadline: time.Now().Add(f.Pending.Left)},
		most:   maxWindow * time.Second,
		told:   true,
	}
	return p, p.result
}

// TakeBack asks for the revert now, because of cause: over the first connection if that
// still reaches the host, else over new ones until the deadline. It returns when the
// outcome is known, at the latest 150 s after the deadline.
func (p *Pending) TakeBack(ctx context.Context, dial Dialer, stage Stage, cause error) Result {
	p.told = false
	if r, ok := p.abort(ctx, stage, cause); ok {
		return r
	}
	for pause := time.Second; ctx.Err() == nil && time.Now().Before(p.Deadline()); pause = min(2*pause, 4*time.Second) {
		if conn, err := p.dial(ctx, dial, time.Until(p.Deadline())); err == nil {
			word, rest, err := ask(ctx, conn, "revert", p.tx)
			if err == nil && word == "over" {
				if r, known := p.ended(ctx, conn, rest, stage, cause); known {
					conn.Close()
					return r
				}
			}
			conn.Close()
		}
		sleep(ctx, min(pause, time.Until(p.Deadline())))
	}
	return p.await(ctx, dial, stage, cause)
}

// ErrTooLate and HintTooLate are about a host that is confirmed where a revert was asked for.
var ErrTooLate = errors.New("the run is confirmed here, a revert comes too late")

const HintTooLate = "fwpush rollback goes back to the rules before it"

// TakeBack fires the revert of a pending transaction now.
func TakeBack(ctx context.Context, conn *transport.Conn, f Facts) Result {
	if f.Pending == nil {
		return failed(StageInspect, errors.New("nothing is pending on this host"), "")
	}
	p := &Pending{tx: f.Pending.TX, result: Result{Facts: &f}, told: true}
	word, rest, err := ask(ctx, conn, "revert", p.tx)
	if err != nil || word != "over" {
		if err == nil {
			err = refusal(rest)
		}
		return Result{Outcome: OutcomeUnknown, Stage: StageRevert, Err: err, Facts: &f,
			Hint: "it reverts by itself at its deadline: fwpush status"}
	}
	r := p.over(rest, StageRevert, nil)
	switch r.Outcome {
	case OutcomeReverted:
		r.Stage, r.Hint = "", ""
	case OutcomeConfirmed: // since the facts were told
		r.Stage, r.Err, r.Hint = StageRevert, ErrTooLate, HintTooLate
	}
	return r
}
