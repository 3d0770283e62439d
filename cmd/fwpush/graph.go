package main

import (
	"context"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/graph"
	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/inventory"
)

func newGraph(c *console, g *globals) *cobra.Command {
	var sel selecting
	format := oneOf("dot", "mermaid", "svg", "html")
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "draw who may talk to whom",
		Long: paragraph(`
		Draw which roles, sets and the internet may talk to which, and by which services,
		as the rules of the fleet file decide at both ends. No host is contacted.

		dot is for graphviz, mermaid for pages that know it, svg is a picture. html is a
		page that needs nothing beside itself, with the whole matrix, the rule behind
		every cell, and a box to filter it. Pictures show what rules let pass and
		leave out what goes without them: ping, management, an open outbound.

		Where hosts are selected, only what their roles may send and get is drawn.`) + exitStatus(exitOK, exitConfig),
		Example: `  fwpush graph --format html > fleet.html
  fwpush graph --role db | dot -Tpng > db.png`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.graph(cmd.Context(), g, sel.Selection, format.v)
		},
	}
	sel.register(cmd)
	cmd.Flags().Var(format, "format", "dot, mermaid, svg or html")
	return cmd
}

func (c *console) graph(ctx context.Context, g *globals, s inventory.Selection, format string) error {
	f, err := c.load(ctx, g, plan.DNS)
	if err != nil {
		return err
	}
	reach, err := f.Reach()
	if err != nil {
		return ended(exitConfig, "%v", err)
	}
	if len(s.Roles)+len(s.Limit)+len(s.Exclude) > 0 {
		members, err := choose(f, s)
		if err != nil {
			return err
		}
		var names []string
		for _, m := range members {
			for _, r := range m.Host.Roles {
				names = append(names, "role:"+r.V)
			}
		}
		reach = reach.About(names)
	}
	if len(reach.Edges) == 0 {
		c.Tell("note: the graph is empty: it is about roles and the sets that their rules name, and no host that gets rules has a role")
	}
	switch format {
	case "mermaid":
		return graph.Mermaid(c.out, reach)
	case "svg":
		return graph.SVG(c.out, reach)
	case "html":
		return graph.HTML(c.out, f.Fleet.Name, reach)
	}
	return graph.DOT(c.out, reach)
}
