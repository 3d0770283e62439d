package main

import (
	"github.com/spf13/cobra"

	"fwpush/inventory"
	"fwpush/roles"
)

// selecting is the flags that choose hosts. A pattern is kept whole: a list type
// of flag would cut web[01,05] at its comma.
type selecting struct {
	inventory.Selection
}

func (s *selecting) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&s.Roles, "role", nil, "hosts with this `ROLE`; repeated: with any of them")
	flags.StringArrayVarP(&s.Limit, "limit", "l", nil, "only hosts that match `PATTERN`: a host, web[01-20], web*, role:web, a,b or all; repeated: each narrows")
	flags.StringArrayVarP(&s.Exclude, "exclude", "x", nil, "not the hosts that match `PATTERN`")
	_ = cmd.RegisterFlagCompletionFunc("role", completeRoles)
	_ = cmd.RegisterFlagCompletionFunc("limit", completeHosts)
	_ = cmd.RegisterFlagCompletionFunc("exclude", completeHosts)
}

// complete offers names from the fleet file that the command line names so far.
func complete(cmd *cobra.Command, names func(*inventory.Fleet) []string) ([]string, cobra.ShellCompDirective) {
	path := ""
	if f := cmd.Flag("inventory"); f != nil {
		path = f.Value.String() // "" where only programs are named, which nobody runs for a tab
	}
	named := path != ""
	if !named {
		var err error
		if path, err = inventory.Find("."); err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
	}
	fleet, _ := inventory.Load(path, inventory.LoadOptions{Named: named})
	return names(fleet), cobra.ShellCompDirectiveNoFileComp
}

func completeHosts(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return complete(cmd, func(fleet *inventory.Fleet) []string {
		var names []string
		for _, h := range fleet.Hosts {
			names = append(names, h.Name)
		}
		return names
	})
}

func completeRoles(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return complete(cmd, func(fleet *inventory.Fleet) []string {
		var names []string
		for _, r := range roles.List(fleet) {
			names = append(names, r.Name)
		}
		return names
	})
}
