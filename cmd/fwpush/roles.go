package main

import (
	"context"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/roles"
)

func newRoles(c *console, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "roles",
		Short: "list the roles, or show one",
		Long: paragraph(`
		List the roles that hosts can have: those of the fleet file and the standard ones
		that ship with fwpush. A role of the fleet file replaces a standard one of the same
		name. Without a fleet file only the standard ones are listed.`) + exitStatus(exitOK, exitConfig),
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.listRoles(cmd.Context(), g) },
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "list",
			Short: "list the roles",
			Long:  "List the roles, as fwpush roles does." + exitStatus(exitOK, exitConfig),
			Args:  none,
			RunE:  func(cmd *cobra.Command, _ []string) error { return c.listRoles(cmd.Context(), g) },
		},
		&cobra.Command{
			Use:               "show NAME",
			Short:             "show a role as a fleet file would have it",
			Long:              "Show a role as a fleet file would have it, without the roles it extends." + exitStatus(exitOK, exitConfig),
			Args:              one("NAME", "web"),
			ValidArgsFunction: completeRoles,
			RunE:              func(cmd *cobra.Command, args []string) error { return c.showRole(cmd.Context(), g, args[0]) },
		})
	return cmd
}

// rolesFleet is the fleet file, or an empty one where there is none and none was
// named: the standard roles can be read before there is a fleet.
func (c *console) rolesFleet(ctx context.Context, g *globals) (*inventory.Fleet, error) {
	if _, err := inventory.Find("."); err != nil && !g.inventory.given {
		return &inventory.Fleet{}, nil
	}
	f, err := c.load(ctx, g, nil)
	if err != nil {
		return nil, err
	}
	return f.Fleet, nil
}

func (c *console) listRoles(ctx context.Context, g *globals) error {
	fleet, err := c.rolesFleet(ctx, g)
	if err != nil {
		return err
	}
	var table ui.Table
	table.Painted(c.outColour.Dim, "ROLE", "HOSTS", "FROM")
	for _, r := range roles.List(fleet) {
		from := r.Place.String()
		if r.Standard {
			from = "standard"
		}
		table.Row(r.Name, strconv.Itoa(r.Hosts), from)
	}
	return table.Write(c.out)
}

func (c *console) showRole(ctx context.Context, g *globals, name string) error {
	fleet, err := c.rolesFleet(ctx, g)
	if err != nil {
		return err
	}
	text, err := roles.Show(fleet, name)
	if err != nil {
		return ended(exitConfig, "%v", err)
	}
	_, err = io.WriteString(c.out, ui.SafeText(text))
	return err
}
