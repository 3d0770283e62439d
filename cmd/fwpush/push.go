package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/compare"
	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/cmd/fwpush/internal/progress"
	"fwpush/cmd/fwpush/internal/record"
	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/inventory"
	"fwpush/render"
)

// push is a command that changes hosts, from the yes to what is said at its end. It is
// what apply, rollback and remove have in common.
type push struct {
	*console
	g          *globals
	f          *changeFlags
	cmd        *cobra.Command
	again      []string // the command for hosts that want another try, nil if the run can be resumed
	alwaysAsks bool     // for one host, too
}

// pushed is how a host ended, for people and for programs.
type pushed struct {
	rollout.Result
	host report.Host
}

// outcome is how a run ended.
type outcome struct {
	run   string // its id, "" if there was nothing to push
	hosts []pushed
}

func (o outcome) results() []rollout.Result {
	list := make([]rollout.Result, len(o.hosts))
	for i, h := range o.hosts {
		list[i] = h.Result
	}
	return list
}

// do pushes what is prepared, and says how that ended. With an error there is no run.
func (u *push) do(ctx context.Context, p *prepared, err error) error {
	began := time.Now()
	defer p.close()
	if err == nil && (len(p.targets) > 1 || u.alwaysAsks) {
		err = u.mayGoOn(u.f.yes || p.approved, len(p.targets))
	}
	if err == nil { // before a host is contacted, with all that are selected
		_, err = strategy(p.File, u.f.walk(), p.targets, &rollout.Options{Forks: p.options(u.f.forks, u.f.accept.Risks).Forks}, false)
	}
	if err == nil {
		err = p.preflight(ctx)
	}
	var end outcome
	if err == nil {
		end, err = u.approved(ctx, p)
	}
	switch {
	case u.f.json():
		hosts := make([]report.Host, len(end.hosts))
		for i, h := range end.hosts {
			hosts[i] = h.host
		}
		return u.done(err, u.writeRun(u.cmd.Name(), end.run, err, hosts))
	case len(end.hosts) == 0:
		return err
	}
	return u.done(err, report.WriteResults(u.out, u.outColour, end.results(), report.Ending{Run: end.run, Took: time.Since(began), Again: u.again, Typing: u.g.typing(p.Fleet.Path)}))
}

// approved asks where it has to, and pushes. Only hosts whose change was shown are
// changed by a yes; the others stay as the review found them. Without anything to
// push there is no run.
func (u *push) approved(ctx context.Context, p *prepared) (outcome, error) {
	o := p.options(u.f.forks, u.f.accept.Risks)
	if u.f.yes || p.approved || !u.isInteractive() {
		return u.run(ctx, p, p.targets, o, p.others())
	}
	seen, err := u.review(p, o)
	if err != nil {
		return outcome{}, err
	}
	hosts := compare.ChangedHosts(seen)
	targets := changing(p.targets, seen)
	end := outcome{}
	if len(targets) > 0 {
		if err := u.approve(len(targets)); err != nil {
			return outcome{}, err
		}
		// The review has told of the others.
		if end, err = u.run(ctx, p, targets, o, compare.Others{}); err != nil && len(end.hosts) == 0 {
			return outcome{}, err
		}
	}
	byName := map[string]pushed{}
	for _, h := range end.hosts {
		byName[h.Name] = h
	}
	end.hosts = nil
	for i := range p.targets {
		h, changed := byName[seen[i].Name]
		if !changed {
			h = pushed{seen[i].Result, hosts[i]}
		} else { // what the review opened is part of the run
			h.host.Connections += seen[i].Connections
			h.host.Execs += seen[i].Execs
		}
		end.hosts = append(end.hosts, h)
	}
	return end, endedRun(end.results())
}

// run pushes to targets, with a record of its own.
func (u *push) run(ctx context.Context, p *prepared, targets []rollout.Target, o rollout.Options, others compare.Others) (outcome, error) {
	walk := u.f.walk()
	notes, err := strategy(p.File, walk, targets, &o, len(targets) < len(p.targets))
	if err != nil {
		return outcome{}, err
	}
	for _, n := range notes {
		u.Note("%s", n)
	}
	end, err := u.recorded(ctx, p, targets, o, others, u.cmd.Name(), map[string]string{})
	if err != nil {
		return end, err
	}
	if stop := stopOf(end.results()); stop != nil && p.RollsBack(walk) {
		u.rollBack(ctx, p, targets, o, &end, stop)
	}
	return end, endedRun(end.results())
}

// recorded is a run from its record's first line to the last. An error means that there
// was none.
func (u *push) recorded(ctx context.Context, p *prepared, targets []rollout.Target, o rollout.Options, others compare.Others, command string, options map[string]string) (outcome, error) {
	run, err := rollout.NewRunID(time.Now())
	if err != nil {
		return outcome{}, err
	}
	window := p.Fleet.Rollout.Window
	if u.f.window.given {
		window = u.f.window.v
	}
	plan.Stamp(targets, run, actor(u.getenv), window)
	rec, err := u.begin(ctx, u.g, p.File, beginning{command: command, run: run, targets: targets, waves: o.Waves, flags: u.cmd.Flags(), options: options, events: u.f.events})
	if err != nil {
		return outcome{}, err
	}
	o.Journal, o.Event = rec, rec.Event
	end := outcome{run: run, hosts: u.pushTargets(targets, o, rec, others)}
	how := endedRun(end.results())
	rec.Finish(exitCode(how), reason(how))
	return end, nil
}

// pushTargets runs the commits and tells of them.
func (u *push) pushTargets(targets []rollout.Target, o rollout.Options, rec *record.Recorder, others compare.Others) []pushed {
	byName := make(map[string]*rollout.Target, len(targets))
	for i := range targets {
		byName[targets[i].Host.Name] = &targets[i]
	}
	diffs, kept := map[string]string{}, map[string]string{}
	watch := progress.New(u, targets, progress.Changes)
	watch.Interrupted = rec.Interrupted
	watch.Facts = func(r rollout.Result) {
		if u.f.json() {
			t := byName[r.Name]
			if r.Back != nil {
				t = r.Back
			}
			diffs[r.Name] = compare.DiffOf(*t, *r.Facts)
		}
		if r.Outcome == commit.OutcomeConfirmed && !r.Facts.PolicySame {
			kept[r.Name] = r.Facts.Policy
		}
		if r.Outcome == commit.OutcomeConfirmed {
			if byHand := compare.ByHand(*r.Facts); byHand != "" {
				u.Tell("%s  note: %s", r.Name, byHand)
			}
		}
	}
	u.Note("run %s: %s, window %s", targets[0].Candidate.Stamp.Run, foldedHosts(targets), targets[0].Candidate.Window)
	var list []pushed
	for _, r := range watch.Work(rollout.Apply, targets, o) {
		if watch.Left() { // nobody else writes down how the hosts were left
			rec.Ended(r)
		}
		list = append(list, pushed{r, report.HostOf(r, diffs[r.Name])})
	}
	// Only now that nothing waits: to compare policies may take seconds.
	for _, note := range others.Notes(targets, kept) {
		u.Note("%s", note)
	}
	return list
}

// stopOf is what stopped a run, nil if nothing did.
func stopOf(results []rollout.Result) *rollout.StopError {
	var stop *rollout.StopError
	for _, r := range results {
		if errors.As(r.Err, &stop) {
			return stop
		}
	}
	return nil
}

// rollBack takes the hosts that a stopped run had confirmed back to what they were
// before, in a run of its own. How they end becomes how they ended in the first one.
func (u *push) rollBack(ctx context.Context, p *prepared, targets []rollout.Target, o rollout.Options, end *outcome, stop *rollout.StopError) {
	var back []rollout.Target
	var index []int
	for i, h := range end.hosts {
		if h.Outcome == commit.OutcomeConfirmed && h.Err == nil {
			t := targets[i]
			// A probe of the new rules says nothing about the old ones.
			t.Candidate.Rules, t.Candidate.Want, t.Candidate.Remove = render.Ruleset{}, "", false
			t.Print, t.Reviewed, t.Probes = nil, nil, nil
			back, index = append(back, t), append(index, i)
		}
	}
	if len(back) == 0 {
		return
	}
	plan.GoBack(back, commit.Before)
	u.Note("the run stopped, and hosts that it had confirmed go back: %s", foldedHosts(back))
	o.Strategy = rollout.Strategy{MaxFailures: inventory.Budget{Percent: 100}, Serial: o.Strategy.Serial}
	o.Waves, _ = rollout.Waves(back, o.Strategy) // there is an error of canaries only
	second, err := u.recorded(ctx, p, back, o, compare.Others{}, "rollback", map[string]string{"because": end.run})
	if err != nil {
		u.Tell("the hosts stay as they are: %v", err)
		return
	}
	for k, i := range index {
		h := second.hosts[k]
		switch {
		case h.Err == nil && (h.Outcome == commit.OutcomeConfirmed || h.Outcome == commit.OutcomeUnchanged):
			h.Result.Outcome, h.Result.Err = commit.OutcomeReverted, stop
			h.Result.Hint = "it was confirmed, and went back in run " + second.run
		case h.Err != nil:
			h.Result.Err = fmt.Errorf("it was confirmed and should go back: %w", h.Err)
			h.Result.Outcome = end.hosts[i].Outcome
		}
		h.Result.Connections += end.hosts[i].Connections
		h.Result.Execs += end.hosts[i].Execs
		h.Wave = end.hosts[i].Wave
		end.hosts[i] = pushed{h.Result, report.HostOf(h.Result, end.hosts[i].host.Diff)}
	}
}

func foldedHosts(targets []rollout.Target) string {
	return fmt.Sprintf("%s (%d)", inventory.Fold(names(targets)), len(targets))
}
