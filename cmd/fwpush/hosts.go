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

		With --ssh the settings are listed by which each host is reached: those of the fleet
		file, else those that ssh -G tells of ssh_config, and where each comes from. What is
		not in the second list is a default; "-" is one of ssh.`) +
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
			hosts, ways, err := c.selected(cmd.Context(), g, s.Selection, ssh)
			if output.v == "json" {
				return shown(err, ui.WriteJSON(c.out, report.HostList{Schema: 1, Command: "hosts",
					Exit: exitCode(err), Error: reason(err), Hosts: report.WithWays(hosts, ways)}))
			}
			if err != nil {
				return err
			}
			if ssh {
				return shown(nil, report.WriteWays(c.out, c.outColour, report.WithWays(hosts, ways)))
			}
			return shown(nil, report.WriteHosts(c.out, c.outColour, hosts))
		},
	}
	s.register(cmd)
	cmd.Flags().BoolVar(&ssh, "ssh", false, "show how each host is reached")
	addSSHConfig(cmd)
	addOutput(cmd, output)
	return cmd
}

// selected are the hosts that are meant, and if that is asked how they are reached.
func (c *console) selected(ctx context.Context, g *globals, s inventory.Selection, ssh bool) ([]inventory.Host, []report.Way, error) {
	f, err := c.load(ctx, g, nil)
	if err != nil {
		return nil, nil, err
	}
	members, err := choose(f, s)
	if err != nil {
		return nil, nil, err
	}
	var ways []report.Way
	if ssh {
		resolved, err := c.asSSH(ctx, f, members)
		if err != nil {
			return nil, nil, err
		}
		for i, m := range members {
			way := report.Way{Endpoint: m.Host.SSH}
			if resolved != nil { // else there is no ssh
				way.Configured = resolved[i].Configured
			}
			ways = append(ways, way)
		}
	}
	hosts := make([]inventory.Host, len(members))
	for i, m := range members {
		hosts[i] = m.Host
	}
	return hosts, ways, nil
}
