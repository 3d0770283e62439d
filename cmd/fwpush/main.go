// Command fwpush renders firewall rulesets from a fleet file and pushes them to
// many hosts over SSH, each with a revert armed that only a fresh connection
// cancels.
package main

import (
	"os"

	"fwpush/internal/ui"
)

func main() {
	os.Exit(run(os.Args[1:], console{in: os.Stdin, out: os.Stdout, err: ui.NewScreen(os.Stderr), environ: os.LookupEnv}))
}
