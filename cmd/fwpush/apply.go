package main

import (
	"github.com/spf13/cobra"

	"fwpush/internal/rollout"
)

func newApply(c *console, g *globals) *cobra.Command {
	f := newChangeFlags()
	dryRun, saved, resume := false, only("FILE"), only("RUN")
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "push the rules, and confirm each host over a fresh connection",
		Long: paragraph(`
		Push the rules of the fleet file to every selected host that does not run them
		yet. Before the first connection the whole selection is compiled and proved not to
		lock this machine out. On each host the revert is armed and seen to work before
		the new rules are loaded; only a fresh SSH connection that gets in cancels it.

		Hosts go in waves (--canary, --batch, rollout.waves), and in each wave in commit
		groups of at most --forks hosts that change. A group is confirmed as one, once all
		of it is in, every probe has passed and the soak is over, or it reverts as one. More
		failed hosts than --max-fail stop the run, and so does a canary that is not
		confirmed; what the run did not come to is untouched.

		On a terminal the changes are shown and a yes is asked for. Without a terminal
		more than one host needs --yes.

		The first interrupt starts no new host, and hosts in flight finish. The second
		takes back what is not confirmed, as SIGTERM does at once. The third leaves: hosts
		in flight revert by themselves.`) +
			exitStatus(exitOK, exitDifferences, exitConfig, exitFailed, exitUnreachable, exitUnknown, exitStopped, exitLocked, exitInterrupted),
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, run := cmd.Context(), &push{console: c, g: g, f: f, cmd: cmd}
			var p *prepared
			var err error
			switch {
			case saved.given && resume.given:
				return &usageError{cmd, "--plan and --resume both say what is to be done"}
			case dryRun && (saved.given || resume.given):
				return &usageError{cmd, "--dry-run shows a change; --plan and --resume have one that was shown"}
			case dryRun:
				return c.diff(ctx, g, f.hostFlags, f.accept.Risks)
			case saved.given:
				if err := alone("--plan", f.Selection); err != nil {
					return &usageError{cmd, err.Error()}
				}
				p, err = c.planned(ctx, g, f, saved.v)
			case resume.given:
				if err := rollout.CheckRunID(resume.v); err != nil {
					return &usageError{cmd, err.Error()}
				}
				p, err = c.resumed(ctx, g, f, cmd.Flags(), resume.v)
			default:
				p, err = c.prepare(ctx, g, f.Selection, f.readiness())
			}
			return run.do(ctx, p, err)
		},
	}
	f.register(cmd, true)
	cmd.Flags().StringArrayVar(&f.probes, "probe", nil, "probe every host in this run as well, in the words of the fleet file: `PROBE` is such as 'tcp = 443, expect = false'")
	cmd.Flags().Var(saved, "plan", "apply exactly what fwpush diff --out `FILE` saved; what has moved since is refused")
	cmd.Flags().Var(resume, "resume", "go on with `RUN` on the hosts that it did not confirm, if they would still get the same rules, with its --batch, --soak, --max-fail, --max-unreachable, --on-stop, --window and --probe unless given anew")
	_ = cmd.RegisterFlagCompletionFunc("resume", c.completeRuns)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "the same as fwpush diff")
	return cmd
}
