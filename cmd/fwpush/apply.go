package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/cmd/fwpush/internal/progress"
	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

func newApply(c *console, g *globals) *cobra.Command {
	f := newChangeFlags()
	dryRun, saved := false, only("FILE")
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
			exitStatus(exitOK, exitDifferences, exitConfig, exitFailed, exitUnreachable, exitUnknown, exitStopped, exitLocked, exitInterrupted),
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dryRun && saved.given {
				return &usageError{cmd, "--dry-run shows a change, --plan has one that was shown"}
			}
			if dryRun {
				return c.diff(cmd.Context(), g, f.hostFlags, f.accept.Risks)
			}
			var p *prepared
			var err error
			switch {
			case saved.given:
				if err := alone("--plan", f.Selection); err != nil {
					return &usageError{cmd, err.Error()}
				}
				p, err = c.planned(cmd.Context(), g, f, saved.v)
			default:
				p, err = c.prepare(cmd.Context(), g, f.Selection, f.accept.Risks, true)
			}
			if err == nil && len(p.targets) > 1 {
				err = c.mayGoOn(f.yes || p.approved, len(p.targets))
			}
			return c.push(cmd.Context(), "apply", p, f, err)
		},
	}
	f.register(cmd, true)
	cmd.Flags().Var(saved, "plan", "apply exactly what fwpush diff --out `FILE` saved; what has moved since is refused")
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
	if err == nil { // before a host is contacted, with all that are selected
		_, err = strategy(p.File, f.walk(), p.targets, &rollout.Options{Forks: p.options(f.forks, f.accept.Risks).Forks}, false)
	}
	if err == nil {
		err = p.preflight(ctx)
	}
	if err == nil {
		run, results, hosts, err = c.pushAll(p, f)
	}
	switch {
	case f.json():
		return c.done(err, c.writeRun(command, run, err, hosts))
	case len(results) == 0:
		return err
	}
	end := report.Ending{Run: run, Took: time.Since(began)}
	if command == "remove" { // its hosts are arguments
		end.Again = "fwpush remove"
	}
	return c.done(err, report.WriteResults(c.out, c.outColour, results, end))
}

// pushAll asks where it has to, and pushes. Only hosts whose change was shown are
// changed by a yes; the others stay as the review found them. Without anything to
// push there is no run.
func (c *console) pushAll(p *prepared, f *changeFlags) (run string, results []rollout.Result, hosts []report.Host, err error) {
	o := p.options(f.forks, f.accept.Risks)
	targets, seen := p.targets, []report.Change(nil)
	if !f.yes && !p.approved && c.isInteractive() {
		if seen, err = c.review(p, o); err != nil {
			return "", nil, nil, err
		}
		if targets = changing(p.targets, seen); len(targets) == 0 {
			results = report.Outcomes(seen)
			return "", results, report.ChangedHosts(seen), endedRun(results)
		}
		if err := c.approve(len(targets)); err != nil {
			return "", nil, nil, err
		}
	}
	notes, err := strategy(p.File, f.walk(), targets, &o, len(targets) < len(p.targets))
	if err != nil {
		return "", nil, nil, err
	}
	for _, n := range notes {
		c.Note("%s", n)
	}
	if run, err = p.stamp(c, f, targets); err != nil {
		return "", nil, nil, err
	}
	others := p.others()
	if seen != nil { // the review has told of them
		others = report.Others{}
	}
	pushed := c.pushTargets(targets, o, f.json(), others)
	for i, t := range p.targets {
		r, ok := pushed[t.Host.Name]
		switch {
		case !ok:
			r.Result, r.host = seen[i].Result, report.ChangedHosts(seen[i : i+1])[0]
		case seen != nil: // what the review opened is part of the run
			r.host.Connections += seen[i].Connections
			r.host.Execs += seen[i].Execs
		}
		results, hosts = append(results, r.Result), append(hosts, r.host)
	}
	return run, results, hosts, endedRun(results)
}

// pushed is how a host ended, for people and for programs.
type pushed struct {
	rollout.Result
	host report.Host
}

// pushTargets runs the commits and tells of them.
func (c *console) pushTargets(targets []rollout.Target, o rollout.Options, programs bool, others report.Others) map[string]pushed {
	byName := map[string]rollout.Target{}
	for _, t := range targets {
		byName[t.Host.Name] = t
	}
	diffs, kept := map[string]string{}, map[string]string{}
	run := progress.New(c, targets, progress.Changes)
	run.Facts = func(r rollout.Result) {
		t := byName[r.Name]
		if r.Back != nil {
			t = *r.Back
		}
		diff, byHand := report.DiffOf(t, *r.Facts)
		if programs {
			diffs[r.Name] = diff
		}
		if r.Outcome == commit.OutcomeConfirmed && !r.Facts.PolicySame {
			kept[r.Name] = r.Facts.Policy
		}
		if byHand != "" && r.Outcome == commit.OutcomeConfirmed {
			c.Tell("%s  note: %s", r.Name, byHand)
		}
	}
	c.Note("run %s: %s, window %s", targets[0].Candidate.Stamp.Run, foldedHosts(targets), targets[0].Candidate.Window)
	results := map[string]pushed{}
	for _, r := range run.Work(rollout.Apply, targets, o) {
		results[r.Name] = pushed{r, report.HostOf(r, diffs[r.Name])}
	}
	// Only now that nothing waits: to compare policies may take seconds.
	for _, note := range others.Notes(targets, kept) {
		c.Note("%s", note)
	}
	return results
}

func foldedHosts(targets []rollout.Target) string {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.Host.Name
	}
	return fmt.Sprintf("%s (%d)", inventory.Fold(names), len(names))
}

// review shows what would change.
func (c *console) review(p *prepared, o rollout.Options) ([]report.Change, error) {
	changes := c.inspect(p, o)
	if err := report.WriteChanges(c.err, c.errColour, changes); err != nil {
		return nil, err
	}
	return changes, nil
}

// changing are the targets whose change was shown, each bound to the host as it
// was then.
func changing(targets []rollout.Target, seen []report.Change) []rollout.Target {
	var list []rollout.Target
	for i, t := range targets {
		if seen[i].Outcome == rollout.OutcomeChanged {
			t.Reviewed = &rollout.Review{State: seen[i].Fingerprint, Digest: seen[i].Digest}
			list = append(list, t)
		}
	}
	return list
}

// approve asks. Whoever interrupts has not said yes.
func (c *console) approve(hosts int) error {
	type answer struct {
		yes bool
		err error
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupted)
	answers := make(chan answer, 1)
	go func() {
		yes, err := ui.Ask(c.in, c.err, fmt.Sprintf("Change %s?", ui.Count(hosts, "host")))
		answers <- answer{yes, err}
	}()
	select {
	case <-interrupted:
		c.Tell("")
		return ended(exitInterrupted, "interrupted at the question, no host was changed")
	case a := <-answers:
		if a.err == nil && !a.yes {
			return ended(exitInterrupted, "not approved, no host was changed; the answer that approves is yes")
		}
		return a.err
	}
}

// stamp draws the id of a run and marks every target with it.
func (p *prepared) stamp(c *console, f *changeFlags, targets []rollout.Target) (run string, err error) {
	run, err = rollout.NewRunID(time.Now())
	if err != nil {
		return "", err
	}
	window := p.Fleet.Rollout.Window
	if f.window.given {
		window = f.window.v
	}
	plan.Stamp(targets, run, actor(c.getenv), window)
	return run, nil
}
