package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/demo"
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
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.demo(cmd.Context()) },
	}
	cmd.AddCommand(newDemoListen(c), newDemoProbe(c))
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
		if err := demo.Perform(ctx, w, c.out, c.outColour); err != nil {
			shown = ended(exitFailed, "%v", err)
		}
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

// newDemoListen and newDemoProbe are parts of the demo that run on its hosts.
func newDemoListen(c *console) *cobra.Command {
	return &cobra.Command{
		Use:    "listen PORT...",
		Short:  "accept connections until killed (a part of the demo)",
		Hidden: true,
		Args:   cobra.MinimumNArgs(1),
		RunE:   func(_ *cobra.Command, args []string) error { return demo.Listen(c.out, args) },
	}
}

func newDemoProbe(c *console) *cobra.Command {
	return &cobra.Command{
		Use:    "probe ADDRESS PORT...",
		Short:  "tell which ports answer (a part of the demo)",
		Hidden: true,
		Args:   cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return demo.Probe(cmd.Context(), c.out, args[0], args[1:])
		},
	}
}
