package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fwpush/internal/lab"
)

// demoTime bounds a demo; it takes about a minute.
const demoTime = 5 * time.Minute

func newDemo(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "push to a small fleet of real hosts made on this machine, a lock-out included",
		Long: paragraph(`
		Make three web hosts and a bastion on this machine, each with a kernel firewall,
		sshd and atd of its own, push the rules of role web, look at the ports from outside,
		then push rules that lock this machine out and watch the hosts heal themselves.

		Needs root. The hosts live in namespaces that end with this command, however it
		ends: nothing is left behind, and the firewall of this machine is never touched.`) +
			exitStatus(exitOK, exitConfig, exitFailed, exitInterrupted),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.demo(cmd.Context()) },
	}
	cmd.AddCommand(newDemoListen(), newDemoProbe(c))
	return cmd
}

// demo runs three times: here, as the first process of a world of namespaces,
// and in there, where the demo is. Only the last has something to say.
func (c *console) demo(ctx context.Context) error {
	inside := false
	var shown error
	code, err := lab.Enter(func(w *lab.World) int {
		inside = true
		ctx, cancel := context.WithTimeout(ctx, demoTime)
		defer cancel()
		shown = c.perform(ctx, w)
		return exitCode(shown)
	})
	switch {
	case inside:
		return shown
	case err != nil:
		return ended(exitConfig, "%s", strings.TrimPrefix(err.Error(), "lab: "))
	case code != exitOK:
		return &exit{code: code} // told inside
	}
	return nil
}

// perform is the demo, from the first host to the last word.
func (c *console) perform(ctx context.Context, w *lab.World) error {
	s := &stage{c: c, w: w, began: time.Now()}
	for _, scene := range []func(context.Context) error{s.setUp, s.push, s.look, s.lockOut, s.heal} {
		if err := scene(ctx); err != nil {
			return ended(exitFailed, "the demo did not show what it should: %v", err)
		}
	}
	s.say("Done in %s. The hosts and all their files end with this command.", time.Since(s.began).Round(time.Second))
	return nil
}

// errShown says that a scene went another way than it was announced.
func errShown(got, want string) error {
	return errors.New("got " + got + ", want " + want)
}
