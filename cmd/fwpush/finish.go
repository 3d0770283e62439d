package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/cmd/fwpush/internal/progress"
	"fwpush/cmd/fwpush/internal/record"
	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/commit"
	"fwpush/internal/journal"
	"fwpush/internal/rollout"
	"fwpush/inventory"
)

const exampleRun = "20261122T143055Z-7f3c91ab"

func newConfirm(c *console, g *globals) *cobra.Command {
	f := newFinishFlags()
	cmd := &cobra.Command{
		Use:   "confirm RUN",
		Short: "finish a run that was left pending",
		Long: paragraph(`
		Confirm the hosts where RUN is pending, as after a controller died in the middle of
		an apply. On each of them a fresh connection must get in once more, and the probes
		must pass, unless the record of RUN on this machine says that they had and that RUN
		was to be confirmed. A host that is confirmed already says so again; one that has
		reverted stays as it is: fwpush apply --resume RUN goes on with those.

		RUN is printed by fwpush apply and fwpush status.`) + finishStatus(),
		Args:              one("RUN", exampleRun),
		ValidArgsFunction: c.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.finish(cmd, g, f, args[0], rollout.ConfirmRun)
		},
	}
	f.register(cmd)
	return cmd
}

func newRevert(c *console, g *globals) *cobra.Command {
	f := newFinishFlags()
	cmd := &cobra.Command{
		Use:   "revert RUN",
		Short: "take back a run that was left pending, now",
		Long: paragraph(`
		Fire the reverts of RUN on the hosts where it is pending, without waiting for their
		timers. A host where RUN is confirmed already stays confirmed and is reported.

		RUN is printed by fwpush apply and fwpush status.`) + finishStatus(),
		Args:              one("RUN", exampleRun),
		ValidArgsFunction: c.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.finish(cmd, g, f, args[0], rollout.RevertRun)
		},
	}
	f.register(cmd)
	return cmd
}

// finishFlags are those of both verbs.
type finishFlags struct {
	*hostFlags
	events *checked[string]
}

func newFinishFlags() *finishFlags { return &finishFlags{newHostFlags(), only("FILE")} }

func (f *finishFlags) register(cmd *cobra.Command) {
	f.hostFlags.register(cmd, true)
	registerEvents(cmd, f.events)
}

// worker is what either does.
type worker func(ctx context.Context, targets []rollout.Target, run string, o rollout.Options) []rollout.Result

func finishStatus() string {
	return exitStatus(exitOK, exitConfig, exitFailed, exitUnreachable, exitUnknown, exitInterrupted)
}

// finish does something with the hosts of a run that another command began. What is on
// record of the run here says which hosts these are and where its fleet file is; without
// a record the hosts themselves are asked.
func (c *console) finish(cmd *cobra.Command, g *globals, f *finishFlags, run string, do worker) error {
	began := time.Now()
	if err := rollout.CheckRunID(run); err != nil {
		return &usageError{cmd, err.Error()}
	}
	var results []rollout.Result
	rec, p, decided, err := c.takeUp(cmd, g, f, run)
	defer p.close()
	if err == nil {
		err = p.preflight(cmd.Context())
	}
	if err == nil {
		o := p.options(f.forks, rollout.Risks{})
		o.Event, o.Journal, o.Decided = rec.Event, rec, decided
		watch := progress.New(c, p.targets, progress.Changes)
		watch.Interrupted = rec.Interrupted
		results = watch.Work(func(ctx context.Context, t []rollout.Target, o rollout.Options) []rollout.Result {
			return do(ctx, t, run, o)
		}, p.targets, o)
		err = endedRun(results)
		if err == nil && !concerned(results) {
			err = ended(exitFailed, "run %s is neither pending nor confirmed on any selected host", run)
		}
	}
	rec.Finish(exitCode(err), reason(err))
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
	return c.done(err, report.WriteResults(c.out, c.outColour, results, report.Ending{Run: run, Took: time.Since(began), Again: []string{cmd.Name(), run, "-l"}, Typing: g.typing(p.Fleet.Path)}))
}

// takeUp finds out which hosts a run is about, and which of them it had decided to
// confirm. The recorder is nil where there is no record of the run.
func (c *console) takeUp(cmd *cobra.Command, g *globals, f *finishFlags, run string) (*record.Recorder, *prepared, map[string]commit.Secrets, error) {
	s, err := c.store(g)
	if err != nil {
		return nil, nil, nil, err
	}
	past, err := s.Load(run)
	if err != nil {
		if !errors.Is(err, journal.ErrNoRun) {
			c.Tell("%v; the hosts are asked as if there were no record", err)
		}
		p, err := c.reach(cmd.Context(), g, f.Selection)
		if err == nil {
			p.probe()
		}
		return nil, p, nil, err
	}
	decided := map[string]commit.Secrets{}
	for _, h := range past.Hosts {
		if h.Decision == journal.Commit {
			decided[h.Name] = commit.Secrets{TX: h.Decided.TX, Nonce: h.Decided.Nonce, Seal: h.Decided.Seal}
		}
	}
	file, err := c.load(cmd.Context(), g.at(past.File), nil)
	if err != nil {
		if g.inventory.given {
			return nil, nil, nil, err
		}
		proved := func(name string) bool { _, is := decided[name]; return is }
		if file, past.Hosts = c.without(past, cmd.Name() == "revert", proved); len(past.Hosts) == 0 {
			return nil, nil, nil, err
		}
	}
	targets, err := c.hostsOf(cmd.Context(), file, past, f.Selection)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := c.tee(s, f.events); err != nil {
		return nil, nil, nil, err
	}
	again, err := s.Resume(run, journal.Again{Command: cmd.Name(), Who: actor(c.getenv), From: whereabouts(), PID: os.Getpid(), Version: versionLine()})
	if errors.Is(err, journal.ErrGoesOn) {
		return nil, nil, nil, ended(exitConfig, "%v", err)
	}
	p := c.prepared(file, targets)
	p.probe()
	if err != nil { // as on a full disk; hosts that wait cannot
		c.Tell("%v; what is done now is not recorded", err)
		return nil, p, decided, nil
	}
	return record.New(again, nil, c), p, decided, nil
}

// without is what of a run can be finished without its fleet file, which may be gone or
// broken while hosts wait: to take back needs no more than the way to each host, and that
// is on record. Nothing is confirmed unproved, and the probes stand in the file.
func (c *console) without(past journal.Record, back bool, proved func(host string) bool) (*plan.File, []journal.HostRecord) {
	var hosts []journal.HostRecord
	for _, h := range past.Hosts {
		if back || proved(h.Name) {
			hosts = append(hosts, h)
		}
	}
	switch {
	case len(hosts) > 0:
		c.Tell("going by the record of the run instead: hosts are reached as they were then")
	case !back:
		c.Tell("to confirm takes the probes in the fleet file; fwpush revert %s goes without it, and so do the hosts at their deadline", past.Run)
	}
	fleet, _ := inventory.Parse(past.File, []byte("version = 1\n"))
	fleet.Name = past.Fleet
	return &plan.File{Fleet: fleet}, hosts
}

// hostsOf are the hosts of a run that are selected, with those that the file does not
// name any more. What is selected beside them cannot be of that run.
//
// They are waited for, so that ssh_config may be broken: then the way is that of the run.
func (c *console) hostsOf(ctx context.Context, file *plan.File, past journal.Record, s inventory.Selection) ([]rollout.Target, error) {
	var strays []rollout.Target
	s.Only = []string{}
	for _, h := range past.Hosts {
		if slices.ContainsFunc(file.Fleet.Hosts, func(o inventory.Host) bool { return o.Name == h.Name && !o.Unmanaged }) {
			s.Only = append(s.Only, h.Name)
		} else {
			strays = append(strays, stray(file, h.Name, h.SSH))
		}
	}
	members, strays, err := withLeftBehind(file, s, strays)
	if err != nil {
		return nil, err
	}
	if _, err := c.asSSH(ctx, file, members); err != nil {
		c.Tell("%v; hosts are reached as they were in run %s", reason(err), past.Run)
		for i, m := range members {
			for _, h := range past.Hosts {
				if h.Name == m.Host.Name {
					members[i].Host.SSH = record.Endpoint(h.Name, h.SSH)
				}
			}
		}
	}
	return append(file.Bare(members), strays...), nil
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
