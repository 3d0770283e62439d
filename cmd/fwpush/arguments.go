package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// none is for verbs without arguments.
func none(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.Flags().Lookup("limit") != nil:
		return fmt.Errorf("%s takes no arguments; hosts are selected as in -l %s", cmd.CommandPath(), args[0])
	}
	return fmt.Errorf("%s takes no arguments, and here is %q", cmd.CommandPath(), args[0])
}

// one is for verbs about a single thing; the example says what one looks like.
func one(name, example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return fmt.Errorf("%s takes one %s, and here are %d", cmd.CommandPath(), name, len(args))
		}
		return some(name, example)(cmd, args)
	}
}

// some is for verbs about one thing or more.
func some(name, example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("%s is missing, as in %s %s", name, cmd.CommandPath(), example)
		}
		return nil
	}
}
