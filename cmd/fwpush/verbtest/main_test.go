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
	code, err := lab.Enter(func(w *lab.World) int {
		dir, err := os.MkdirTemp("", "verbtest")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		world, program = w, filepath.Join(dir, "fwpush")
		// The build cache is the machine's; only the program itself is new.
		build := exec.Command("go", "build", "-o", program, "fwpush/cmd/fwpush")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}
