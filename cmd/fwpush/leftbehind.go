package main

import (
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
		c.Note("hosts that the file does not name any more are not known: %v", err)
		return nil
	}
	for _, h := range f.Fleet.Hosts {
		if !h.Unmanaged {
			delete(known, h.Name)
		}
	}
	var names []string
	for name := range known {
		names = append(names, name)
	}
	inventory.Sort(names)
	var list []rollout.Target
	for _, name := range names {
		list = append(list, stray(f, name, known[name].SSH))
	}
	return list
}

// stray is a host that is known from the journal only.
func stray(f *plan.File, name string, way journal.Endpoint) rollout.Target {
	return rollout.Target{Host: inventory.Host{Name: name, SSH: record.Endpoint(name, way)},
		Candidate: commit.Candidate{Stamp: commit.Stamp{Fleet: f.Fleet.Name, Host: name}}}
}

// namedHosts is reach for hosts that are arguments: some may be left behind.
func (c *console) namedHosts(g *globals, f *plan.File, patterns []string) (*prepared, error) {
	left := c.leftBehind(g, f)
	names := make([]string, len(left))
	for i, t := range left {
		names[i] = t.Host.Name
	}
	wanted := map[string]bool{}
	var members []plan.Member
	for _, pattern := range patterns {
		strays, _ := inventory.Match(pattern, names) // a pattern that cannot be read is told of below
		some, err := f.Choose(inventory.Selection{Named: pattern})
		if err != nil && len(strays) == 0 {
			return nil, ended(exitConfig, "%v", err)
		}
		for _, name := range strays {
			wanted[name] = true
		}
		for _, m := range some {
			if !slices.ContainsFunc(members, func(o plan.Member) bool { return o.Host.Name == m.Host.Name }) {
				members = append(members, m)
			}
		}
	}
	targets := f.Bare(members)
	for _, t := range left {
		if wanted[t.Host.Name] {
			targets = append(targets, t)
		}
	}
	return c.prepared(f, targets), nil
}
