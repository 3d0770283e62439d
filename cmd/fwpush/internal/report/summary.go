package report

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
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

// WriteResults prints the result of a run: how long it took, its id, who stopped it, how
// many hosts ended in which way, and what to type next.
func WriteResults(w io.Writer, colour ui.Colour, results []rollout.Result, e Ending) error {
	unit := time.Second
	if e.Took < 10*time.Second {
		unit = 100 * time.Millisecond
	}
	var out strings.Builder
	fmt.Fprintf(&out, "Done in %s", e.Took.Round(unit))
	if e.Run != "" {
		out.WriteString(" · run " + e.Run)
	}
	out.WriteByte('\n')
	if why := stopped(results); why != "" {
		fmt.Fprintf(&out, "  %s\n", colour.Red(ui.Safe(why)))
	}
	if err := writeSummary(&out, colour, results); err != nil {
		return err
	}
	for _, command := range e.next(results) {
		fmt.Fprintf(&out, "next: %s\n", command)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// stopped says by whom and why a run was stopped, "" if it was not.
func stopped(results []rollout.Result) string {
	var stop *rollout.StopError
	for _, r := range results {
		if errors.As(r.Err, &stop) {
			return stop.Error()
		}
	}
	for _, r := range results {
		if r.Outcome == rollout.OutcomeSkipped && errors.Is(r.Err, rollout.ErrInterrupted) {
			return "interrupted before all hosts were begun"
		}
	}
	return ""
}

// writeSummary prints how many hosts ended in which way, folded.
func writeSummary(w io.Writer, colour ui.Colour, results []rollout.Result) error {
	var table ui.Table
	for _, outcome := range OutcomeOrder() {
		var remarks []string
		names, bad := map[string][]string{}, map[string]bool{}
		for _, r := range results {
			if r.Outcome != outcome {
				continue
			}
			m := remark(r)
			if names[m] == nil {
				remarks = append(remarks, m)
			}
			names[m] = append(names[m], r.Name)
			bad[m] = bad[m] || r.Err != nil
		}
		for _, m := range remarks {
			text := m
			if m == byTimer {
				text += lateness(results)
			}
			table.Painted(Shade(colour, outcome, bad[m]), "  "+string(outcome), fmt.Sprintf("%s (%d)%s", inventory.Fold(names[m]), len(names[m]), text))
		}
	}
	return table.Write(w)
}

// byTimer is said of hosts that a drill has proved, with how late their timers were.
const byTimer = ", by its timer "

// lateness is how long after the deadline the hosts of a drill were as before: of many hosts
// hardly two are alike.
func lateness(results []rollout.Result) string {
	var late []time.Duration
	for _, r := range results {
		if remark(r) == byTimer {
			late = append(late, r.Drilled.Late)
		}
	}
	first, last := slices.Min(late), slices.Max(late)
	text := first.String()
	if last > first {
		text += " to " + last.String()
	}
	return text + " after the deadline, as it was before"
}

// remark says what an outcome leaves a host with, where the word does not.
func remark(r rollout.Result) string {
	switch r.Outcome {
	case commit.OutcomeFailed, commit.OutcomeLocked, commit.OutcomeUnreachable:
		return ", untouched"
	case rollout.OutcomeSkipped:
		if r.Err != nil { // else the run does not concern it
			return ", untouched"
		}
	case commit.OutcomeReverted:
		if r.Err == nil && r.Drilled != nil {
			return byTimer
		}
		if errors.Is(r.Err, rollout.ErrStopped) {
			return ", taken back with its group"
		}
		return ", back on the old rules"
	case commit.OutcomePending:
		if !r.Deadline.IsZero() {
			return ", reverts by " + Clock(r.Deadline)
		}
	}
	return ""
}

// Shade is the colour of an outcome, of hosts of which some have an error or none has. A
// revert without one is what was asked for, by a drill or by fwpush revert.
func Shade(colour ui.Colour, o commit.Outcome, bad bool) func(string) string {
	switch {
	case o == commit.OutcomeConfirmed, o == commit.OutcomeReverted && !bad:
		return colour.Green
	case o == commit.OutcomeUnchanged, o == rollout.OutcomeSkipped:
		return colour.Dim
	case o == commit.OutcomeFailed, o == commit.OutcomeReverted, o == commit.OutcomeUnknown:
		return colour.Red
	}
	return colour.Yellow
}
