package rollout

import (
	"context"
	"fmt"
	"time"

	"fwpush/internal/commit"
	"fwpush/inventory"
	"fwpush/transport"
)

// Dialer makes the connections of a run. *transport.Dialer is one.
type Dialer interface {
	Dial(ctx context.Context, ep inventory.Endpoint) (*transport.Conn, error)
	commit.Dialer
}

// Options are the settings of a run that are the same for all hosts.
type Options struct {
	Dialer Dialer
	Forks  int // hosts at a time; less than 1 counts as 1
	Accept Risks
	// Event, if set, hears of every step of every host. It is called by the
	// goroutine that started the run, so never twice at a time, and however
	// long it takes no host waits for it.
	Event func(Event)
	// Unwind, when closed, makes the hosts in flight take back what is not
	// confirmed yet. It is the second interrupt; the first one cancels the
	// context of the run.
	Unwind <-chan struct{}
}

// Event is one step of one host.
type Event struct {
	Host     string
	Step     Step
	Deadline time.Time // of StepApplied: when the host reverts, on this machine's clock
	Result   *Result   // of StepEnded
}

// Step is where a host is on its way.
type Step string

const (
	StepConnecting Step = "connecting"
	StepChecked    Step = "checked" // the host is told to go on: from here on something may change
	StepApplied    Step = "applied" // the host runs it, a fresh connection comes next
	StepEnded      Step = "ended"
)

// stepsPerHost is how many events a host causes at most.
const stepsPerHost = 4

// Risks are what a user accepts by name.
type Risks struct {
	LoseSSH     bool // the online lock-out proof may fail: the timers decide
	TakeOver    bool // hosts that belong to another fleet, or to none we know
	StuckRevert bool // the running rules count as the old ones where a revert cannot be finished
}

// ParseRisks reads the values of --accept-risk.
func ParseRisks(names []string) (Risks, error) {
	var r Risks
	for _, name := range names {
		switch name {
		case "lose-ssh":
			r.LoseSSH = true
		case "take-over":
			r.TakeOver = true
		case "stuck-revert":
			r.StuckRevert = true
		default:
			return Risks{}, fmt.Errorf("unknown risk %q; the risks are lose-ssh, take-over and stuck-revert", name)
		}
	}
	return r, nil
}
