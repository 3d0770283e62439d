package main

import (
	"context"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/inventory"
	"fwpush/transport"
)

// prepared is a run that may dial.
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
	return c.ready(ctx, l, list)
}

// reach is prepare for verbs that push no rules: only who is meant must be
// known.
func (c *console) reach(ctx context.Context, g *globals, s inventory.Selection) (*prepared, error) {
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
	return c.ready(ctx, l, list)
}

// ready checks keys and known_hosts, which are the same for many hosts, once
// and before the first login.
func (c *console) ready(ctx context.Context, l *loaded, list []rollout.Target) (*prepared, error) {
	dialer := transport.New(transport.Options{Log: c.logger()})
	if err := preflight(ctx, dialer, list); err != nil {
		return nil, err
	}
	return &prepared{loaded: l, targets: list, dialer: dialer}, nil
}
