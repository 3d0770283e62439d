package sshconfig

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"fwpush/inventory"
)

// written resolves the jump that the fleet file writes.
func (r *Resolver) written(ctx context.Context, ep *inventory.Endpoint, trail []string) error {
	switch {
	case ep.Via == nil:
		return nil
	case ep.Via.Outside:
		via, err := r.hop(ctx, *ep.Via, "", append(trail, ep.Name))
		ep.Via = via
		return err
	}
	over, known := r.fleet(ep.Jump)
	if !known {
		over = *ep.Via
	}
	via, err := r.hop(ctx, over, "", append(trail, ep.Name))
	ep.Via = via
	return err
}

// proxy resolves what ssh would go through: jump hosts, or a program.
func (r *Resolver) proxy(ctx context.Context, ep *inventory.Endpoint, a answer, q question, trail []string) error {
	ep.Jump, ep.Via = "", nil
	jumps := q.jumps
	if jumps == "" {
		jumps = a.one("proxyjump")
	}
	if jumps == "none" {
		jumps = ""
	}
	t := r.tokens(q.name, a)
	if jumps != "" {
		// The last is logged in to through those before it (ssh.c builds ssh -J others -W).
		others, last := "", jumps
		if i := strings.LastIndexByte(jumps, ','); i >= 0 {
			others, last = jumps[:i], jumps[i+1:]
		}
		last, err := t.expand(last, "")
		if err != nil {
			return err
		}
		if others, err = t.expand(others, ""); err != nil {
			return err
		}
		over, err := r.jump(*ep, last)
		if err != nil {
			return err
		}
		ep.Jump = over.Name
		ep.Via, err = r.hop(ctx, over, others, append(trail, ep.Name))
		return err
	}
	command := a.one("proxycommand")
	switch {
	case command == "" || command == "none":
		return nil
	case a.yes("proxyusefdpass"):
		return errors.New("ProxyUseFdpass hands over a socket, which fwpush cannot take; write a ProxyCommand that carries the connection, or jump in the fleet file")
	}
	for _, word := range []string{a.one("user"), q.name} {
		if err := harmless("word for ProxyCommand", word); err != nil {
			return err
		}
	}
	command, err := t.expand(command, "hp%")
	ep.ProxyCommand = command
	return err
}

// jump is a jump host as ProxyJump names it, before it is resolved: of the fleet if it has
// the name of a host there.
func (r *Resolver) jump(behind inventory.Endpoint, text string) (inventory.Endpoint, error) {
	none := inventory.Endpoint{}
	user, host, port, err := destination(text)
	if err != nil {
		return none, err
	}
	over, ours := r.fleet(host)
	if !ours {
		over = inventory.Endpoint{Name: text, Outside: true, Place: behind.Place, Address: host, Port: 22, ConnectTimeout: behind.ConnectTimeout, JumpLogins: behind.JumpLogins}
	}
	written := map[string]inventory.Place{}
	for key, place := range over.Written {
		written[key] = place
	}
	if user != "" {
		over.User, written["user"] = user, behind.Place
	}
	if port != 0 {
		over.Port, written["port"] = port, behind.Place
	}
	over.Written = written
	return over, nil
}

// destination reads [user@]host[:port], as ssh -G prints it: an IPv6 address with a port
// stands in brackets.
func destination(s string) (user, host string, port uint16, err error) {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "ssh://"), "/")
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		user, s = s[:i], s[i+1:]
		if err := harmless("user", user); err != nil {
			return "", "", 0, err
		}
	}
	host = s
	if h, p, e := net.SplitHostPort(s); e == nil {
		n, e := strconv.ParseUint(p, 10, 16)
		if e != nil || n == 0 {
			return "", "", 0, fmt.Errorf("ProxyJump %q: %q is no port", s, p)
		}
		host, port = h, uint16(n)
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return user, host, port, harmless("host name", host)
}

// hop resolves a jump host. All who go through it in the same way share it.
func (r *Resolver) hop(ctx context.Context, ep inventory.Endpoint, jumps string, trail []string) (*inventory.Endpoint, error) {
	if slices.Contains(trail, ep.Name) {
		return nil, fmt.Errorf("the way goes in a circle: %s; write jump = %q in the fleet file for the host that is reached without others",
			strings.Join(append(trail, ep.Name), " → "), inventory.NoJump)
	}
	// What is written counts, too: port 22 in ProxyJump is no port that ssh_config may change.
	written := slices.Sorted(maps.Keys(ep.Written))
	key := fmt.Sprintf("%q %q %d %q %q %q %q %q %d %q", ep.Name, ep.User, ep.Port, ep.Address, ep.Identity, ep.KnownHosts, jumps, ep.ConnectTimeout, ep.JumpLogins, written)
	r.mu.Lock()
	known := r.hops[key]
	r.mu.Unlock()
	if known != nil {
		return known, nil
	}
	out, err := r.resolve(ctx, ep, jumps, trail)
	if err != nil {
		var refused *RefusedError
		if errors.As(err, &refused) {
			return nil, err
		}
		return nil, fmt.Errorf("through %s: %w", ep.Name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.hops[key]; known != nil {
		return known, nil
	}
	r.hops[key] = &out.Endpoint
	return &out.Endpoint, nil
}
