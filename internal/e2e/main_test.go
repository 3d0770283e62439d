package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"fwpush/internal/lab"
)

var (
	world  *lab.World // set once, before the tests
	binary string     // the program under test
)

// TestMain tests the program with what only a test build has: windows of a few seconds, and the steps
// at which it can be killed.
func TestMain(m *testing.M) {
	programs := map[string][]string{"fwpush": {"-tags", "fwpushtest", "fwpush/cmd/fwpush"}}
	os.Exit(lab.TestsOf(programs, m, 3, func(w *lab.World, dir string) {
		world, binary = w, filepath.Join(dir, "fwpush")
	}))
}
