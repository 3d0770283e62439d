package main

import (
	"fmt"
	"slices"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// resultJSON is the one object that apply, diff, confirm, revert and remove
// print with -o json. Fields are only ever added.
type resultJSON struct {
	Schema  int        `json:"schema"`
	Run     string     `json:"run,omitempty"`
	Command string     `json:"command"`
	Exit    int        `json:"exit"`
	Error   string     `json:"error,omitempty"` // why it is not 0
	Hosts   []hostJSON `json:"hosts"`
}

type hostJSON struct {
	Name        string   `json:"name"`
	Outcome     string   `json:"outcome"`
	Stage       string   `json:"stage"`
	Error       string   `json:"error"`
	Hint        string   `json:"hint"`
	Wave        int      `json:"wave"`
	Digest      string   `json:"digest"`
	Previous    string   `json:"previous"`
	Deadline    string   `json:"deadline"` // RFC 3339, UTC; "" where no timer is armed
	Connections int      `json:"connections"`
	Execs       int      `json:"execs"`
	Seconds     float64  `json:"seconds"`
	Diff        string   `json:"diff"`
	Drift       bool     `json:"drift"`
	Notes       []string `json:"notes,omitempty"`
}

func hostAsJSON(r rollout.Result, diff string) hostJSON {
	h := hostJSON{
		Name: r.Name, Outcome: string(r.Outcome), Stage: string(r.Stage), Hint: r.Hint, Wave: r.Wave,
		Digest: r.Digest, Previous: r.Previous, Connections: r.Connections, Execs: r.Execs,
		Seconds: float64(r.Took.Milliseconds()) / 1000, Diff: diff, Drift: r.Drift, Notes: r.Notes,
	}
	if r.Err != nil {
		h.Error = cause(r)
	}
	if !r.Deadline.IsZero() {
		h.Deadline = r.Deadline.UTC().Format(time.RFC3339)
	}
	return h
}

// newResultJSON begins the object of a command that ends with err.
func newResultJSON(command, run string, err error) resultJSON {
	return resultJSON{Schema: 1, Run: run, Command: command, Exit: exitCode(err), Error: reason(err), Hosts: []hostJSON{}}
}

// printJSON writes the object of a command that ends with err, and returns that.
func (c *console) printJSON(v any, err error) error {
	if werr := ui.WriteJSON(c.out, v); err == nil {
		err = werr
	}
	return err
}

// outcomes in the order in which a summary names them, the good ones first.
func outcomeOrder() []commit.Outcome {
	return []commit.Outcome{
		commit.OutcomeConfirmed, commit.OutcomeUnchanged, rollout.OutcomeChanged, commit.OutcomePending, commit.OutcomeReverted,
		commit.OutcomeFailed, commit.OutcomeLocked, commit.OutcomeUnreachable, commit.OutcomeUnknown, rollout.OutcomeSkipped,
	}
}

// summary prints how many hosts ended in which way, folded.
func (c *console) summary(results []rollout.Result) error {
	var table ui.Table
	for _, outcome := range outcomeOrder() {
		var names []string
		for _, r := range results {
			if r.Outcome == outcome {
				names = append(names, r.Name)
			}
		}
		if len(names) > 0 {
			table.Painted(c.shade(outcome), "  "+string(outcome), fmt.Sprintf("%s (%d)%s", inventory.Fold(names), len(names), remark(outcome)))
		}
	}
	return table.Write(c.out)
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

func (c *console) shade(o commit.Outcome) func(string) string {
	switch o {
	case commit.OutcomeConfirmed:
		return c.outColour.Green
	case commit.OutcomeUnchanged, rollout.OutcomeSkipped:
		return c.outColour.Dim
	case commit.OutcomeFailed, commit.OutcomeReverted, commit.OutcomeUnknown:
		return c.outColour.Red
	}
	return c.outColour.Yellow
}

// conclude prints the result of a run: how long it took, its id, how many hosts
// ended in which way, and what to do next. again is the command for hosts that
// want another try; their names are added.
func (c *console) conclude(run string, results []rollout.Result, took time.Duration, again string) error {
	unit := time.Second
	if took < 10*time.Second {
		unit = 100 * time.Millisecond
	}
	if _, err := fmt.Fprintf(c.out, "Done in %s · run %s\n", took.Round(unit), run); err != nil {
		return err
	}
	if err := c.summary(results); err != nil {
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
			if _, err := fmt.Fprintf(c.out, "next: %s '%s'\n", next.command, inventory.Fold(names)); err != nil {
				return err
			}
		}
	}
	return nil
}
