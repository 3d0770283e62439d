package main

import (
	"context"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/compare"
	"fwpush/cmd/fwpush/internal/progress"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// diffFlags are those of diff alone.
type diffFlags struct {
	*hostFlags
	stat, between bool
	out           *checked[string]
}

func newDiff(c *console, g *globals) *cobra.Command {
	f := &diffFlags{hostFlags: newHostFlags(), out: only("FILE")}
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "show what an apply would change, without changing anything",
		Long: paragraph(`
		Ask every selected host what it runs and show what an apply would change. Hosts
		with the same change are shown once, under one folded name, the change of the
		most hosts first. What was edited by hand on a host (drift) is shown as what an
		apply would take back. Base chains of other programs that packets have to pass
		too stand below, as what is not fwpush's; they are no part of a change.

		With --stat each change is one line, with why it is one: pending (the fleet file
		says something else than the host has confirmed), drift, first push, boot path
		(the rules are right and would not come back after a reboot), backend change.

		With --between hosts are compared with each other and not with the fleet file.
		Those with the same roles should run the same: the rules of the most are what the
		others are compared with, and exit 1 says that there are others. With rules of
		its own in the file a host is among them, and is told to be as the file says.

		Nothing on the hosts is changed, locked or created: the program that runs there
		holds no code that could.`) +
			exitStatus(exitOK, exitDifferences, exitConfig, exitFailed, exitUnreachable, exitLocked, exitInterrupted),
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.between && f.out.given {
				return &usageError{cmd, "--between changes nothing: there is no plan to save"}
			}
			if f.between {
				return c.between(cmd.Context(), g, f)
			}
			return c.changes(cmd.Context(), g, f, rollout.Risks{})
		},
	}
	f.register(cmd, true)
	cmd.Flags().BoolVar(&f.stat, "stat", false, "one line for each change, and a total")
	cmd.Flags().Var(f.out, "out", "save what is shown as a plan in `FILE`, for fwpush apply --plan")
	cmd.Flags().BoolVar(&f.between, "between", false, "compare hosts with the same roles with each other")
	return cmd
}

// diff is apply --dry-run.
func (c *console) diff(ctx context.Context, g *globals, f *hostFlags, accept rollout.Risks) error {
	return c.changes(ctx, g, &diffFlags{hostFlags: f, out: only("FILE")}, accept)
}

// changes is the verb: what an apply would change.
func (c *console) changes(ctx context.Context, g *globals, f *diffFlags, accept rollout.Risks) error {
	var changes []compare.Change
	p, err := c.prepare(ctx, g, f.Selection, readiness{accept: accept})
	defer p.close()
	if err == nil {
		err = p.preflight(ctx)
	}
	if err == nil {
		changes = c.inspect(p, p.options(f.forks, accept))
		err = endedRun(compare.Outcomes(changes))
		if f.out.given {
			if saving := c.save(g, f.out.v, p, changes); saving != nil {
				return saving
			}
		}
	}
	switch {
	case f.json():
		return shown(err, c.writeRun("diff", "", err, compare.ChangedHosts(changes)))
	case len(changes) == 0:
		return err
	}
	write := compare.WriteChanges
	if f.stat {
		write = compare.WriteStat
	}
	printing := write(c.out, c.outColour, changes)
	if printing == nil && !f.stat {
		printing = compare.WriteProbes(c.out, p.targets, changes)
	}
	if printing == nil && !c.quiet {
		printing = compare.WriteForeign(c.out, c.outColour, changes)
	}
	return shown(err, printing)
}

// between is diff --between.
func (c *console) between(ctx context.Context, g *globals, f *diffFlags) error {
	peers := compare.PeersOf(nil, nil)
	p, err := c.prepare(ctx, g, f.Selection, readiness{})
	defer p.close()
	if err == nil {
		err = p.preflight(ctx)
	}
	if err == nil {
		seen := progress.New(c, p.targets, progress.Reads).Work(observe, p.targets, p.options(f.forks, rollout.Risks{}))
		peers = compare.PeersOf(p.targets, seen)
		if err = endedRun(peers.Results()); exitCode(err) == exitDifferences {
			names := peers.Unlike()
			err = ended(exitDifferences, "%s not like the most of the same roles: %s", ui.Count(len(names), "host"), inventory.Fold(names))
		}
	}
	if f.json() {
		return shown(err, c.writeRun("diff", "", err, compare.PeerHosts(peers)))
	}
	return shown(err, compare.WritePeers(c.out, c.outColour, peers, !f.stat))
}

// inspect asks all targets for their facts and compares.
func (c *console) inspect(p *prepared, o rollout.Options) []compare.Change {
	others := p.others()
	results := progress.New(c, p.targets, progress.Reads).Work(observe, p.targets, o)
	changes := make([]compare.Change, len(results))
	for i, r := range results {
		t := p.targets[i]
		if r.Back != nil {
			t = *r.Back
		}
		changes[i] = compare.ChangeOf(t, rollout.Observation{Result: r}, o.Accept, others)
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
