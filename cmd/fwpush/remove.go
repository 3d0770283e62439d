package main

import (
	"strings"

	"github.com/spf13/cobra"

	"fwpush/internal/rollout"
	"fwpush/inventory"
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

		HOST is a host or a pattern such as web[01-20]. Needs --yes or a terminal's yes.`) +
			exitStatus(exitOK, exitConfig, exitFailed, exitUnreachable, exitUnknown, exitStopped, exitLocked, exitInterrupted),
		Args:              some("HOST", "web1"),
		ValidArgsFunction: completeHosts,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := c.reach(cmd.Context(), g, inventory.Selection{Named: strings.Join(args, ",")})
			if err == nil {
				err = c.mayGoOn(f.yes, len(p.targets))
			}
			if err == nil {
				without(p.targets)
			}
			return c.push(cmd.Context(), "remove", p, f, err)
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
