package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/cmd/fwpush/internal/progress"
	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/render"
)

func newApply(c *console, g *globals) *cobra.Command {
	f := newChangeFlags()
	dryRun := false
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "push the rules, and confirm each host over a fresh connection",
		Long: paragraph(`
		Push the rules of the fleet file to every selected host that does not run them
		yet. Before the first connection the whole selection is compiled and proved not to
		lock this machine out. On each host the revert is armed and seen to work before
		the new rules are loaded; only a fresh SSH connection that gets in cancels it.

		On a terminal the changes are shown and a yes is asked for. Without a terminal
		more than one host needs --yes.

		The first interrupt starts no new host, and hosts in flight finish. The second
		takes back what is not confirmed, as SIGTERM does at once. The third leaves: hosts
		in flight revert by themselves.`) +
			exitStatus(exitOK, exitDifferences, exitConfig, exitFailed, exitUnreachable, exitUnknown, exitLocked, exitInterrupted),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dryRun {
				return c.diff(cmd.Context(), g, f.hostFlags, f.accept.Risks)
			}
			p, err := c.prepare(cmd.Context(), g, f.Selection, f.accept.Risks)
			if err == nil && len(p.targets) > 1 {
				err = c.mayGoOn(f.yes, len(p.targets))
			}
			return c.push(cmd.Context(), "apply", p, f, err)
		},
	}
	f.register(cmd, true)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "the same as fwpush diff")
	return cmd
}

// mayGoOn refuses to change hosts where nobody said yes and nobody can be asked.
func (c *console) mayGoOn(yes bool, hosts int) error {
	if yes || c.isInteractive() {
		return nil
	}
	need := "need"
	if hosts == 1 {
		need = "needs"
	}
	return ended(exitConfig, "refused: not interactive; %s %s --yes or a terminal", ui.Count(hosts, "host"), need)
}

// push is what apply and remove have in common: approval, the run, and what
// is said of it. With an error there is no run.
func (c *console) push(ctx context.Context, command string, p *prepared, f *changeFlags, err error) error {
	run := ""
	var hosts []report.Host
	var results []rollout.Result
	began := time.Now()
	if err == nil {
		err = p.preflight(ctx)
	}
	if err == nil {
		run, err = p.stamp(c, f)
	}
	if err == nil {
		results, hosts, err = c.pushAll(p, f)
	}
	switch {
	case f.json():
		return c.done(err, c.writeRun(command, run, err, hosts))
	case len(results) == 0:
		return err
	}
	again := "fwpush " + command + " -l"
	if command == "remove" { // its hosts are arguments
		again = "fwpush remove"
	}
	return c.done(err, report.WriteResults(c.out, c.outColour, run, results, time.Since(began), again))
}

// pushAll asks where it has to, and pushes.
func (c *console) pushAll(p *prepared, f *changeFlags) ([]rollout.Result, []report.Host, error) {
	o := p.options(f.forks, f.accept.Risks)
	if !f.yes && c.isInteractive() {
		changes, err := c.approve(p.targets, o)
		if changes != nil || err != nil {
			return report.Outcomes(changes), report.ChangedHosts(changes), err
		}
	}
	diffs := map[string]string{}
	run := progress.New(c, p.targets, true)
	if f.json() {
		candidates := map[string]render.Ruleset{}
		for _, t := range p.targets {
			candidates[t.Host.Name] = t.Candidate.Rules
		}
		run.Facts = func(r rollout.Result) {
			diffs[r.Name] = render.Compare(r.Facts.Rules, candidates[r.Name]).Text
		}
	}
	c.Note("run %s: %s, window %s", p.targets[0].Candidate.Stamp.Run, foldedHosts(p.targets), p.targets[0].Candidate.Window)
	results := run.Work(rollout.Apply, p.targets, o)
	hosts := make([]report.Host, len(results))
	for i, r := range results {
		hosts[i] = report.HostOf(r, diffs[r.Name])
	}
	return results, hosts, endedRun(results)
}

func foldedHosts(targets []rollout.Target) string {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.Host.Name
	}
	return fmt.Sprintf("%s (%d)", inventory.Fold(names), len(names))
}

// approve shows what would change and asks. With changes, or an error, in return
// there is nothing to push: no host would change, or the answer was no.
func (c *console) approve(targets []rollout.Target, o rollout.Options) ([]report.Change, error) {
	changes := c.inspect(targets, o)
	if err := report.WriteChanges(c.err, c.errColour, changes); err != nil {
		return nil, err
	}
	n := 0
	for _, ch := range changes {
		if ch.Outcome == rollout.OutcomeChanged {
			n++
		}
	}
	if n == 0 {
		return changes, endedRun(report.Outcomes(changes))
	}
	yes, err := ui.Ask(c.in, c.err, fmt.Sprintf("Change %s?", ui.Count(n, "host")))
	if err == nil && !yes {
		err = ended(exitInterrupted, "not approved, no host was changed")
	}
	return nil, err
}

// stamp draws the id of the run and marks every target with it.
func (p *prepared) stamp(c *console, f *changeFlags) (run string, err error) {
	run, err = rollout.NewRunID(time.Now())
	if err != nil {
		return "", err
	}
	window := p.Fleet.Rollout.Window
	if f.window.given {
		window = f.window.v
	}
	plan.Stamp(p.targets, run, actor(c.getenv), window)
	return run, nil
}
