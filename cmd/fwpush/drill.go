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
)

// drillFlags are those of a run that keeps nothing.
type drillFlags struct {
	*hostFlags
	window *checked[time.Duration]
	yes    bool
	events *checked[string]
}

func newDrill(c *console, g *globals) *cobra.Command {
	f := &drillFlags{hostFlags: newHostFlags(), window: windowFlag(), events: only("FILE")}
	f.window.v = minWindow
	cmd := &cobra.Command{
		Use:   "drill",
		Short: "prove on real hosts that new rules are taken back",
		Long: paragraph(`
		Prove on every selected host that the revert works, by letting it happen. The rules
		that the host runs are applied once more, in the way of a push, with a marker that
		means nothing to any packet: a chain without rules that nothing jumps to. Nobody
		confirms them. A new connection has to see the marker, and is closed; then the host
		must take it back by itself, at its deadline and no later than 10 seconds after, and
		be as it was before: running rules to the byte, stored rules, boot file, generation,
		boot unit, chains of others.

		Such a host ends as reverted, and that is what was asked for. It remembers the drill,
		and fwpush status shows when that was. Nothing is stored for a boot. As with every
		revert, counters begin at zero, and so do the lists that packets make, such as those
		of limits for each source.

		Hosts that do not run what they have confirmed are refused: fwpush apply first. A
		host that others are reached through comes after these.

		On a terminal a yes is asked for. Without a terminal more than one host needs --yes.
		After an interrupt no host is begun, and those under way end by themselves; after the
		second they are asked to take back at once.`) +
			exitStatus(exitOK, exitConfig, exitFailed, exitUnreachable, exitUnknown, exitLocked, exitInterrupted),
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			began := time.Now()
			p, err := c.reach(cmd.Context(), g, f.Selection)
			defer p.close()
			var end outcome
			if err == nil {
				end, err = c.drill(cmd.Context(), g, f, cmd, p)
			}
			switch {
			case f.json():
				hosts := make([]report.Host, len(end.hosts))
				for i, h := range end.hosts {
					hosts[i] = h.host
				}
				return c.done(err, c.writeRun(cmd.Name(), end.run, err, hosts))
			case len(end.hosts) == 0:
				return err
			}
			return c.done(err, report.WriteResults(c.out, c.outColour, end.results(),
				report.Ending{Run: end.run, Took: time.Since(began), Again: []string{"drill", "-l"}, Drill: true, Typing: g.typing(p.Fleet.Path)}))
		},
	}
	f.hostFlags.register(cmd, true)
	flags := cmd.Flags()
	flags.Var(f.window, "window", "let hosts take back after `DURATION`, 15s to 60m")
	registerEvents(cmd, f.events)
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask; never overrides a lock")
	return cmd
}

// drill asks where it has to, and lets the hosts take back. Without a yes there is no run.
func (c *console) drill(ctx context.Context, g *globals, f *drillFlags, cmd *cobra.Command, p *prepared) (outcome, error) {
	if len(p.targets) > 1 {
		if err := c.mayGoOn(f.yes, len(p.targets)); err != nil {
			return outcome{}, err
		}
	}
	if err := p.preflight(ctx); err != nil {
		return outcome{}, err
	}
	if !f.yes && c.isInteractive() {
		question := fmt.Sprintf("Let %s take back a marker by itself, %s after it is applied?", foldedHosts(p.targets), f.window.v)
		if err := c.ask(question, "no host was changed"); err != nil {
			return outcome{}, err
		}
	}
	run, err := rollout.NewRunID(time.Now())
	if err != nil {
		return outcome{}, err
	}
	plan.Stamp(p.targets, run, actor(c.getenv), f.window.v)
	for i := range p.targets {
		p.targets[i].Candidate.Drill = true
	}
	o := p.options(f.forks, rollout.Risks{})
	o.Waves, _ = rollout.Waves(p.targets, rollout.Strategy{}) // there is an error of canaries only
	rec, err := c.begin(ctx, g, p.File, beginning{command: cmd.Name(), run: run, targets: p.targets, waves: o.Waves, flags: cmd.Flags(), options: map[string]string{}, events: f.events})
	if err != nil {
		return outcome{}, err
	}
	o.Journal, o.Event = rec, rec.Event
	c.Note("run %s: a drill of %s, window %s", run, foldedHosts(p.targets), f.window.v)
	watch := progress.New(c, p.targets, progress.Changes)
	watch.Interrupted = rec.Interrupted
	end := outcome{run: run}
	for _, r := range watch.Work(rollout.Drill, p.targets, o) {
		if watch.Left() {
			rec.Ended(r)
		}
		end.hosts = append(end.hosts, pushed{r, report.HostOf(r, "")})
	}
	how := endedRun(end.results())
	rec.Finish(exitCode(how), reason(how))
	return end, how
}
