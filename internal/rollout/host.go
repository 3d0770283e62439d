package rollout

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"fwpush/internal/commit"
	"fwpush/render"
	"fwpush/transport"
)

// host is one host while it is worked on, by one goroutine. It is the
// commit.Dialer of its transaction, to count connections and to leave none
// open.
type host struct {
	target  Target
	options Options
	wave    int
	seat    *seat  // in its commit group; nil for a host that goes by itself
	early   *login // begun before its turn, nil if none was
	tell    func(Event)

	conns  []*transport.Conn // logged in, closed or not
	failed int               // TCP connections that came to no login
	going  atomic.Bool       // the host was let go on to arm and apply

	trials  []trial
	notes   []string        // of the latest tries
	applied time.Time       // no later than that
	pending *commit.Pending // applied, and not yet known how it ends
}

// step tells of this host.
func (h *host) step(e Event) {
	e.Host, e.Wave = h.target.Host.Name, h.wave
	h.tell(e)
}

// dial is the connection that the host's transaction begins on: the one that was begun before its turn,
// if that holds.
func (h *host) dial(ctx context.Context) (*transport.Conn, error) {
	if l := h.early; l != nil {
		h.early = nil
		conn, holds, err := l.dialed()
		if conn, err = h.count(conn, err); holds {
			return conn, err
		}
		if conn != nil {
			conn.Close()
		}
	}
	return h.count(h.options.Dialer.Dial(ctx, h.target.Host.SSH))
}

// Redial opens another connection to a host that was reached before.
func (h *host) Redial(ctx context.Context, t transport.Target) (*transport.Conn, error) {
	return h.count(h.options.Dialer.Redial(ctx, t))
}

func (h *host) count(conn *transport.Conn, err error) (*transport.Conn, error) {
	switch {
	case err == nil:
		h.conns = append(h.conns, conn)
		h.failed += conn.Tries() - 1
	case connected(err):
		h.failed += dials(err)
	}
	return conn, err
}

// dials is how many connections there were before a login was given up.
func dials(err error) int {
	var dial *transport.DialError
	if errors.As(err, &dial) && dial.Tries > 1 {
		return dial.Tries
	}
	return 1
}

// connected says whether a login failed after the connection to the host was there. That
// to a jump host does not count, and neither do its key and what it said to ours.
func connected(err error) bool {
	var dial *transport.DialError
	var key *transport.HostKeyError
	var auth *transport.AuthError
	switch {
	case errors.As(err, &dial):
		return dial.Reached()
	case errors.As(err, &auth):
		return len(auth.Tried)+len(auth.Methods) > 0 // else there was no key to go with
	}
	return errors.As(err, &key)
}

// hangUp closes what is still open, at once: a locked-out host would not answer
// a goodbye. It returns the number of connections and of executions on them.
func (h *host) hangUp() (connections, execs int) {
	for _, conn := range h.conns {
		conn.Close()
		execs += conn.Execs()
	}
	return len(h.conns) + h.failed, execs
}

// candidate is the target's, with what this package decides.
func (h *host) candidate() commit.Candidate {
	c := h.target.Candidate
	c.Want, c.Mode = h.target.want(), h.target.mode()
	c.AcceptStuckRevert = h.options.Accept.StuckRevert
	c.Judge = func(f commit.Facts) commit.Verdict { return h.target.Judge(f, h.options.Accept) }
	c.Gate = h.gate
	return c
}

// gate is the last moment at which nothing has been decided on the host: the probes are
// tried as they are without the new rules, and the group is waited for. Package commit
// keeps the host waiting meanwhile, and ends ctx if it does not wait any more.
func (h *host) gate(ctx context.Context) error {
	if err := h.seat.given(); err != nil {
		return err
	}
	trying, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(h.seat.going, func() { stop(context.Cause(h.seat.going)) })()
	h.trials = firstTries(trying, h.probes(), h.conns[len(h.conns)-1]) // that is Begin's
	if trying.Err() != nil {
		return context.Cause(trying)
	}
	h.step(Event{Step: StepReady})
	if _, err := h.seat.arrive(ctx, atGate, Decided{}, nil); err != nil {
		return err
	}
	h.goOn()
	return nil
}

// goOn marks that from here on something may change on the host.
func (h *host) goOn() {
	h.applied = time.Now()
	h.going.Store(true)
	h.step(Event{Step: StepChecked})
}

// unwinding says whether the second interrupt has come.
func (o Options) unwinding() bool {
	select {
	case <-o.Unwind:
		return true
	default:
		return false
	}
}

// commit takes the host through its confirmed commit, as one of its group. ctx must not
// be one that an interrupt cancels: it would leave the host to its timers.
func (h *host) commit(ctx context.Context) commit.Result {
	conn, err := h.dial(ctx)
	if err != nil {
		return unreachable(err)
	}
	if r, ok := h.recall(ctx, conn); !ok {
		return r
	}
	pending, r := commit.Begin(ctx, conn, h.candidate())
	if pending == nil {
		if r.Outcome == commit.OutcomeFailed && (errors.Is(r.Err, ErrInterrupted) || errors.Is(r.Err, ErrStopped)) {
			r.Outcome = OutcomeSkipped
		}
		return r
	}
	h.apply(pending)
	waits, r := h.prove(ctx, pending)
	for waits != nil {
		proof := waits.proof
		word, err := h.seat.arrive(ctx, isIn, h.decided(proof, pending), waits)
		if err == nil && word == proveAgain {
			waits.last(ctx)
		}
		switch {
		case err != nil && h.seat.given() != nil:
			return proof.Revert(ctx, h, commit.StageConfirm, err)
		case err != nil:
			err = fmt.Errorf("the host stopped waiting for the decision: %w", err)
			h.seat.fail(err)
			return pending.TakeBack(ctx, h, commit.StageConfirm, err)
		case word == makeItLast:
			r = proof.Commit(ctx, h)
			r.Notes = append(r.Notes, h.notes...)
			return r
		case word == leavePending:
			r.Hint = "reverts by itself unless it is confirmed before"
			r.Deadline, r.Notes = pending.Deadline(), append(r.Notes, h.notes...)
			return r
		}
		// The rules have held for a while: they must still let somebody in.
		waits, r = h.prove(ctx, pending)
	}
	return r
}

// recall finds out what the host shall go back to, if it shall.
func (h *host) recall(ctx context.Context, conn *transport.Conn) (commit.Result, bool) {
	past := h.target.Past
	if past == nil {
		return commit.Result{}, true
	}
	g, r := commit.Past(ctx, conn, past.Which)
	switch {
	case r.Err == nil:
		h.target = h.target.back(g)
	case past.OrNone && errors.Is(r.Err, commit.ErrNoGeneration):
		h.target.Candidate.Rules, h.target.Candidate.Remove = render.Remove(), true
	default:
		return r, false
	}
	return commit.Result{}, true
}

// apply marks that the host runs the candidate, or may.
func (h *host) apply(pending *commit.Pending) {
	h.pending = pending
	h.step(Event{Step: StepApplied, Deadline: pending.Deadline()})
}

// prove gets a fresh connection in and has every probe tried. Without a pulse the outcome
// is known, and the group has been told as soon as it could be.
func (h *host) prove(ctx context.Context, pending *commit.Pending) (*pulse, commit.Result) {
	proof, r := pending.Prove(h.seat.going, h)
	switch why := h.seat.given(); {
	case proof != nil:
	case r.Outcome != commit.OutcomePending:
		return nil, r
	case why != nil:
		if errors.Is(why, ErrStopped) && !errors.Is(r.Err, commit.ErrUntried) {
			why = r.Err // its own trouble comes before that of others
		}
		return nil, pending.TakeBack(ctx, h, commit.StageConfirm, why)
	default:
		h.seat.fail(r.Err)
		return nil, pending.Watch(ctx, h, r.Err)
	}
	waits := h.pulse(proof)
	notes, err := h.tryProbes(ctx, h.seat.going, waits)
	switch why := h.seat.given(); {
	case why != nil:
		return nil, proof.Revert(ctx, h, commit.StageConfirm, why)
	case err != nil:
		h.seat.fail(err)
		// The group hears one host at a time: whether another was first is known by now.
		var stop *StopError
		if errors.As(h.seat.given(), &stop) && stop.Host != h.target.Host.Name {
			err = fmt.Errorf("%w; %w", err, stop)
		}
		return nil, proof.Revert(ctx, h, commit.StageProbe, err)
	}
	h.notes = notes
	h.step(Event{Step: StepProved, Deadline: proof.Deadline(), Probes: h.probed()})
	return waits, r
}

// decided is what is to be written down of a host that has proved itself.
func (h *host) decided(proof *commit.Proof, pending *commit.Pending) Decided {
	return Decided{Host: h.target.Host.Name, Evidence: proof.Evidence(), Through: hops(h.target.Host.SSH), Probes: h.probed(), Secrets: pending.Secrets()}
}

// tryProbes tries the probes while the host is kept waiting, until going is done.
func (h *host) tryProbes(ctx, going context.Context, waits *pulse) (notes []string, err error) {
	if len(h.trials) == 0 {
		return nil, nil
	}
	h.step(Event{Step: StepProbing, Deadline: waits.proof.Deadline()})
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { // a panic here would end every transaction of this controller
			if p := recover(); p != nil {
				err = fmt.Errorf("a bug in fwpush: %v", p)
			}
		}()
		notes, err = tryAgain(going, h.trials, waits.proof.Conn())
	}()
	for {
		select {
		case <-done:
			return notes, err
		case <-waits.due():
			if kept := waits.beat(ctx); kept != nil {
				<-done
				return nil, fmt.Errorf("the host stopped waiting for the decision: %w", kept)
			}
		}
	}
}

// inspect asks the host for its facts.
func (h *host) inspect(ctx context.Context) (*transport.Conn, commit.Facts, commit.Result) {
	conn, err := h.dial(ctx)
	if err != nil {
		return nil, commit.Facts{}, unreachable(err)
	}
	if r, ok := h.recall(ctx, conn); !ok {
		return conn, commit.Facts{}, r
	}
	f, r := commit.Inspect(ctx, conn, h.target.want(), h.target.mode(), h.target.Candidate.Policy)
	return conn, f, r
}

// panicked is the outcome of a host whose worker failed by a bug of ours. It
// must not take the other hosts' transactions along.
func (h *host) panicked(value any) commit.Result {
	r := commit.Result{
		Outcome: commit.OutcomeFailed,
		Err:     fmt.Errorf("%s: a bug in fwpush: %v%s", h.target.Host.Name, value, panicPlace()),
		Hint:    "nothing was applied; please report this",
	}
	if h.going.Load() {
		r.Outcome = commit.OutcomeUnknown
		r.Hint = "if the new rules are in force, the host takes them back by itself: fwpush status; please report this"
	}
	return r
}

// watched is how a host ended whose worker failed after the new rules came into
// force: nobody confirms them any more, and it takes them back.
func (h *host) watched(ctx context.Context, r commit.Result) commit.Result {
	if h.pending == nil {
		return r
	}
	seen := h.pending.Watch(context.WithoutCancel(ctx), h, r.Err)
	if seen.Outcome != commit.OutcomeUnknown {
		seen.Hint = "please report this"
	}
	if seen.Err == nil {
		seen.Notes = append(seen.Notes, r.Err.Error())
	}
	return seen
}

// panicPlace is " at FILE:LINE" of the line that panicked, told from a deferred
// function, or "".
func panicPlace() string {
	var pc [32]uintptr
	frames := runtime.CallersFrames(pc[:runtime.Callers(0, pc[:])])
	unwound := false // past the panic, at what caused it
	for {
		f, more := frames.Next()
		inRuntime := strings.HasPrefix(f.Function, "runtime.")
		if unwound && !inRuntime {
			return fmt.Sprintf(" at %s:%d", filepath.Base(f.File), f.Line)
		}
		unwound = unwound || f.Function == "runtime.gopanic"
		if !more {
			return ""
		}
	}
}
