package rollout

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fwpush/internal/commit"
	"fwpush/inventory"
	"fwpush/roles"
)

// Exit codes of a run. Code 2 for mistakes in the fleet file or the command
// line, found before any host is contacted, is the caller's.
const (
	exitOK          = 0
	exitDiffers     = 1
	exitRefused     = 2
	exitFailed      = 3
	exitUnreachable = 4
	exitUnknown     = 5
	exitStopped     = 6
	exitLocked      = 7
	exitInterrupted = 130
)

// worst lists the codes from the worst on. The first one that a host has is
// that of the run.
func worst() []int {
	return []int{exitUnknown, exitStopped, exitFailed, exitUnreachable, exitLocked, exitInterrupted, exitDiffers}
}

// ExitCode is the exit code of a run whose hosts ended so.
func ExitCode(results []Result) int {
	if refused(results) {
		return exitRefused
	}
	for _, code := range worst() {
		if slices.ContainsFunc(results, func(r Result) bool { return r.exit() == code }) {
			return code
		}
	}
	return exitOK
}

// ExitLine is what to say last: the code and the hosts it comes from, or ""
// for 0.
func ExitLine(results []Result) string {
	code := ExitCode(results)
	if code == exitOK {
		return ""
	}
	hosts := make(map[string][]string) // by label
	var labels []string                // in the order of their first hosts
	var stop *StopError
	for _, r := range results {
		label := ""
		switch {
		case code == exitRefused && r.refusal() != "":
			label = r.refusal() + ", no host was changed"
		case code != exitRefused && r.exit() == code:
			label = r.label()
			errors.As(r.Err, &stop)
		default:
			continue
		}
		if hosts[label] == nil {
			labels = append(labels, label)
		}
		hosts[label] = append(hosts[label], r.Name)
	}
	var parts []string
	if code == exitStopped && stop != nil {
		parts = append(parts, stop.Error())
	}
	for _, label := range labels {
		noun := "hosts"
		if len(hosts[label]) == 1 {
			noun = "host"
		}
		parts = append(parts, fmt.Sprintf("%d %s %s: %s", len(hosts[label]), noun, label, inventory.Fold(hosts[label])))
	}
	return fmt.Sprintf("exit %d: %s", code, strings.Join(parts, "; "))
}

// refused says whether a host's facts forbid what was asked for and no host was
// changed, not even for a moment.
func refused(results []Result) bool {
	return slices.ContainsFunc(results, func(r Result) bool { return r.refusal() != "" }) && !slices.ContainsFunc(results, func(r Result) bool {
		switch r.Outcome {
		case commit.OutcomeConfirmed, commit.OutcomeReverted, commit.OutcomePending, commit.OutcomeUnknown:
			return true
		}
		return false
	})
}

// refusal names what in a host's facts forbids to change it at all, "" if nothing
// does.
func (r Result) refusal() string {
	var lockout *roles.LockoutError
	switch {
	case r.Outcome != commit.OutcomeFailed || r.Stage != commit.StageInspect:
	case errors.As(r.Err, &lockout), errors.Is(r.Err, errUnproved):
		return "refused by the lock-out proof"
	case errors.Is(r.Err, commit.ErrVersion):
		return "stored by another version of fwpush"
	case errors.Is(r.Err, ErrStale):
		return "not as when the change was shown"
	}
	return ""
}

// exit is the code that this host alone would give. An Err says that it did not
// go as asked, whatever the outcome: reverted is what `revert` asks for, and
// confirmed is not.
func (r Result) exit() int {
	switch {
	case r.Outcome == commit.OutcomeUnknown:
		return exitUnknown
	case r.Outcome == commit.OutcomeUnreachable:
		return exitUnreachable
	case r.Outcome == commit.OutcomeLocked:
		return exitLocked
	case r.Outcome == OutcomeChanged:
		return exitDiffers
	case errors.Is(r.Err, ErrInterrupted):
		return exitInterrupted
	case errors.Is(r.Err, ErrStopped):
		return exitStopped
	case r.Outcome == commit.OutcomeFailed || r.Err != nil:
		return exitFailed
	}
	return exitOK
}

// label is what the last line says of a host that gave the code of the run.
func (r Result) label() string {
	switch {
	case r.Outcome == OutcomeChanged:
		return "with differences"
	case r.Outcome == commit.OutcomeConfirmed && r.Stage == commit.StageRevert:
		return "confirmed already"
	case r.Outcome == commit.OutcomeConfirmed: // an Err says so
		return "confirmed, but running other rules by now"
	case r.Outcome == commit.OutcomeLocked:
		return "locked by another run"
	case errors.Is(r.Err, ErrInterrupted):
		return string(r.Outcome) + " by the interrupt"
	case errors.Is(r.Err, ErrStopped) && r.Outcome == OutcomeSkipped:
		return "untouched"
	case errors.Is(r.Err, ErrStopped) && r.Outcome == commit.OutcomeReverted:
		return "taken back"
	case errors.Is(r.Err, ErrStopped):
		return string(r.Outcome)
	}
	return string(r.Outcome)
}
