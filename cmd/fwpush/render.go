package main

import (
	"io"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

func newRender(c *console, g *globals) *cobra.Command {
	backend := oneOf(string(inventory.Auto), string(inventory.Nftables), string(inventory.Iptables))
	cmd := &cobra.Command{
		Use:   "render HOST",
		Short: "print the ruleset a host would get",
		Long: paragraph(`
		Print the ruleset of one host. No host is contacted.

		Into a file or a pipe it is, to the byte, what would be loaded: a script for
		"nft -f" that replaces table inet fwpush and touches nothing else, or for a host
		with backend = "iptables" sections for iptables-restore and its kin. On a
		terminal, or with -v, the lines that rules of roles and hosts make have the place
		of these beside them.`) +
			exitStatus(exitOK, exitConfig),
		Args:              one("HOST", "web1"),
		ValidArgsFunction: completeHosts,
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := c.load(cmd.Context(), g, plan.DNS)
			if err != nil {
				return err
			}
			members, err := choose(f, inventory.Selection{Named: args[0]})
			switch {
			case err != nil:
				return err
			case len(members) > 1:
				return ended(exitConfig, "%s names %d hosts, render takes one", ui.Safe(args[0]), len(members))
			}
			if backend.given {
				members[0].Host.Backend = inventory.Backend(backend.v)
			}
			c.decisions(members)
			rules, err := plan.Rules(members[0])
			if err != nil {
				return ended(exitConfig, "%v", err)
			}
			text := rules.Text
			if c.verbose || ui.IsTerminal(c.out) {
				text = ui.SafeText(rules.Annotated())
			}
			_, err = io.WriteString(c.out, text)
			return err
		},
	}
	cmd.Flags().Var(backend, "backend", "print for this backend; auto is what the file says, nftables where it says nothing")
	return cmd
}
