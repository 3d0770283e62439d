package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// walkFlags say how a run goes through its hosts.
type walkFlags struct {
	canary         *checked[string]
	batch          *checked[inventory.Budget]
	soak           *checked[time.Duration]
	maxFail        *checked[inventory.Budget]
	maxUnreachable *checked[inventory.Budget]
	onStop         *checked[string]
	confirm        *checked[string]
}

func newWalkFlags() *walkFlags {
	return &walkFlags{canary: only("N|N%|PATTERN"), batch: shareFlag(1), soak: soakFlag(), maxFail: shareFlag(0),
		maxUnreachable: shareFlag(0), onStop: oneOf("keep", "rollback"), confirm: oneOf("auto", "manual")}
}

func (f *walkFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Var(f.canary, "canary", "hosts that go first: N, N% or a pattern; one that is not confirmed stops the run; default rollout.canary of the fleet file")
	flags.Var(f.batch, "batch", "N or N% of the hosts a wave; default rollout.waves of the fleet file")
	flags.Var(f.soak, "soak", "keep each commit group pending for `DURATION`, every host in and every probe passed, before it is confirmed; default rollout.soak")
	flags.Var(f.maxFail, "max-fail", "stop when more than N or N% of the hosts of the whole run failed; default rollout.max_failures, else 0")
	flags.Var(f.maxUnreachable, "max-unreachable", "stop when more than N or N% of the hosts could not be reached before anything was applied; default rollout.max_unreachable, else all may")
	flags.Var(f.onStop, "on-stop", "what becomes of confirmed hosts when the run stops: keep or rollback; default rollout.on_stop")
	flags.Var(f.confirm, "confirm", "auto, or manual: leave the hosts pending, for fwpush confirm RUN within the window")
}

// walk is what was given of them.
func (f *walkFlags) walk() plan.Walk {
	w := plan.Walk{Canary: f.canary.v, Manual: f.confirm.v == "manual"}
	if f.batch.given {
		w.Batch = &f.batch.v
	}
	if f.soak.given {
		w.Soak = &f.soak.v
	}
	if f.maxFail.given {
		w.MaxFail = &f.maxFail.v
	}
	if f.maxUnreachable.given {
		w.MaxUnreachable = &f.maxUnreachable.v
	}
	if f.onStop.given {
		w.OnStop = f.onStop.v
	}
	return w
}

// strategy fills in how a run over targets goes, and notes what is worth telling of that.
// Fewer may change than were selected: clip says so.
func strategy(f *plan.File, w plan.Walk, targets []rollout.Target, o *rollout.Options, clip bool) (notes []string, err error) {
	s, notes, err := f.Strategy(w, targets)
	if clip {
		s.Canary = plan.Clip(s.Canary, targets)
	}
	if err == nil {
		o.Waves, err = rollout.Waves(targets, s)
	}
	if err != nil {
		return nil, ended(exitConfig, "%v; no host was changed", err)
	}
	if s.Manual && (len(o.Waves) > 1 || len(targets) > max(1, o.Forks)) {
		return nil, ended(exitConfig, "--confirm manual is for one commit group: here are %s in %s, at most %d at a time; select fewer, or raise --forks",
			ui.Count(len(targets), "host"), ui.Count(len(o.Waves), "wave"), o.Forks)
	}
	o.Strategy = s
	return notes, nil
}

// shareFlag is a number of hosts or a share of them.
func shareFlag(least int) *checked[inventory.Budget] {
	return &checked[inventory.Budget]{kind: "N|N%", parse: func(s string) (inventory.Budget, error) {
		b, ok := plan.ParseShare(s)
		if !ok || b.Count+b.Percent < least {
			return b, fmt.Errorf("must be a number of hosts from %d on, or a share such as 10%%", least)
		}
		return b, nil
	}}
}

func soakFlag() *checked[time.Duration] {
	return &checked[time.Duration]{kind: "DURATION", parse: func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 || d > maxSoak || d%time.Second != 0 {
			return 0, errors.New("soak must be 0s..55m in whole seconds, such as 30s")
		}
		return d, nil
	}}
}

// maxSoak leaves time for a confirm within the 60 minutes that a transaction lasts.
const maxSoak = 55 * time.Minute
