package main

import (
	"context"

	"github.com/spf13/cobra"

	"fwpush/internal/rollout"
)

func newDiff(c *console, g *globals) *cobra.Command {
	f := newHostFlags()
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
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.diff(cmd.Context(), g, f, rollout.Risks{})
		},
	}
	f.register(cmd, true)
	return cmd
}

// diff is the verb, and apply --dry-run.
func (c *console) diff(ctx context.Context, g *globals, f *hostFlags, accept rollout.Risks) error {
	var changes []change
	p, err := c.prepare(ctx, g, f.Selection, accept)
	if err == nil {
		err = p.preflight(ctx)
	}
	if err == nil {
		changes = c.inspect(p.targets, p.options(f.forks, accept))
		err = endedRun(outcomes(changes))
	}
	if f.json() {
		result := newResultJSON("diff", "", err)
		result.Hosts = append(result.Hosts, changesAsJSON(changes)...)
		return c.printJSON(result, err)
	}
	if werr := writeChanges(c.out, c.outColour, changes); err == nil {
		err = werr
	}
	return err
}
