package main

import (
	"github.com/spf13/cobra"

	"fwpush/internal/rollout"
	"fwpush/render"
)

func newRemove(c *console, g *globals) *cobra.Command {
	f := newChangeFlags()
	cmd := &cobra.Command{
		Use:   "remove HOST...",
		Short: "take fwpush's rules off hosts",
		Long: paragraph(`
		Take fwpush's rules off the named hosts: table inet fwpush, or with iptables its
		chains, jumps and sets. It is done in the way rules are pushed: with a revert armed,
		and confirmed over a fresh connection. After that the boot unit, the boot file and
		all state of fwpush go too; a line of history stays.

		HOST is a host or a pattern such as web[01-20]. A host that the file does not name
		any more is found by what this machine recorded of it: fwpush status shows those as
		left behind. Needs --yes or a terminal's yes.`) +
			exitStatus(exitOK, exitConfig, exitFailed, exitUnreachable, exitUnknown, exitStopped, exitLocked, exitInterrupted),
		Args:              some("HOST", "web1"),
		ValidArgsFunction: completeHosts,
		RunE: func(cmd *cobra.Command, args []string) error {
			var p *prepared
			file, err := c.load(cmd.Context(), g, nil)
			if err == nil {
				p, err = c.namedHosts(cmd.Context(), g, file, args)
			}
			if err == nil {
				without(p.targets)
			}
			run := &push{console: c, g: g, f: f, cmd: cmd, again: []string{"remove"}, alwaysAsks: true}
			return run.do(cmd.Context(), p, err)
		},
	}
	f.register(cmd, false)
	return cmd
}

// without makes the candidate of every target no table at all.
func without(targets []rollout.Target) {
	for i := range targets {
		targets[i].Candidate.Rules, targets[i].Candidate.Remove = render.Remove(), true
	}
}
