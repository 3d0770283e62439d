package verbtest

import (
	"fmt"
	"os"
	"os/exec"
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
	os.Exit(lab.Tests(m, 0, func(w *lab.World) error {
		dir, err := os.MkdirTemp("", "verbtest")
		if err != nil {
			return err
		}
		world, program = w, filepath.Join(dir, "fwpush")
		// The build cache is the machine's; only the program itself is new.
		build := exec.Command("go", "build", "-o", program, "fwpush/cmd/fwpush")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
		return os.Setenv("FWPUSH_SSH_CONFIG", "none") // that of whoever runs the tests is not their business
	}))
}
