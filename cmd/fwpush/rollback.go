package main

import (
	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/internal/commit"
)

func newRollback(c *console, g *globals) *cobra.Command {
	f := newChangeFlags()
	to := only("GEN|RUN")
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "go back to rules that hosts confirmed before",
		Long: paragraph(`
		Take every selected host back to the rules it had before those it has now, or to the
		generation that --to names. It is done in the way rules are pushed: with a revert
		armed, confirmed over a fresh connection, in waves. The rules come from the host
		itself, which keeps its last five generations; those it leaves stay among them, so
		that a second rollback goes forward again.

		--to is the number of a generation of a host, as fwpush status -o json tells it, or the
		run that confirmed it, which is the same for all hosts of that run. A host that does not
		keep that generation stays as it is and counts as failed.

		The fleet file is not changed: the next apply pushes what it says.`) +
			exitStatus(exitOK, exitConfig, exitFailed, exitUnreachable, exitUnknown, exitStopped, exitLocked, exitInterrupted),
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			which, again := commit.Previous, []string{"rollback", "-l"}
			if to.given {
				which, again = to.v, []string{"rollback", "--to", to.v, "-l"}
				if err := commit.CheckGeneration(which); err != nil {
					return &usageError{cmd, "--to " + err.Error()}
				}
			}
			p, err := c.reach(cmd.Context(), g, f.Selection)
			if err == nil {
				plan.GoBack(p.targets, which)
			}
			run := &push{console: c, g: g, f: f, cmd: cmd, again: again}
			return run.do(cmd.Context(), p, err)
		},
	}
	f.register(cmd, true)
	cmd.Flags().Var(to, "to", "generation of the host, or the run that confirmed it; default the one before")
	return cmd
}
