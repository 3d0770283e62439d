package rollout

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"fwpush/internal/commit"
	"fwpush/roles"
)

func TestExit(t *testing.T) {
	trouble := errors.New("trouble")
	lockout := fmt.Errorf("asked: %w", &roles.LockoutError{From: netip.MustParseAddr("10.0.0.1"), Port: 22})
	var (
		unchanged   = commit.Result{Outcome: commit.OutcomeUnchanged}
		ok          = commit.Result{Outcome: commit.OutcomeConfirmed}
		failed      = commit.Result{Outcome: commit.OutcomeFailed, Stage: commit.StageArm, Err: trouble}
		locksOut    = commit.Result{Outcome: commit.OutcomeFailed, Stage: commit.StageInspect, Err: lockout}
		version     = commit.Result{Outcome: commit.OutcomeFailed, Stage: commit.StageInspect, Err: fmt.Errorf("%w: protocol 2", commit.ErrVersion)}
		reverted    = commit.Result{Outcome: commit.OutcomeReverted, Stage: commit.StageConfirm, Err: trouble}
		unreachable = commit.Result{Outcome: commit.OutcomeUnreachable, Err: trouble}
		pending     = commit.Result{Outcome: commit.OutcomePending}
		unknown     = commit.Result{Outcome: commit.OutcomeUnknown, Err: trouble}
		locked      = commit.Result{Outcome: commit.OutcomeLocked, Err: trouble}
		interrupted = skipped(ErrInterrupted, "")
		unwound     = commit.Result{Outcome: commit.OutcomeReverted, Stage: commit.StageConfirm, Err: ErrInterrupted}
		stopped     = skipped(ErrStopped, "")
		unconcerned = skipped(nil, "")
		changed     = commit.Result{Outcome: OutcomeChanged}
		takenBack   = commit.Result{Outcome: commit.OutcomeReverted}
		tooLate     = commit.Result{Outcome: commit.OutcomeConfirmed, Stage: commit.StageRevert, Err: trouble}
		drifted     = commit.Result{Outcome: commit.OutcomeConfirmed, Stage: commit.StagePersist, Err: trouble}
		told        = commit.Result{Facts: &commit.Facts{}}
	)
	type hosts []commit.Result // web01, web02, ...
	for _, tc := range []struct {
		name  string
		hosts hosts
		code  int
		line  string
	}{
		{"nobody", nil, 0, ""},
		{"as asked", hosts{ok, unchanged, ok}, 0, ""},
		{"waiting, as asked", hosts{pending, ok}, 0, ""},
		{"not concerned", hosts{unconcerned, ok}, 0, ""},
		{"facts only", hosts{told}, 0, ""},
		{"taken back as asked", hosts{takenBack, takenBack}, 0, ""},
		{"differences", hosts{changed, unchanged, changed}, 1, "exit 1: 2 hosts with differences: web[01,03]"},
		{"lock-out, nothing changed", hosts{locksOut, unchanged, locksOut, unreachable, failed, locked}, 2,
			"exit 2: 2 hosts refused by the lock-out proof, no host was changed: web[01,03]"},
		{"another version", hosts{version, locksOut, unchanged}, 2,
			"exit 2: 1 host stored by another version of fwpush, no host was changed: web01; 1 host refused by the lock-out proof, no host was changed: web02"},
		{"lock-out, another confirmed", hosts{locksOut, ok}, 3, "exit 3: 1 host failed: web01"},
		{"lock-out, another reverted", hosts{locksOut, reverted}, 3, "exit 3: 1 host failed: web01; 1 host reverted: web02"},
		{"lock-out, another unknown", hosts{locksOut, unknown}, 5, "exit 5: 1 host unknown: web02"},
		{"failed and reverted", hosts{failed, reverted, ok, reverted}, 3,
			"exit 3: 1 host failed: web01; 2 hosts reverted: web[02,04]"},
		{"too late to revert", hosts{takenBack, tooLate}, 3, "exit 3: 1 host confirmed already: web02"},
		{"confirmed and drifted", hosts{ok, drifted}, 3, "exit 3: 1 host confirmed, but running other rules by now: web02"},
		{"unreachable", hosts{ok, unreachable, unreachable}, 4, "exit 4: 2 hosts unreachable: web[02-03]"},
		{"locked", hosts{ok, locked}, 7, "exit 7: 1 host locked by another run: web02"},
		{"interrupted", hosts{ok, interrupted}, 130, "exit 130: 1 host skipped by the interrupt: web02"},
		{"interrupted and unwound", hosts{unwound, interrupted}, 130,
			"exit 130: 1 host reverted by the interrupt: web01; 1 host skipped by the interrupt: web02"},

		{"unknown is the worst", hosts{stopped, reverted, unreachable, locked, interrupted, changed, unknown}, 5,
			"exit 5: 1 host unknown: web07"},
		{"then stopped", hosts{reverted, unreachable, locked, interrupted, changed, stopped}, 6,
			"exit 6: 1 host untouched: web06"},
		{"then failed", hosts{unreachable, locked, interrupted, changed, reverted}, 3, "exit 3: 1 host reverted: web05"},
		{"then unreachable", hosts{locked, interrupted, changed, unreachable}, 4, "exit 4: 1 host unreachable: web04"},
		{"then locked", hosts{interrupted, changed, locked}, 7, "exit 7: 1 host locked by another run: web03"},
		{"then interrupted", hosts{changed, interrupted}, 130, "exit 130: 1 host skipped by the interrupt: web02"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var results []Result
			for i, r := range tc.hosts {
				results = append(results, Result{Name: fmt.Sprintf("web%02d", i+1), Result: r})
			}
			if got := ExitCode(results); got != tc.code {
				t.Errorf("exit code %d, want %d", got, tc.code)
			}
			if got := ExitLine(results); got != tc.line {
				t.Errorf("line %q, want %q", got, tc.line)
			}
		})
	}
}
