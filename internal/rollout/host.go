package rollout

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"fwpush/internal/commit"
	"fwpush/transport"
)

// host is one host while it is worked on, by one goroutine. It is the
// commit.Dialer of its transaction, to count connections and to leave none
// open.
type host struct {
	target  Target
	options Options
	tell    func(Event)

	conns  []*transport.Conn // logged in, closed or not
	failed int               // TCP connections that came to no login
	going  atomic.Bool       // the host was let go on to arm and apply

	pending *commit.Pending // applied, and not yet known how it ends
}

func (h *host) dial(ctx context.Context) (*transport.Conn, error) {
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
	case connected(err):
		h.failed++
	}
	return conn, err
}

// connected says whether a login failed after the TCP connection was there.
func connected(err error) bool {
	var dial *transport.DialError
	var key *transport.HostKeyError
	var auth *transport.AuthError
	switch {
	case errors.As(err, &dial):
		return dial.Stage != "connect"
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
	c.Want = h.target.want()
	c.Become = h.target.Host.SSH.Become
	c.AcceptStuckRevert = h.options.Accept.StuckRevert
	c.Judge = func(f commit.Facts) commit.Verdict { return h.target.Judge(f, h.options.Accept) }
	c.Gate = func(context.Context) error {
		if h.unwinding() {
			return ErrInterrupted
		}
		h.goOn()
		return nil
	}
	return c
}

// goOn is the last moment at which nothing has been decided on the host.
func (h *host) goOn() {
	h.going.Store(true)
	h.tell(Event{Host: h.target.Host.Name, Step: StepChecked})
}

func (h *host) unwinding() bool {
	select {
	case <-h.options.Unwind:
		return true
	default:
		return false
	}
}

// commit takes the host through its confirmed commit. ctx must not be one that
// an interrupt cancels: it would leave the host to its timers.
func (h *host) commit(ctx context.Context) commit.Result {
	conn, err := h.dial(ctx)
	if err != nil {
		return unreachable(err)
	}
	pending, r := commit.Begin(ctx, conn, h.candidate())
	if pending == nil {
		if r.Outcome == commit.OutcomeFailed && errors.Is(r.Err, ErrInterrupted) {
			r.Outcome = OutcomeSkipped
		}
		return r
	}
	return h.confirm(ctx, pending)
}

// confirm decides a pending transaction by a fresh connection.
func (h *host) confirm(ctx context.Context, pending *commit.Pending) commit.Result {
	h.pending = pending
	h.tell(Event{Host: h.target.Host.Name, Step: StepApplied, Deadline: pending.Deadline()})
	proof, r := pending.Prove(ctx, h)
	switch {
	case proof == nil:
		return r
	case h.unwinding():
		return proof.Revert(ctx, h, commit.StageConfirm, ErrInterrupted)
	}
	return proof.Commit(ctx, h)
}

// inspect asks the host for its facts.
func (h *host) inspect(ctx context.Context) (*transport.Conn, commit.Facts, commit.Result) {
	conn, err := h.dial(ctx)
	if err != nil {
		return nil, commit.Facts{}, unreachable(err)
	}
	f, r := commit.Inspect(ctx, conn, h.target.Host.SSH.Become, h.target.want(), h.target.Candidate.Policy)
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
