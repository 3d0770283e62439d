package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"fwpush/internal/rollout"
	"fwpush/inventory"
)

// Walk is what a command line says about how a run goes through its hosts, above what
// [rollout] says. What is nil or empty it does not say.
type Walk struct {
	Canary         string // N, N% or a pattern
	Batch          *inventory.Budget
	Soak           *time.Duration
	MaxFail        *inventory.Budget
	MaxUnreachable *inventory.Budget
	OnStop         string
	Manual         bool
}

// ParseShare reads N or N%: a number of hosts, or a share of those of a run.
func ParseShare(s string) (inventory.Budget, bool) {
	m := share.FindStringSubmatch(s)
	if m == nil {
		return inventory.Budget{}, false
	}
	n, err := strconv.Atoi(m[1])
	switch {
	case err != nil, m[2] == "%" && n > 100:
		return inventory.Budget{}, false
	case m[2] == "%" && n > 0:
		return inventory.Budget{Percent: n}, true
	}
	return inventory.Budget{Count: n}, true
}

var share = regexp.MustCompile(`^([0-9]{1,9})(%?)$`)

// Strategy is how a run over targets goes. Notes tell of canaries that are not in it.
// The error is about the command line.
func (f *File) Strategy(w Walk, targets []rollout.Target) (s rollout.Strategy, notes []string, err error) {
	r := f.Fleet.Rollout
	s = rollout.Strategy{MaxFailures: r.MaxFailures.V, Soak: r.Soak.V, Manual: w.Manual}
	for _, percent := range r.Waves {
		s.Waves = append(s.Waves, percent.V)
	}
	for _, role := range r.Serial {
		s.Serial = append(s.Serial, role.V)
	}
	if r.MaxUnreachable.Place.Line > 0 {
		s.MaxUnreachable = &r.MaxUnreachable.V
	}
	if w.Batch != nil {
		s.Batch = *w.Batch
	}
	if w.Soak != nil {
		s.Soak = *w.Soak
	}
	if w.MaxFail != nil {
		s.MaxFailures = *w.MaxFail
	}
	if w.MaxUnreachable != nil {
		s.MaxUnreachable = w.MaxUnreachable
	}
	s.Canary, notes, err = f.canary(w.Canary, targets)
	return s, notes, err
}

// Clip makes a canary of no more hosts than there are left to change, for a selection
// that a larger one was right for.
func Clip(c rollout.Canary, targets []rollout.Target) rollout.Canary {
	if c.Share == (inventory.Budget{}) {
		return c
	}
	free := 0
	for _, t := range targets {
		if len(t.Behind) == 0 {
			free++
		}
	}
	if c.Share.Percent > 0 && free > 0 {
		c.Share = inventory.Budget{Count: (len(targets)*c.Share.Percent + 99) / 100}
	}
	c.Share = inventory.Budget{Count: min(c.Share.Count, free)}
	return c
}

// RollsBack says whether hosts that are confirmed go back when the run stops.
func (f *File) RollsBack(w Walk) bool {
	if w.OnStop != "" {
		return w.OnStop == "rollback"
	}
	return f.Fleet.Rollout.OnStop.V == "rollback"
}

// canary is what goes first. A pattern that names nobody at all is an error; one that
// names hosts of which none takes part is not: they may need no change.
func (f *File) canary(given string, targets []rollout.Target) (rollout.Canary, []string, error) {
	if b, isShare := ParseShare(given); isShare {
		if b == (inventory.Budget{}) {
			return rollout.Canary{}, nil, fmt.Errorf("--canary %s: a canary is at least one host", given)
		}
		return rollout.Canary{Share: b}, nil, nil
	}
	var patterns []string
	switch {
	case strings.HasSuffix(given, "%"):
		return rollout.Canary{}, nil, fmt.Errorf("--canary %s: a share is 1%% to 100%%", given)
	case given != "":
		patterns = []string{given}
		if _, err := inventory.Select(f.Fleet, inventory.Selection{Named: given}); err != nil {
			return rollout.Canary{}, nil, fmt.Errorf("--canary: %w", err)
		}
	default:
		for _, p := range f.Fleet.Rollout.Canary {
			patterns = append(patterns, p.V)
		}
	}
	var c rollout.Canary
	for _, p := range patterns {
		for _, i := range f.Fleet.Named(p) {
			name := f.Fleet.Hosts[i].Name
			if slices.ContainsFunc(targets, func(t rollout.Target) bool { return t.Host.Name == name }) && !slices.Contains(c.Names, name) {
				c.Names = append(c.Names, name)
			}
		}
	}
	if len(patterns) > 0 && len(c.Names) == 0 {
		return c, []string{fmt.Sprintf("no canary: %s is not among the hosts of this run", inventory.Fold(patterns))}, nil
	}
	return c, nil, nil
}

// Behind fills in which hosts of the fleet are reached through each target.
func (f *File) Behind(targets []rollout.Target) {
	through := map[string][]inventory.Endpoint{}
	for _, h := range f.Fleet.Hosts {
		if !h.Unmanaged && h.SSH.Jump != "" {
			through[h.SSH.Jump] = append(through[h.SSH.Jump], h.SSH)
		}
	}
	for i := range targets {
		targets[i].Behind = through[targets[i].Host.Name]
	}
}
