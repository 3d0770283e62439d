package main

import (
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// Texts of ours fit terminals of 88 columns. Those of cobra's completion do not.
func TestHelpIsNarrow(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Name() == "completion" {
			return
		}
		text, _, _ := strings.Cut(cmd.Long, "\n\nEXIT STATUS\n")
		for line := range strings.SplitSeq(text+"\n"+cmd.Example, "\n") {
			if n := utf8.RuneCountInString(line); n > 88 {
				t.Errorf("%s: %d columns: %s", cmd.CommandPath(), n, line)
			}
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(&console{out: io.Discard, err: io.Discard, environ: func(string) (string, bool) { return "", false }}))
}
