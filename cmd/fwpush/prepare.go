package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/user"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"

	"fwpush/cmd/fwpush/internal/compare"
	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/internal/probe"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/transport"
)

// prepared is a run that may dial once preflight has looked at the keys.
type prepared struct {
	*plan.File
	targets  []rollout.Target
	dialer   *transport.Dialer
	prober   *probe.Prober
	approved bool // somebody has agreed to exactly this
	log      *console
}

// prepare does all that comes before the first connection of a push, or of a look
// at what one would change: the whole selection is compiled, tested, rendered and
// proved not to lock this machine out. An error means that no host was touched.
func (c *console) prepare(ctx context.Context, g *globals, s inventory.Selection, o readiness) (*prepared, error) {
	f, err := c.load(ctx, g, plan.DNS)
	if err != nil {
		return nil, err
	}
	return c.ready(ctx, f, s, o)
}

// readiness is what else there is to prepare for.
type readiness struct {
	accept rollout.Risks
	probes []string // of --probe, for every host
}

// ready is prepare for a file that is loaded.
func (c *console) ready(ctx context.Context, f *plan.File, s inventory.Selection, o readiness) (*prepared, error) {
	members, err := choose(f, s)
	if err != nil {
		return nil, err
	}
	more, wrong := f.Probes(o.probes)
	if err := c.explain(f.Fleet, wrong); err != nil {
		return nil, ended(exitConfig, "%s in --probe", ui.Count(len(wrong), "error"))
	}
	plan.AddProbes(members, more)
	if _, err := c.asSSH(ctx, f, members); err != nil {
		return nil, err
	}
	targets, err := f.Targets(members)
	if err != nil {
		return nil, err
	}
	c.decisions(members)
	tests := f.Test()
	if err := c.explain(f.Fleet, f.Failures(tests)); err != nil {
		return nil, failedTests(tests)
	}
	if err := c.proveAll(ctx, f, members, o.accept.LoseSSH); err != nil {
		return nil, err
	}
	p := c.prepared(f, targets)
	p.probe()
	return p, nil
}

// reach is prepare for verbs that push no rules: only who is meant must be
// known.
func (c *console) reach(ctx context.Context, g *globals, s inventory.Selection) (*prepared, error) {
	f, err := c.load(ctx, g, nil)
	if err != nil {
		return nil, err
	}
	members, err := choose(f, s)
	if err != nil {
		return nil, err
	}
	if _, err := c.asSSH(ctx, f, members); err != nil {
		return nil, err
	}
	return c.prepared(f, f.Bare(members)), nil
}

// collectLess has garbage collected less often from now on: most of what a host leaves behind is
// short-lived, and a run has memory to spare. To make a large fleet ready leaves things that stay
// between those that do not, and is done as usual. A run of ten thousand hosts stays below 400 MB; what
// stays of a fleet counts three times at least, since close to the limit half of the time would go
// into collecting. Somebody who has set GOGC or GOMEMLIMIT knows better.
func collectLess(getenv func(string) string) {
	if getenv("GOGC") != "" || getenv("GOMEMLIMIT") != "" {
		return
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(max(340<<20, 3*int64(m.HeapAlloc))) // bytes
}

func (c *console) prepared(f *plan.File, targets []rollout.Target) *prepared {
	collectLess(c.getenv)
	p := &prepared{File: f, targets: targets, log: c, dialer: c.dial(c.hostKeys)}
	p.prober = probe.NewProber(p.dialer, f.Host)
	return p
}

// probe has every target probed as its policy says.
func (p *prepared) probe() {
	for i, t := range p.targets {
		p.targets[i].Probes = nil
		for _, one := range p.prober.Of(t.Host, t.Policy.Probes) {
			p.targets[i].Probes = append(p.targets[i].Probes, one)
		}
	}
}

// close ends the connections that are shared, and tells which hosts were new. p may be nil.
func (p *prepared) close() {
	if p == nil {
		return
	}
	_ = p.prober.Close() // neither has an error
	_ = p.dialer.Close()
	met := map[string][]string{}
	for _, m := range p.dialer.Met() {
		met[m.File] = append(met[m.File], m.Host)
	}
	for _, file := range slices.Sorted(maps.Keys(met)) {
		p.log.Note("new, recorded in %s: %s (%d)", file, inventory.Fold(met[file]), len(met[file]))
	}
}

// preflight is the last look before the first login, at the targets and at others that are
// asked in the same run.
func (p *prepared) preflight(ctx context.Context, others ...rollout.Target) error {
	if errs := plan.Preflight(ctx, p.dialer, p.targets); len(errs) > 0 {
		return errors.Join(errs...)
	}
	return p.log.passwords(ctx, p.dialer, slices.Concat(p.targets, others))
}

// others are the hosts of the fleet that are not selected.
func (p *prepared) others() compare.Others {
	selected := map[string]bool{}
	for _, t := range p.targets {
		selected[t.Host.Name] = true
	}
	return compare.OthersOf(p.Fleet, func(name string) bool { return selected[name] })
}

// options are the settings of a run; a flag stands above the fleet file.
func (p *prepared) options(forks *checked[int], accept rollout.Risks) rollout.Options {
	o := rollout.Options{Dialer: p.dialer, Forks: p.Fleet.Rollout.Parallel, Accept: accept}
	if forks.given {
		o.Forks = forks.v
	}
	return o
}

// actor is who acts, for the record on the hosts: FWPUSH_ACTOR, else the user
// and host, and who became root with sudo.
func actor(getenv func(string) string) string {
	if a := getenv("FWPUSH_ACTOR"); a != "" {
		return a
	}
	name := "uid " + strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if by := getenv("SUDO_USER"); by != "" && by != name {
		name = by + " as " + name
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
