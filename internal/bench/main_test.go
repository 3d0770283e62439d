package bench

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"fwpush/internal/lab"
)

var (
	world    *lab.World // set once, before the benchmarks
	programs string     // the directory of those that were built
)

func TestMain(m *testing.M) {
	if hosts := os.Getenv(envServe); hosts != "" {
		os.Exit(serve(hosts))
	}
	if flag.Parse(); flag.Lookup("test.bench").Value.String() == "" {
		os.Exit(m.Run()) // there is nothing to build the programs for
	}
	if err := os.Setenv("CGO_ENABLED", "0"); err != nil { // as `make build` does
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	build := map[string][]string{
		"fwpush": {"-trimpath", "fwpush/cmd/fwpush"},
		"floor":  {"-trimpath", "fwpush/internal/bench/floor"},
	}
	os.Exit(lab.TestsOf(build, m, 1, func(w *lab.World, dir string) { world, programs = w, dir }))
}

// program is the path of one that was built.
func program(name string) string { return filepath.Join(programs, name) }
