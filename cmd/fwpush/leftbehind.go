package main

import (
	"context"
	"maps"
	"slices"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/cmd/fwpush/internal/record"
	"fwpush/internal/commit"
	"fwpush/internal/journal"
	"fwpush/internal/rollout"
	"fwpush/inventory"
)

// leftBehind are the hosts that this machine knows to have rules of the fleet and that
// the file does not manage any more, as targets without a candidate. That the journal
// cannot be read is told, and no reason to know nothing of the other hosts.
func (c *console) leftBehind(g *globals, f *plan.File) []rollout.Target {
	s, err := c.store(g)
	var known map[string]journal.KnownHost
	if err == nil {
		known, err = s.Hosts(f.Fleet.Name)
	}
	if err != nil {
		c.Note("hosts that the file does not name any more are not known: %s", reason(err))
		return nil
	}
	for _, h := range f.Fleet.Hosts {
		if !h.Unmanaged {
			delete(known, h.Name)
		}
	}
	order := slices.Collect(maps.Keys(known))
	inventory.Sort(order)
	var list []rollout.Target
	for _, name := range order {
		list = append(list, stray(f, name, known[name].SSH))
	}
	return list
}

// stray is a host that is known from the journal only.
func stray(f *plan.File, name string, way journal.Endpoint) rollout.Target {
	return rollout.Target{Host: inventory.Host{Name: name, SSH: record.Endpoint(name, way)},
		Candidate: commit.Candidate{Stamp: commit.Stamp{Fleet: f.Fleet.Name, Host: name}}}
}

// withLeftBehind is choose for a selection that may mean hosts left behind, too. Of those
// it returns the ones that are meant.
func withLeftBehind(f *plan.File, s inventory.Selection, left []rollout.Target) ([]plan.Member, []rollout.Target, error) {
	s.Strays = names(left)
	members, err := choose(f, s)
	if err != nil {
		return nil, nil, err
	}
	meant := s.Strayed()
	return members, slices.DeleteFunc(slices.Clone(left), func(t rollout.Target) bool { return !slices.Contains(meant, t.Host.Name) }), nil
}

// namedHosts is reach for hosts that are arguments: some may be left behind.
func (c *console) namedHosts(ctx context.Context, g *globals, f *plan.File, patterns []string) (*prepared, error) {
	left := c.leftBehind(g, f)
	var members []plan.Member
	var strays []rollout.Target
	for _, pattern := range patterns {
		more, others, err := withLeftBehind(f, inventory.Selection{Named: pattern}, left)
		if err != nil {
			return nil, err
		}
		for _, m := range more {
			if !slices.ContainsFunc(members, func(o plan.Member) bool { return o.Host.Name == m.Host.Name }) {
				members = append(members, m)
			}
		}
		for _, t := range others {
			if !slices.Contains(names(strays), t.Host.Name) {
				strays = append(strays, t)
			}
		}
	}
	if _, err := c.asSSH(ctx, f, members); err != nil {
		return nil, err
	}
	return c.prepared(f, append(f.Bare(members), strays...)), nil
}

// names are those of targets.
func names(targets []rollout.Target) []string {
	list := make([]string, len(targets))
	for i, t := range targets {
		list[i] = t.Host.Name
	}
	return list
}
