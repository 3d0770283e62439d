package main

import (
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"fwpush/inventory"
)

func newSchema(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "print the JSON Schema of fleet files, for editors",
		Long: paragraph(`
		Print a JSON Schema of fleet files. Editors of TOML that know such schemas
		complete keys with it and underline mistakes. It is made of the table that the
		file is read by; fwpush check finds more.

		Taplo and what is built on it read it from a line at the top of the file:
		"#:schema ./fleet.schema.json".`) + exitStatus(exitOK),
		Example: `  fwpush schema > fleet.schema.json`,
		Args:    none,
		RunE: func(*cobra.Command, []string) error {
			text, err := json.MarshalIndent(inventory.JSONSchema(), "", "  ")
			if err != nil {
				return err
			}
			_, err = io.WriteString(c.out, string(text)+"\n")
			return err
		},
	}
}
