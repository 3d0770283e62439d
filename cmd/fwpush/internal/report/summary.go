package report

import (
	"fmt"
	"io"
	"slices"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// OutcomeOrder is all outcomes in the order in which a summary names them, the good ones first.
func OutcomeOrder() []commit.Outcome {
	return []commit.Outcome{
		commit.OutcomeConfirmed, commit.OutcomeUnchanged, rollout.OutcomeChanged, commit.OutcomePending, commit.OutcomeReverted,
		commit.OutcomeFailed, commit.OutcomeLocked, commit.OutcomeUnreachable, commit.OutcomeUnknown, rollout.OutcomeSkipped,
	}
}

// writeSummary prints how many hosts ended in which way, folded.
func writeSummary(w io.Writer, colour ui.Colour, results []rollout.Result) error {
	var table ui.Table
	for _, outcome := range OutcomeOrder() {
		var names []string
		for _, r := range results {
			if r.Outcome == outcome {
				names = append(names, r.Name)
			}
		}
		if len(names) > 0 {
			table.Painted(Shade(colour, outcome), "  "+string(outcome), fmt.Sprintf("%s (%d)%s", inventory.Fold(names), len(names), remark(outcome)))
		}
	}
	return table.Write(w)
}

// remark says what an outcome leaves a host with, where the word does not.
func remark(o commit.Outcome) string {
	switch o {
	case commit.OutcomeFailed, commit.OutcomeLocked, commit.OutcomeUnreachable:
		return ", untouched"
	case commit.OutcomeReverted:
		return ", back on the old rules"
	}
	return ""
}

// Shade is the colour of an outcome.
func Shade(colour ui.Colour, o commit.Outcome) func(string) string {
	switch o {
	case commit.OutcomeConfirmed:
		return colour.Green
	case commit.OutcomeUnchanged, rollout.OutcomeSkipped:
		return colour.Dim
	case commit.OutcomeFailed, commit.OutcomeReverted, commit.OutcomeUnknown:
		return colour.Red
	}
	return colour.Yellow
}

// WriteResults prints the result of a run: how long it took, its id, how many hosts
// ended in which way, and what to do next. again is the command for hosts that
// want another try; their names are added.
func WriteResults(w io.Writer, colour ui.Colour, run string, results []rollout.Result, took time.Duration, again string) error {
	unit := time.Second
	if took < 10*time.Second {
		unit = 100 * time.Millisecond
	}
	head := fmt.Sprintf("Done in %s", took.Round(unit))
	if run != "" { // none, if there was nothing to push
		head += " · run " + run
	}
	if _, err := fmt.Fprintln(w, head); err != nil {
		return err
	}
	if err := writeSummary(w, colour, results); err != nil {
		return err
	}
	for _, next := range []struct {
		command  string
		outcomes []commit.Outcome
	}{
		{"fwpush status -l", []commit.Outcome{commit.OutcomeUnknown, commit.OutcomePending}},
		{again, []commit.Outcome{commit.OutcomeUnreachable, commit.OutcomeLocked, rollout.OutcomeSkipped}},
	} {
		var names []string
		for _, r := range results {
			if slices.Contains(next.outcomes, r.Outcome) && r.Err != nil {
				names = append(names, r.Name)
			}
		}
		if len(names) > 0 {
			if _, err := fmt.Fprintf(w, "next: %s '%s'\n", next.command, inventory.Fold(names)); err != nil {
				return err
			}
		}
	}
	return nil
}
