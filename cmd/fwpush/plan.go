package main

import (
	"context"
	"errors"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/inventory"
	"fwpush/render"
)

// targets renders every member. A policy that cannot be rendered stops all.
func targets(fleet *inventory.Fleet, members []member) ([]rollout.Target, error) {
	list := make([]rollout.Target, len(members))
	var broken []error
	for i, m := range members {
		rules, err := render.Nftables(m.policy)
		if err != nil {
			broken = append(broken, err)
		}
		list[i] = rollout.Target{Host: m.host, Policy: m.policy, Candidate: commit.Candidate{
			Rules: rules, Stamp: commit.Stamp{Fleet: fleet.Name, Host: m.host.Name}}}
	}
	return list, errors.Join(broken...)
}

// stamp says in each target who changes it, in which run, and how long the host
// waits for a confirm.
func stamp(list []rollout.Target, run, actor string, window time.Duration) {
	for i := range list {
		c := &list[i].Candidate
		c.Stamp.Run, c.Stamp.Actor, c.Window = run, actor, window
	}
}

// preflight reports key files and known_hosts that would stop a login, before
// the first one. Hosts that share settings share the finding.
func (p *prepared) preflight(ctx context.Context) error {
	asked := map[string]bool{}
	told := map[string]bool{}
	var found []error
	for _, t := range p.targets {
		ep := t.Host.SSH
		key := strings.Join(append(append([]string{}, ep.Identity...), "\x00"), "\x00") + strings.Join(ep.KnownHosts, "\x00")
		if asked[key] {
			continue
		}
		asked[key] = true
		for _, err := range split(p.dialer.Check(ctx, ep)) {
			if !told[err.Error()] {
				told[err.Error()] = true
				found = append(found, err)
			}
		}
	}
	return errors.Join(found...)
}

// split takes apart what errors.Join put together.
func split(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
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
