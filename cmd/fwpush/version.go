package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"fwpush/internal/ui"
)

type buildInfo struct {
	Schema   int    `json:"schema"`
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Time     string `json:"time"` // of the revision, RFC 3339
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion(c *console) *cobra.Command {
	output := oneOf("text", "json")
	cmd := &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Long:  "Print the version of fwpush, the revision it was built from, and the version of Go." + exitStatus(exitOK, exitConfig),
		Args:  none,
		RunE: func(*cobra.Command, []string) error {
			b := build()
			if output.v == "json" {
				return ui.WriteJSON(c.out, b)
			}
			_, err := fmt.Fprintln(c.out, versionLine())
			return err
		},
	}
	addOutput(cmd, output)
	return cmd
}

// versionLine is the version for people.
func versionLine() string {
	b := build()
	revision := b.Revision
	if b.Modified {
		revision += "+changes"
	}
	if revision != "" {
		revision = " (" + revision + ", " + b.Time + ")"
	}
	return fmt.Sprintf("fwpush %s%s %s %s", b.Version, revision, b.Go, b.Platform)
}

// build reads what the Go tool recorded in the binary.
func build() buildInfo {
	b := buildInfo{Schema: 1, Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value[:min(12, len(s.Value))]
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}
