package demo

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"fwpush/internal/lab"
	"fwpush/internal/ui"
)

// setUp makes the hosts and the fleet file.
func (s *stage) setUp(ctx context.Context) error {
	s.say("Making four hosts on this machine, each with its own firewall, sshd and atd.")
	var hosts []*lab.Host
	var table ui.Table
	for _, name := range []string{"web1", "web2", "web3", "bastion"} {
		h, err := s.w.Host(ctx, lab.HostOptions{Name: name})
		if err != nil {
			return err
		}
		hosts = append(hosts, h)
		table.Row("  "+h.Name(), h.Addr4().String(), h.Addr6().String())
	}
	s.webs, s.other = hosts[:3], hosts[3]
	if err := table.Write(s.out); err != nil {
		return err
	}
	var err error
	if s.dir, err = os.MkdirTemp("", "fwpush-demo"); err != nil {
		return err
	}
	for _, h := range s.webs {
		if err := s.serve(ctx, h); err != nil {
			return err
		}
	}
	s.say("The fleet file: hosts, their roles, and who may always reach SSH.")
	text := s.fleet(fmt.Sprintf("[%q, %q]", s.w.Addr4(), s.w.Addr6()))
	s.show("$ cat fleet.toml\n" + text)
	if err := s.write("fleet.toml", text); err != nil {
		return err
	}
	return s.write("lockout.toml", s.fleet(`["192.0.2.1", "2001:db8::1"]`))
}

// push is the main job.
func (s *stage) push(ctx context.Context) error {
	s.say("Before: every port of a web host that something listens on is open to everybody.")
	if err := s.probe(ctx, "80 open", "443 open", "3306 open"); err != nil {
		return err
	}
	s.say("What would change? Nothing is touched yet; identical changes are shown once.")
	if err := s.fwpush(ctx, differs, "diff", "--role", "web"); err != nil {
		return err
	}
	before, err := ruleset(ctx, s.other)
	if err != nil {
		return err
	}
	s.say("Push it. Each host gets in its revert first, and is confirmed by a fresh SSH connection.")
	if err := s.fwpush(ctx, fine, "apply", "--role", "web", "-y"); err != nil {
		return err
	}
	after, err := ruleset(ctx, s.other)
	if err != nil {
		return err
	}
	if before != after {
		return errors.New("the bastion, which was not selected, was changed")
	}
	return nil
}

// look shows the ports from another host.
func (s *stage) look(ctx context.Context) error {
	s.say("After: the web ports are open, 3306 answers nobody, over IPv4 and IPv6.")
	if err := s.probe(ctx, "80 open", "443 open", "3306 no answer"); err != nil {
		return err
	}
	s.say("The bastion was not selected: it has no rules of fwpush, as before.")
	s.say("A second run has nothing to do, and needs one connection for each host to know it.")
	return s.fwpush(ctx, fine, "apply", "--role", "web", "-y")
}

// lockOut pushes rules that keep this machine out.
func (s *stage) lockOut(ctx context.Context) error {
	s.say("Now the mistake everybody fears: in lockout.toml management.from is 192.0.2.1, not this machine.")
	s.say("fwpush refuses, before any host is touched.")
	if err := s.fwpush(ctx, refused, "apply", "-i", "lockout.toml", "--role", "web", "-y"); err != nil {
		return err
	}
	s.rules = map[string]string{}
	for _, h := range s.webs {
		rules, err := ruleset(ctx, h)
		if err != nil {
			return err
		}
		s.rules[h.Name()] = rules
	}
	s.say("So the risk is named, and the lock-out is real. One host goes first. No fresh connection gets in, nothing is")
	s.say("confirmed, and nobody else is touched.")
	return s.fwpush(ctx, stopped, "apply", "-i", "lockout.toml", "--role", "web", "-y", "--accept-risk", "lose-ssh", "--window", "15s", "--canary", "1")
}

// heal shows that the hosts are as they were, once more with nobody to help.
func (s *stage) heal(ctx context.Context) error {
	if err := s.unharmed(ctx, "The canary is back. All rules are those of before the lock-out, byte for byte:"); err != nil {
		return err
	}
	s.say("And if fwpush dies? The same on all hosts at once, and kill -9 as soon as none can be reached any more.")
	if err := s.abandon(ctx); err != nil {
		return err
	}
	if err := s.unharmed(ctx, "Nobody but the hosts could do that. Their rules, again byte for byte:"); err != nil {
		return err
	}
	return s.fwpush(ctx, fine, "status", "--role", "web")
}

// unharmed compares the rules of the web hosts with those of before.
func (s *stage) unharmed(ctx context.Context, claim string) error {
	s.say("%s", claim)
	for _, h := range s.webs {
		now, err := ruleset(ctx, h)
		if err != nil {
			return err
		}
		if now != s.rules[h.Name()] {
			return fmt.Errorf("the rules of %s are not those of before", h.Name())
		}
		s.show(fmt.Sprintf("  %s  identical (%d bytes)\n", h.Name(), len(now)))
	}
	return nil
}

// abandon locks this machine out and kills fwpush, then waits until SSH answers
// again on every web host.
func (s *stage) abandon(ctx context.Context) error {
	cmd := s.command(ctx, "apply", "-i", "lockout.toml", "--role", "web", "-y", "--accept-risk", "lose-ssh", "--window", "15s")
	if err := cmd.Start(); err != nil {
		return err
	}
	closed := s.await(ctx, "no answer")
	killed := time.Now()
	if err := errors.Join(closed, cmd.Process.Kill()); err != nil {
		return err
	}
	_ = cmd.Wait() // its only news is the kill
	s.show(fmt.Sprintf("$ kill -9 %d\n  port 22 of every web host: no answer\n", cmd.Process.Pid))
	if err := s.await(ctx, "open"); err != nil {
		return err
	}
	s.show(fmt.Sprintf("  port 22 of every web host: open again, %s later\n", time.Since(killed).Round(time.Second)))
	return nil
}

// await looks at SSH of the web hosts from here until it is as wanted on all.
func (s *stage) await(ctx context.Context, want string) error {
	for _, h := range s.webs {
		address := netip.AddrPortFrom(h.Addr4(), uint16(h.Port())).String()
		for probe(ctx, address) != want {
			select {
			case <-ctx.Done():
				return fmt.Errorf("port 22 of %s: never %s: %w", h.Name(), want, ctx.Err())
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	return nil
}
