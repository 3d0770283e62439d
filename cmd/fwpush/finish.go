package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/progress"
	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/rollout"
)

const exampleRun = "20261122T143055Z-7f3c91ab"

func newConfirm(c *console, g *globals) *cobra.Command {
	f := newHostFlags()
	cmd := &cobra.Command{
		Use:   "confirm RUN",
		Short: "finish a run that was left pending",
		Long: paragraph(`
		Confirm the hosts where RUN is pending, as after a controller died in the middle of
		an apply. On each of them a fresh connection must get in once more. A host that is
		confirmed already says so again; one that has reverted stays as it is.

		RUN is printed by fwpush apply and fwpush status.`) + finishStatus(),
		Args: one("RUN", exampleRun),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.finish(cmd, g, f, args[0], func(ctx context.Context, t []rollout.Target, o rollout.Options) []rollout.Result {
				return rollout.ConfirmRun(ctx, t, args[0], o)
			})
		},
	}
	f.register(cmd, true)
	return cmd
}

func newRevert(c *console, g *globals) *cobra.Command {
	f := newHostFlags()
	cmd := &cobra.Command{
		Use:   "revert RUN",
		Short: "take back a run that was left pending, now",
		Long: paragraph(`
		Fire the reverts of RUN on the hosts where it is pending, without waiting for their
		timers. A host where RUN is confirmed already stays confirmed and is reported.

		RUN is printed by fwpush apply and fwpush status.`) + finishStatus(),
		Args: one("RUN", exampleRun),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.finish(cmd, g, f, args[0], func(ctx context.Context, t []rollout.Target, o rollout.Options) []rollout.Result {
				return rollout.RevertRun(ctx, t, args[0], o)
			})
		},
	}
	f.register(cmd, true)
	return cmd
}

func finishStatus() string {
	return exitStatus(exitOK, exitConfig, exitFailed, exitUnreachable, exitUnknown, exitInterrupted)
}

// finish does something with the hosts of a run that another command began.
func (c *console) finish(cmd *cobra.Command, g *globals, f *hostFlags, run string, do progress.Worker) error {
	began := time.Now()
	if err := rollout.CheckRunID(run); err != nil {
		return &usageError{cmd, err.Error()}
	}
	var results []rollout.Result
	p, err := c.reach(cmd.Context(), g, f.Selection)
	if err == nil {
		err = p.preflight(cmd.Context())
	}
	if err == nil {
		results = progress.New(c, p.targets, progress.Changes).Work(do, p.targets, p.options(f.forks, rollout.Risks{}))
		err = endedRun(results)
		if err == nil && !concerned(results) {
			err = ended(exitFailed, "run %s is neither pending nor confirmed on any selected host", run)
		}
	}
	switch {
	case f.json():
		hosts := make([]report.Host, len(results))
		for i, r := range results {
			hosts[i] = report.HostOf(r, "")
		}
		return c.done(err, c.writeRun(cmd.Name(), run, err, hosts))
	case len(results) == 0:
		return err
	}
	return c.done(err, report.WriteResults(c.out, c.outColour, results,
		report.Ending{Run: run, Took: time.Since(began), Again: "fwpush " + cmd.Name() + " " + run + " -l"}))
}

// concerned says whether the run was found anywhere: a mistyped one must not
// look like success.
func concerned(results []rollout.Result) bool {
	for _, r := range results {
		if r.Outcome != rollout.OutcomeSkipped {
			return true
		}
	}
	return false
}
