package main

import (
	"context"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

func newHosts(c *console, g *globals) *cobra.Command {
	var s selecting
	output, ssh := oneOf("text", "json"), false
	cmd := &cobra.Command{
		Use:   "hosts [PATTERN]",
		Short: "list the hosts that a selection means",
		Long: paragraph(`
		List the selected hosts with their roles and addresses, without touching one. This
		is how to try a PATTERN such as 'web[01-20],db*' before a verb that changes hosts.

		With --ssh the settings are listed by which each host is reached, as far as the
		fleet file gives them. "-" is what it leaves to ssh's own defaults.`) +
			exitStatus(exitOK, exitConfig),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return one("PATTERN", "'web[01-20]'")(cmd, args)
		},
		ValidArgsFunction: completeHosts,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				s.Named = args[0]
			}
			hosts, err := c.selected(cmd.Context(), g, s.Selection)
			if output.v == "json" {
				return shown(err, ui.WriteJSON(c.out, report.HostList{Schema: 1, Command: "hosts",
					Exit: exitCode(err), Error: reason(err), Hosts: report.ListOf(hosts)}))
			}
			if err != nil {
				return err
			}
			return shown(nil, report.WriteHosts(c.out, c.outColour, hosts, ssh))
		},
	}
	s.register(cmd)
	cmd.Flags().BoolVar(&ssh, "ssh", false, "show how each host is reached")
	addOutput(cmd, output)
	return cmd
}

// selected are the hosts that are meant.
func (c *console) selected(ctx context.Context, g *globals, s inventory.Selection) ([]inventory.Host, error) {
	f, err := c.load(ctx, g, nil)
	if err != nil {
		return nil, err
	}
	members, err := choose(f, s)
	if err != nil {
		return nil, err
	}
	hosts := make([]inventory.Host, len(members))
	for i, m := range members {
		hosts[i] = m.Host
	}
	return hosts, nil
}
