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
	// DialApart is Dial with new connections to every jump host on the way.
	DialApart(ctx context.Context, ep inventory.Endpoint) (*transport.Conn, error)
	commit.Dialer
}

// Options are the settings of a run that are the same for all hosts.
type Options struct {
	Dialer Dialer
	Forks  int // hosts at a time; less than 1 counts as 1
	Accept Risks
	// Waves are those of Apply, made by Waves for the same targets; nil is one of all.
	Waves    []Wave
	Strategy Strategy // of Apply
	Journal  Journal  // of Apply and ConfirmRun; nil: nothing is written
	// Decided are, for ConfirmRun, the hosts that the run had decided to confirm.
	Decided map[string]commit.Secrets
	// Event, if set, hears of every step of every host. It is called by the
	// goroutine that started the run, so never twice at a time, and however
	// long it takes no host waits for it.
	Event func(Event)
	// Unwind, when closed, makes the hosts in flight take back what is not
	// confirmed yet. It is the second interrupt; the first one cancels the
	// context of the run.
	Unwind <-chan struct{}
}

// Event is one step of one host, or of a wave.
type Event struct {
	Wave     int    // counted from 1
	Host     string // "" for what a wave or the run comes to
	Step     Step
	Deadline time.Time // when the host reverts, or the soak is over; on this machine's clock
	Hosts    []string  // of StepWave and StepSoaking
	Probes   []string  // of StepProved: those that are as they must be
	Err      error     // of StepStopped
	Result   *Result   // of StepEnded
}

// Step is where a host is on its way, or a wave.
type Step string

// The steps of a host, in their order. Those between applied and ended may come again.
const (
	StepConnecting Step = "connecting"
	StepReady      Step = "ready"    // checked by the host, which waits for its group to be so
	StepChecked    Step = "checked"  // the host is told to go on: from here on something may change
	StepApplied    Step = "applied"  // the host runs it, a fresh connection comes next
	StepProbing    Step = "probing"  // a fresh connection is in
	StepProved     Step = "proved"   // so is every probe; the host waits for its group
	StepExtended   Step = "extended" // the host reverts later
	StepEnded      Step = "ended"
)

// The steps of a run.
const (
	StepWave    Step = "wave"    // a wave begins
	StepSoaking Step = "soaking" // all of a group are in; they are confirmed if that stays so
	StepStopped Step = "stopped" // nobody new is started, and the group under way goes back
)

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
