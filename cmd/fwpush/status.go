package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/progress"
	"fwpush/cmd/fwpush/internal/report"
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
		  left-behind  has rules of the fleet, and the file does not name it any more
		  unreachable  no login, or the connection broke
		  failed       a login, but no answer fwpush can use

		Whether a host runs what the fleet file says now is the question of fwpush diff.`) +
			exitStatus(exitOK, exitDifferences, exitConfig, exitFailed, exitUnreachable, exitInterrupted),
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var hosts []report.Status
			p, strays, err := c.known(cmd.Context(), g, f.Selection)
			defer p.close()
			if err == nil {
				err = p.preflight(cmd.Context(), strays...)
			}
			if err == nil {
				var seen []rollout.Result
				hosts, seen = c.statuses(append(p.targets, strays...), len(p.targets), p.options(f.forks, rollout.Risks{}))
				if err = endedRun(seen); err == nil && strict {
					err = endedStatus(hosts)
				}
			}
			if f.json() {
				return shown(err, ui.WriteJSON(c.out, report.Statuses{Schema: 1, Command: "status",
					Exit: exitCode(err), Error: reason(err), Hosts: append([]report.Status{}, hosts...)}))
			}
			if len(hosts) == 0 {
				return err
			}
			return shown(err, report.WriteStatus(c.out, c.outColour, hosts))
		},
	}
	f.register(cmd, true)
	cmd.Flags().BoolVar(&strict, "exit-code", false, "exit 1 unless every host is ok or absent, and would boot what it runs")
	return cmd
}

// known is reach with those of the selected hosts that are left behind, apart.
func (c *console) known(ctx context.Context, g *globals, s inventory.Selection) (*prepared, []rollout.Target, error) {
	f, err := c.load(ctx, g, nil)
	if err != nil {
		return nil, nil, err
	}
	members, strays, err := withLeftBehind(f, s, c.leftBehind(g, f))
	if err != nil {
		return nil, nil, err
	}
	if _, err := c.asSSH(ctx, f, members); err != nil {
		return nil, nil, err
	}
	return c.prepared(f, f.Bare(members)), strays, nil
}

// statuses asks all targets. From the first stray on they are not of the file any more:
// how they stand is no error.
func (c *console) statuses(targets []rollout.Target, strays int, o rollout.Options) ([]report.Status, []rollout.Result) {
	results := progress.New(c, targets, progress.Reads).Work(observe, targets, o)
	hosts := make([]report.Status, len(results))
	for i, r := range results {
		hosts[i] = report.StatusOf(r, time.Now())
		if i >= strays {
			hosts[i] = hosts[i].LeftBehind(targets[i].Candidate.Stamp.Fleet)
		}
		results[i].Facts = nil
	}
	return hosts, results[:strays]
}

// endedStatus is exit 1 where a host is not as it was confirmed, what it boots included. A host that
// has nothing to boot with is told of by other verbs.
func endedStatus(hosts []report.Status) error {
	var names []string
	for _, h := range hosts {
		if h.Outcome != "ok" && h.Outcome != "absent" || h.Boot == "differs" || h.Boot == "disabled" {
			names = append(names, h.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return ended(exitDifferences, "%s not as confirmed: %s", ui.Count(len(names), "host"), inventory.Fold(names))
}
