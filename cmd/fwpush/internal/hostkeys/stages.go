package hostkeys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"fwpush/inventory"
	"fwpush/transport"
)

// Outcome is how a host ended.
type Outcome string

// The outcomes. Those of a host that showed its keys are a transport.Standing, but for
// OutcomeMismatch.
const (
	OutcomeKnown       Outcome = Outcome(transport.StandingKnown)
	OutcomeNew         Outcome = Outcome(transport.StandingNew)
	OutcomeChanged     Outcome = Outcome(transport.StandingChanged)
	OutcomeRevoked     Outcome = Outcome(transport.StandingRevoked)
	OutcomeUncertified Outcome = Outcome(transport.StandingUncertified)
	OutcomeMismatch    Outcome = "mismatch"    // new, and not what a list of fingerprints says
	OutcomeUnreachable Outcome = "unreachable" // it showed nothing
	OutcomeUnwritten   Outcome = "unwritten"   // new, and the file cannot be written
	OutcomeBehind      Outcome = "behind"      // not asked: its jump host is not trusted
)

// Host is a host of the selection, or a jump host on the way to one.
type Host struct {
	Name     string // in the fleet
	Address  string
	OnTheWay bool // a jump host that was not selected
	Outcome  Outcome
	Recorded bool  // by this run
	Vouched  bool  // its keys are in a list of fingerprints
	Err      error // why the outcome is no better; nil for known and new
	transport.Showing

	ep     inventory.Endpoint
	via    *Host
	listed func(transport.HostKey) bool // nil: all keys are to be recorded
}

// Trusted says that a login would go through.
func (h *Host) Trusted() bool { return h.Outcome == OutcomeKnown || h.Recorded }

// Stages sorts the hosts and the jump hosts on their way: what is reached directly first,
// then what is reached through that, and so on.
func Stages(hosts []inventory.Host) [][]*Host {
	var stages [][]*Host
	seen := map[string]*Host{}
	var add func(ep inventory.Endpoint, onTheWay bool) (*Host, int)
	add = func(ep inventory.Endpoint, onTheWay bool) (*Host, int) {
		var via *Host
		depth := 0
		if ep.Via != nil {
			via, depth = add(*ep.Via, true)
			depth++
		}
		// Jump hosts that are no hosts of the fleet take the settings of those behind them.
		key := fmt.Sprintf("%q %q %d %q", ep.Name, ep.Address, ep.Port, ep.KnownHosts)
		h, known := seen[key]
		if !known {
			h = &Host{Name: ep.Name, Address: ep.Address, OnTheWay: onTheWay, ep: ep, via: via}
			seen[key] = h
			for len(stages) <= depth {
				stages = append(stages, nil)
			}
			stages[depth] = append(stages[depth], h)
		}
		h.OnTheWay = h.OnTheWay && onTheWay
		return h, depth
	}
	for _, h := range hosts {
		add(h.SSH, false)
	}
	return stages
}

// Jumps are the jump hosts that will have to be logged in to, once each.
func Jumps(stages [][]*Host) []inventory.Endpoint {
	var list []inventory.Endpoint
	told := map[*Host]bool{}
	for _, h := range slices.Concat(stages...) {
		if h.via != nil && !told[h.via] {
			told[h.via] = true
			list = append(list, h.via.ep)
		}
	}
	return list
}

// Shower has a host show its keys. A *transport.Dialer is one.
type Shower interface {
	Showing(ctx context.Context, ep inventory.Endpoint) (transport.Showing, error)
}

// Ask has all hosts of a stage show their keys, so many at a time. The stages before it
// must be done.
func Ask(ctx context.Context, by Shower, stage []*Host, forks int) {
	var group errgroup.Group
	group.SetLimit(forks)
	for _, h := range stage {
		group.Go(func() error {
			h.ask(ctx, by)
			return nil
		})
	}
	_ = group.Wait() // what went wrong is with each host
}

func (h *Host) ask(ctx context.Context, by Shower) {
	if h.via != nil && !h.via.Trusted() {
		h.Outcome = OutcomeBehind
		h.Err = fmt.Errorf("not asked: its jump host %s is %s", h.via.Name, h.via.Outcome)
		return
	}
	if h.Showing, h.Err = by.Showing(ctx, h.ep); h.Err != nil {
		h.Outcome = OutcomeUnreachable
		return
	}
	h.Outcome = Outcome(h.Standing)
	if h.Outcome != OutcomeNew {
		h.Err = h.Refusal
	}
}

// Record writes down what new hosts have shown. Where somebody else has recorded another
// key since, the outcome is changed. Those that come together share a writing of the file.
func Record(hosts []*Host) {
	var all sync.WaitGroup
	for _, h := range hosts {
		all.Go(h.record)
	}
	all.Wait()
}

func (h *Host) record() {
	err := h.Showing.Record(func(k transport.HostKey) bool { return h.listed == nil || h.listed(k) })
	var changed *transport.HostKeyError
	switch {
	case errors.As(err, &changed):
		h.Outcome, h.Err = OutcomeChanged, err
	case err != nil:
		h.Outcome, h.Err = OutcomeUnwritten, fmt.Errorf("%s: %w", h.Name, err)
	default:
		h.Recorded = true
	}
}

// With are the hosts of an outcome.
func With(hosts []*Host, outcomes ...Outcome) (list []*Host) {
	for _, h := range hosts {
		if slices.Contains(outcomes, h.Outcome) {
			list = append(list, h)
		}
	}
	return list
}

// Names are their names.
func Names(hosts []*Host) []string {
	var list []string
	for _, h := range hosts {
		list = append(list, h.Name)
	}
	return list
}
