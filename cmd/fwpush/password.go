package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/transport"
)

// becoming says where the passwords come from that sudo and su ask for: a person, a command
// of this machine, or nowhere.
type becoming struct {
	ask     bool
	command string // "" for none
}

// registerBecoming adds the flags to a verb that logs in.
func registerBecoming(flags *pflag.FlagSet) {
	flags.Bool(askBecomePass, false, "ask once for the password that sudo or su wants on hosts; see ssh.become")
	flags.Var(only("CMD"), becomePassCommand, "take that password from the first line that `CMD` prints here; where CMD names FWPUSH_HOST it is run for each host, with its name in that variable")
}

// becomingOf reads them.
func becomingOf(flags *pflag.FlagSet) becoming {
	ask, err := flags.GetBool(askBecomePass)
	if err != nil {
		return becoming{} // of a verb that has none
	}
	return becoming{ask, flags.Lookup(becomePassCommand).Value.String()}
}

const (
	askBecomePass     = "ask-become-pass"
	becomePassCommand = "become-pass-command"

	passCommandTime  = 30 * time.Second
	passCommandForks = 8
	maxPassOutput    = 64 << 10 // bytes of either stream
)

// passwords gives the dialer those of targets that may be asked for one. It is the last
// thing before the first login: nobody is asked for a run that cannot begin.
func (c *console) passwords(ctx context.Context, dialer *transport.Dialer, targets []rollout.Target) error {
	if !c.become.ask && c.become.command == "" {
		return nil
	}
	var hosts []string
	var ways []string
	for _, t := range targets {
		if by := t.Host.SSH.Become; transport.TakesPassword(by) {
			hosts = append(hosts, t.Host.Name)
			if len(ways) == 0 || ways[0] != by && len(ways) < 2 {
				ways = append(ways, by)
			}
		}
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case c.become.ask && c.become.command != "":
		return ended(exitConfig, "--%s and --%s: one of them; no host was changed", askBecomePass, becomePassCommand)
	case len(hosts) == 0:
		return nil
	case c.become.ask:
		err = c.askPassword(ctx, dialer, hosts, strings.Join(ways, " and "))
	default:
		err = c.runForPasswords(ctx, dialer, hosts)
	}
	switch {
	case ctx.Err() != nil:
		return ended(exitInterrupted, "interrupted at the password, no host was changed")
	case err != nil:
		return ended(exitConfig, "%v; no host was changed", err)
	}
	return nil
}

func (c *console) askPassword(ctx context.Context, dialer *transport.Dialer, hosts []string, by string) error {
	if !c.isInteractive() {
		return fmt.Errorf("--%s: there is no terminal to ask on; use --%s", askBecomePass, becomePassCommand)
	}
	word, err := ui.AskSecret(ctx, c.in, c.err, fmt.Sprintf("Password for %s on %s:", by, inventory.Fold(hosts)))
	switch {
	case ctx.Err() != nil, errors.Is(err, ui.ErrInterrupted):
		return ended(exitInterrupted, "interrupted at the question, no host was changed")
	case err != nil:
		return fmt.Errorf("no password: %w", err)
	}
	defer clear(word)
	for _, host := range hosts {
		if err := dialer.Password(host, word); err != nil {
			return err
		}
	}
	return nil
}

// runForPasswords runs the command once, or once for each host.
func (c *console) runForPasswords(ctx context.Context, dialer *transport.Dialer, hosts []string) error {
	command := c.become.command
	runs := [][]string{hosts}
	if strings.Contains(command, "FWPUSH_HOST") {
		runs = runs[:0]
		for _, host := range hosts {
			runs = append(runs, []string{host})
		}
	}
	failed := make([]error, len(runs))
	var group errgroup.Group
	group.SetLimit(passCommandForks)
	for i, of := range runs {
		group.Go(func() error {
			word, err := passwordFrom(ctx, command, of)
			defer clear(word)
			for _, host := range of {
				if err == nil {
					err = dialer.Password(host, word)
				}
			}
			failed[i] = err
			return nil
		})
	}
	_ = group.Wait() // nothing but nil is returned above
	return folded(runs, failed)
}

// folded says each trouble once, with the hosts that it is about.
func folded(runs [][]string, failed []error) error {
	var texts []string
	hosts := map[string][]string{}
	for i, err := range failed {
		if err == nil {
			continue
		}
		if hosts[err.Error()] == nil {
			texts = append(texts, err.Error())
		}
		hosts[err.Error()] = append(hosts[err.Error()], runs[i]...)
	}
	var errs []error
	for _, text := range texts {
		errs = append(errs, fmt.Errorf("--%s, for %s: %s", becomePassCommand, inventory.Fold(hosts[text]), text))
	}
	return errors.Join(errs...)
}

// passwordFrom is the first line that a command prints. It stays in the foreground, so that
// it may ask for a passphrase of its own on the terminal.
func passwordFrom(ctx context.Context, command string, hosts []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, passCommandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	stdout, stderr := &head{}, &head{}
	defer stdout.clear()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = time.Second
	cmd.Env = os.Environ()
	if len(hosts) == 1 {
		cmd.Env = append(cmd.Env, "FWPUSH_HOST="+hosts[0])
	}
	err := cmd.Run()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("it did not end within %s", passCommandTime)
	case err != nil:
		if said := strings.TrimSpace(string(stderr.kept)); said != "" {
			return nil, fmt.Errorf("%w: %s", err, ui.Safe(said))
		}
		return nil, err
	}
	line, _, _ := bytes.Cut(stdout.kept, []byte("\n"))
	return bytes.Clone(bytes.TrimSuffix(line, []byte("\r"))), nil
}

// head keeps the beginning of what is written to it.
type head struct{ kept []byte }

func (h *head) Write(p []byte) (int, error) {
	h.kept = append(h.kept, p[:min(len(p), maxPassOutput-len(h.kept))]...)
	return len(p), nil
}

func (h *head) clear() { clear(h.kept) }
