package report

import (
	"errors"
	"strings"
	"testing"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
)

// TestWriteResults is what a run leaves on the screen: what happened, what is untouched,
// and what to type next.
func TestWriteResults(t *testing.T) {
	const run = "20261122T143055Z-7f3c91ab"
	host := func(name string, outcome commit.Outcome, err error) rollout.Result {
		return rollout.Result{Name: name, Result: commit.Result{Outcome: outcome, Err: err}}
	}
	timeout := errors.New("i/o timeout\x1b[2J")
	stop := &rollout.StopError{Host: "web03", Budget: "1 failed, at most 0 allowed", Cause: timeout}
	pending := host("web01", commit.OutcomePending, nil)
	pending.Deadline = time.Date(2026, 11, 22, 14, 34, 0, 0, time.UTC)
	tooLate := host("web01", commit.OutcomeConfirmed, timeout)
	tooLate.Stage = commit.StageRevert
	tests := []struct {
		name    string
		ending  Ending
		results []rollout.Result
		want    string
	}{
		{"all well", Ending{Run: run, Took: 41 * time.Second}, []rollout.Result{host("web01", commit.OutcomeConfirmed, nil), host("web02", commit.OutcomeConfirmed, nil)}, `
Done in 41s · run 20261122T143055Z-7f3c91ab
  confirmed  web[01-02] (2)
`},
		{"unreachable", Ending{Run: run, Took: 810 * time.Millisecond}, []rollout.Result{host("web01", commit.OutcomeConfirmed, nil), host("web02", commit.OutcomeUnreachable, timeout)}, `
Done in 800ms · run 20261122T143055Z-7f3c91ab
  confirmed    web01 (1)
  unreachable  web02 (1), untouched
next: fwpush apply --resume 20261122T143055Z-7f3c91ab
`},
		{"stopped", Ending{Run: run, Took: time.Minute}, []rollout.Result{host("web01", commit.OutcomeReverted, stop), host("web02", commit.OutcomeReverted, stop),
			host("web03", commit.OutcomeReverted, timeout), host("web04", rollout.OutcomeSkipped, stop), host("web05", rollout.OutcomeSkipped, stop)}, `
Done in 1m0s · run 20261122T143055Z-7f3c91ab
  the rollout was stopped by web03 (1 failed, at most 0 allowed): i/o timeout\x1b[2J
  reverted  web[01-02] (2), taken back with its group
  reverted  web03 (1), back on the old rules
  skipped   web[04-05] (2), untouched
next: fwpush apply --resume 20261122T143055Z-7f3c91ab
`},
		{"interrupted", Ending{Run: run, Took: time.Minute}, []rollout.Result{host("web01", commit.OutcomeConfirmed, nil), host("web02", rollout.OutcomeSkipped, rollout.ErrInterrupted)}, `
Done in 1m0s · run 20261122T143055Z-7f3c91ab
  interrupted before all hosts were begun
  confirmed  web01 (1)
  skipped    web02 (1), untouched
next: fwpush apply --resume 20261122T143055Z-7f3c91ab
`},
		{"pending and unknown", Ending{Run: run, Took: time.Minute}, []rollout.Result{pending, host("web02", commit.OutcomeUnknown, timeout)}, `
Done in 1m0s · run 20261122T143055Z-7f3c91ab
  pending  web01 (1), reverts by 14:34:00Z
  unknown  web02 (1)
next: fwpush confirm 20261122T143055Z-7f3c91ab   # keeps the new rules
next: fwpush revert 20261122T143055Z-7f3c91ab    # takes them back now
next: fwpush status -l web02
`},
		{"remove", Ending{Run: run, Took: time.Minute, Again: []string{"remove"}}, []rollout.Result{host("web02", commit.OutcomeLocked, timeout)}, `
Done in 1m0s · run 20261122T143055Z-7f3c91ab
  locked  web02 (1), untouched
next: fwpush remove web02
`},
		{"confirm, one not concerned", Ending{Run: run, Took: time.Minute, Again: []string{"confirm", run, "-l"}}, []rollout.Result{host("web01", rollout.OutcomeSkipped, nil), host("web02", commit.OutcomeUnreachable, timeout)}, `
Done in 1m0s · run 20261122T143055Z-7f3c91ab
  unreachable  web02 (1), untouched
  skipped      web01 (1)
next: fwpush confirm 20261122T143055Z-7f3c91ab -l web02
`},
		{"failed", Ending{Run: run, Took: time.Minute}, []rollout.Result{host("web01", commit.OutcomeFailed, timeout), host("web02", commit.OutcomeReverted, timeout)}, `
Done in 1m0s · run 20261122T143055Z-7f3c91ab
  reverted  web02 (1), back on the old rules
  failed    web01 (1), untouched
next: fwpush apply --resume 20261122T143055Z-7f3c91ab   # once that is mended
`},
		{"rollback to a run, from elsewhere", Ending{Run: run, Took: time.Minute, Again: []string{"rollback", "--to", run, "-l"}, Typing: Typing{Fleet: []string{"-i", "/srv/my fleet.toml"}, Given: []string{"--state-dir", "it's"}}},
			[]rollout.Result{host("web01", commit.OutcomeFailed, timeout), host("web02", rollout.OutcomeSkipped, stop), host("web03", rollout.OutcomeSkipped, stop)}, `
Done in 1m0s · run 20261122T143055Z-7f3c91ab
  the rollout was stopped by web03 (1 failed, at most 0 allowed): i/o timeout\x1b[2J
  failed   web01 (1), untouched
  skipped  web[02-03] (2), untouched
next: fwpush status -l web01 -i '/srv/my fleet.toml' --state-dir 'it'\''s'
next: fwpush rollback --to 20261122T143055Z-7f3c91ab -l 'web[02-03]' -i '/srv/my fleet.toml' --state-dir 'it'\''s'
`},
		{"from elsewhere", Ending{Run: run, Took: time.Minute, Typing: Typing{Fleet: []string{"-i", "/srv/fleet.toml"}, Given: []string{"--state-dir", "s"}}},
			[]rollout.Result{host("web01", commit.OutcomeUnreachable, timeout)}, `
Done in 1m0s · run 20261122T143055Z-7f3c91ab
  unreachable  web01 (1), untouched
next: fwpush apply --resume 20261122T143055Z-7f3c91ab --state-dir s
`},
		{"revert too late", Ending{Run: run, Took: time.Minute, Again: []string{"revert", run, "-l"}}, []rollout.Result{tooLate}, `
Done in 1m0s · run 20261122T143055Z-7f3c91ab
  confirmed  web01 (1)
next: fwpush rollback -l web01   # takes confirmed rules back
`},
		{"nothing to push", Ending{Took: time.Minute}, []rollout.Result{host("web01", commit.OutcomeUnchanged, nil), host("web02", commit.OutcomeUnreachable, timeout)}, `
Done in 1m0s
  unchanged    web01 (1)
  unreachable  web02 (1), untouched
next: fwpush apply -l web02
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			if err := WriteResults(&b, ui.Colour{}, tt.results, tt.ending); err != nil {
				t.Fatal(err)
			}
			if got := "\n" + b.String(); got != tt.want {
				t.Errorf("got:%s", got)
			}
		})
	}
}

// Hosts of a drill are one line, however late each of their timers was.
func TestSummaryOfADrill(t *testing.T) {
	var results []rollout.Result
	for i, name := range []string{"web1", "web2", "web3"} {
		results = append(results, rollout.Result{Name: name, Result: commit.Result{Outcome: commit.OutcomeReverted, Drilled: &commit.Drilled{Late: time.Duration(i) * time.Second}}})
	}
	results = append(results, rollout.Result{Name: "web4", Result: commit.Result{Outcome: commit.OutcomeReverted, Err: errors.New("late"), Drilled: &commit.Drilled{Late: time.Minute}}})
	var out strings.Builder
	if err := WriteResults(&out, ui.Colour{}, results, Ending{Run: "R", Drill: true}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"  reverted  web[1-3] (3), by its timer 0s to 2s after the deadline, as it was before\n", "  reverted  web4 (1), back on the old rules\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
