package verbtest

import (
	"os"
	"path/filepath"
	"testing"

	"fwpush/internal/lab"
)

// world is where all hosts of these tests stand, program is fwpush.
var (
	world   *lab.World
	program string
)

func TestMain(m *testing.M) {
	programs := map[string][]string{"fwpush": {"fwpush/cmd/fwpush"}}
	os.Exit(lab.TestsOf(programs, m, 0, func(w *lab.World, dir string) {
		world, program = w, filepath.Join(dir, "fwpush")
	}))
}
