package main

import (
	"context"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/inventory"
	"fwpush/transport"
)

// prepared is a run that may dial once preflight has looked at the keys.
type prepared struct {
	*loaded
	targets []rollout.Target
	dialer  *transport.Dialer
}

// prepare does all that comes before the first connection of a push: the whole
// selection is compiled, rendered and proved not to lock this machine out. An
// error means that no host was touched.
func (c *console) prepare(ctx context.Context, g *globals, s inventory.Selection, accept rollout.Risks) (*prepared, error) {
	l, err := c.load(g)
	if err != nil {
		return nil, err
	}
	members, err := l.choose(s)
	if err != nil {
		return nil, err
	}
	list, err := targets(l.fleet, members)
	if err != nil {
		return nil, err
	}
	c.decisions(members)
	if err := c.proveAll(ctx, l.fleet, members, accept.LoseSSH); err != nil {
		return nil, err
	}
	return c.prepared(l, list), nil
}

// reach is prepare for verbs that push no rules: only who is meant must be
// known.
func (c *console) reach(g *globals, s inventory.Selection) (*prepared, error) {
	l, err := c.load(g)
	if err != nil {
		return nil, err
	}
	members, err := l.choose(s)
	if err != nil {
		return nil, err
	}
	list := make([]rollout.Target, len(members))
	for i, m := range members {
		list[i] = rollout.Target{Host: m.host, Policy: m.policy,
			Candidate: commit.Candidate{Stamp: commit.Stamp{Fleet: l.fleet.Name, Host: m.host.Name}}}
	}
	return c.prepared(l, list), nil
}

func (c *console) prepared(l *loaded, list []rollout.Target) *prepared {
	return &prepared{loaded: l, targets: list, dialer: transport.New(transport.Options{Log: c.logger()})}
}
