package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

func newStatus(c *console, g *globals) *cobra.Command {
	f := newHostFlags()
	strict := false
	cmd := &cobra.Command{
		Use:   "status",
		Short: "show how hosts stand, without changing anything",
		Long: paragraph(`
		Ask every selected host what it runs, and show it folded. States:

		  ok           runs what was confirmed
		  drift        the running rules were edited by hand, or are gone
		  pending      new rules wait for a confirm, and revert at the deadline
		  stuck        a revert could not be finished yet and goes on trying
		  open         no rules of fwpush could be loaded any more
		  absent       fwpush never confirmed anything here
		  unreachable  no login
		  failed       a login, but no answer fwpush can use

		Whether a host runs what the fleet file says now is the question of fwpush diff.`) +
			exitStatus(exitOK, exitDifferences, exitConfig, exitFailed, exitUnreachable, exitInterrupted),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var hosts []hostStatus
			p, err := c.reach(g, f.Selection)
			if err == nil {
				err = p.preflight(cmd.Context())
			}
			if err == nil {
				var seen []rollout.Result
				hosts, seen = c.statuses(p.targets, p.options(f.forks, rollout.Risks{}))
				if err = endedRun(seen); err == nil && strict {
					err = endedStatus(hosts)
				}
			}
			if f.json() {
				return c.printJSON(newStatusJSON(hosts, err), err)
			}
			if len(hosts) > 0 {
				if werr := c.writeStatus(hosts); err == nil {
					err = werr
				}
			}
			return err
		},
	}
	f.register(cmd, true)
	cmd.Flags().BoolVar(&strict, "exit-code", false, "exit 1 unless every host is ok or absent")
	return cmd
}

func (c *console) statuses(targets []rollout.Target, o rollout.Options) ([]hostStatus, []rollout.Result) {
	results := newProgress(c, targets, false).work(observe, targets, o)
	hosts := make([]hostStatus, len(results))
	for i, r := range results {
		hosts[i] = statusOf(r, time.Now())
		results[i].Facts = nil
	}
	return hosts, results
}

// statusJSON is what status prints with -o json.
type statusJSON struct {
	Schema  int          `json:"schema"`
	Command string       `json:"command"`
	Exit    int          `json:"exit"`
	Error   string       `json:"error,omitempty"`
	Hosts   []hostStatus `json:"hosts"`
}

func newStatusJSON(hosts []hostStatus, err error) statusJSON {
	return statusJSON{Schema: 1, Command: "status", Exit: exitCode(err), Error: reason(err), Hosts: append([]hostStatus{}, hosts...)}
}

// endedStatus is exit 1 where a host is not as it was confirmed.
func endedStatus(hosts []hostStatus) error {
	var names []string
	for _, h := range hosts {
		if h.Outcome != "ok" && h.Outcome != "absent" {
			names = append(names, h.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return ended(exitDifferences, "%s not as confirmed: %s", ui.Count(len(names), "host"), inventory.Fold(names))
}

// writeStatus prints a table, hosts that stand alike in one row.
func (c *console) writeStatus(hosts []hostStatus) error {
	type row struct{ state, run, boot, fleet, note string }
	var order []row
	names, last := map[row][]string{}, map[row]time.Time{}
	for _, h := range hosts {
		r := row{state: h.Outcome, run: orDash(h.Run), boot: orDash(h.Boot), fleet: orDash(h.Fleet), note: h.remark()}
		if names[r] == nil {
			order = append(order, r)
		}
		names[r] = append(names[r], h.Name)
		if h.deadline.After(last[r]) {
			last[r] = h.deadline
		}
	}
	var table ui.Table
	table.Row("STATE", "HOSTS", "CONFIRMED BY RUN", "BOOT", "FLEET", "")
	for _, r := range order {
		note := r.note
		if d := last[r]; !d.IsZero() {
			note = fmt.Sprintf("reverts by %s: %s", clock(d), note)
		}
		table.Painted(c.stateColour(r.state), r.state, fmt.Sprintf("%s (%d)", inventory.Fold(names[r]), len(names[r])), r.run, r.boot, r.fleet, note)
	}
	return table.Write(c.out)
}

// remark is what else there is to say of a host.
func (h hostStatus) remark() string {
	var parts []string
	if p := h.Pending; p != nil {
		parts = append(parts, fmt.Sprintf("run %s by %s, %s", p.Run, p.By, p.State))
	}
	if h.Error != "" {
		parts = append(parts, h.Error)
	}
	if h.Hint != "" {
		parts = append(parts, h.Hint)
	}
	if h.LastRevert != "" {
		parts = append(parts, "a revert fired "+h.LastRevert)
	}
	return strings.Join(append(parts, h.Notes...), "; ")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (c *console) stateColour(state string) func(string) string {
	switch state {
	case "ok":
		return c.outColour.Green
	case "absent":
		return c.outColour.Dim
	case "drift", "pending":
		return c.outColour.Yellow
	}
	return c.outColour.Red
}
