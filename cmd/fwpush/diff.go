package main

import (
	"context"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/progress"
	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/rollout"
)

func newDiff(c *console, g *globals) *cobra.Command {
	f := newHostFlags()
	out := only("FILE")
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "show what an apply would change, without changing anything",
		Long: paragraph(`
		Ask every selected host what it runs and show what an apply would change. Hosts
		with the same change are shown once, under one folded name. What was edited by
		hand on a host (drift) is shown as what an apply would take back.

		Nothing on the hosts is changed, locked or created: the program that runs there
		holds no code that could.`) +
			exitStatus(exitOK, exitDifferences, exitConfig, exitFailed, exitUnreachable, exitLocked, exitInterrupted),
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.diff(cmd.Context(), g, f, rollout.Risks{}, out.v)
		},
	}
	f.register(cmd, true)
	cmd.Flags().Var(out, "out", "save what is shown as a plan in `FILE`, for fwpush apply --plan")
	return cmd
}

// diff is the verb, and apply --dry-run. What it shows is saved as a plan too where out
// names a file.
func (c *console) diff(ctx context.Context, g *globals, f *hostFlags, accept rollout.Risks, out string) error {
	var changes []report.Change
	p, err := c.prepare(ctx, g, f.Selection, accept, false)
	if err == nil {
		err = p.preflight(ctx)
	}
	if err == nil {
		changes = c.inspect(p, p.options(f.forks, accept))
		err = endedRun(report.Outcomes(changes))
		if out != "" {
			if saving := c.save(out, p, changes); saving != nil {
				return saving
			}
		}
	}
	if f.json() {
		return shown(err, c.writeRun("diff", "", err, report.ChangedHosts(changes)))
	}
	return shown(err, report.WriteChanges(c.out, c.outColour, changes))
}

// inspect asks all targets for their facts and compares.
func (c *console) inspect(p *prepared, o rollout.Options) []report.Change {
	others := p.others()
	results := progress.New(c, p.targets, progress.Reads).Work(observe, p.targets, o)
	changes := make([]report.Change, len(results))
	for i, r := range results {
		t := p.targets[i]
		if r.Back != nil {
			t = *r.Back
		}
		changes[i] = report.ChangeOf(t, rollout.Observation{Result: r}, o.Accept, others)
	}
	return changes
}

// observe is rollout.Inspect as a worker.
func observe(ctx context.Context, targets []rollout.Target, o rollout.Options) []rollout.Result {
	seen := rollout.Inspect(ctx, targets, o)
	results := make([]rollout.Result, len(seen))
	for i := range seen {
		results[i] = seen[i].Result
	}
	return results
}
