package rollout

import (
	"errors"
	"fmt"
	"time"

	"fwpush/internal/commit"
	"fwpush/inventory"
	"fwpush/roles"
)

// Strategy says in which order and portions a run takes its hosts, and what makes it
// stop. The zero Strategy takes all of them in one wave and stops at the first failure.
type Strategy struct {
	Canary Canary
	// Waves are shares of the run's hosts in percent, cumulative; canaries count. What is
	// over after the last one makes more waves of what is left. None is all at once.
	Waves []int
	// Batch, if set, is what goes in each wave, instead of Waves.
	Batch inventory.Budget
	// Serial are roles of which never two hosts go in one wave.
	Serial []string
	// MaxFailures is how many hosts of the run may fail before it stops, MaxUnreachable how
	// many may be out of reach before anything was applied to them; nil is no bound. A
	// canary that is not confirmed stops the run in any case.
	MaxFailures    inventory.Budget
	MaxUnreachable *inventory.Budget
	// Soak is how long all of a commit group must have run the new rules, with every
	// host in and every probe as it must be, before they are confirmed.
	Soak time.Duration
	// Manual leaves the hosts pending once they have proved themselves, for a confirm by
	// a person. It goes with a single commit group only.
	Manual bool
}

// Canary is the hosts that go first: those of Names, or a Share of the hosts of the run.
type Canary struct {
	Names []string
	Share inventory.Budget
}

func (c Canary) none() bool { return len(c.Names) == 0 && c.Share == inventory.Budget{} }

// atLeast is a share of n hosts, of which a part of a host is a whole one.
func atLeast(b inventory.Budget, n int) int {
	if b.Percent > 0 {
		return (n*b.Percent + 99) / 100
	}
	return b.Count
}

// atMost is a share of n hosts, of which a part of a host is none.
func atMost(b inventory.Budget, n int) int {
	if b.Percent > 0 {
		return n * b.Percent / 100
	}
	return b.Count
}

// StopError is why a run stopped, for the hosts that it left alone or took back because
// of it. It is an ErrStopped.
type StopError struct {
	Host   string // whose end it was, "" if it was none's
	Canary bool
	Cause  error
	Budget string // which bound it broke, "" for a canary
}

func (e *StopError) Error() string {
	text := ErrStopped.Error()
	switch {
	case e.Canary:
		text += " by canary " + e.Host
	case e.Host != "":
		text += " by " + e.Host
	}
	if e.Budget != "" {
		text += " (" + e.Budget + ")"
	}
	return text + ": " + withoutHint(e.Cause)
}

func (e *StopError) Is(target error) bool { return target == ErrStopped }
func (e *StopError) Unwrap() error        { return e.Cause }

// budget is what a run may lose before it stops. It belongs to one goroutine.
type budget struct {
	maxFailed, maxUnreachable int
	failed, unreachable       int
}

func newBudget(s Strategy, hosts int) *budget {
	b := &budget{maxFailed: atMost(s.MaxFailures, hosts), maxUnreachable: hosts}
	if s.MaxUnreachable != nil {
		b.maxUnreachable = atMost(*s.MaxUnreachable, hosts)
	}
	return b
}

// count takes in how a host ended, each host once, and says why the run stops now, nil
// if it goes on. A host that was reached and could not be reached any more after the new
// rules came into force has failed; one that another run holds has not, and is no
// evidence of anything unless it is a canary.
func (b *budget) count(r Result, canary bool) *StopError {
	if errors.Is(r.Err, ErrStopped) || errors.Is(r.Err, ErrInterrupted) {
		return nil // an effect, not a cause
	}
	stop := &StopError{Host: r.Name, Cause: r.Err}
	if stop.Cause == nil {
		stop.Cause = errors.New(string(r.Outcome))
	}
	switch r.Outcome {
	case commit.OutcomeConfirmed, commit.OutcomeUnchanged, commit.OutcomePending, OutcomeSkipped:
		if r.Err == nil {
			return nil
		}
		b.failed++
	case commit.OutcomeUnreachable:
		b.unreachable++
	case commit.OutcomeLocked:
	default:
		b.failed++
	}
	switch {
	case canary:
		stop.Canary = true
	case errors.As(r.Err, new(*roles.LockoutError)), errors.Is(r.Err, errUnproved):
		stop.Budget = "a lock-out is within no budget"
	case b.failed > b.maxFailed:
		stop.Budget = bound(b.failed, "failed", b.maxFailed)
	case b.unreachable > b.maxUnreachable:
		stop.Budget = bound(b.unreachable, "unreachable", b.maxUnreachable)
	default:
		return nil
	}
	return stop
}

func bound(n int, what string, limit int) string {
	return fmt.Sprintf("%d %s, at most %d allowed", n, what, limit)
}
