package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"fwpush/internal/lab"
)

// envBinary hands the built program down to the stages of the lab.
const envBinary = "E2E_FWPUSH"

var (
	world  *lab.World // set once, before the tests
	binary string     // the program under test
)

func TestMain(m *testing.M) {
	code, err := enter(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// enter builds the program outside of the world, which has no way to a module
// proxy, and runs the tests inside.
func enter(m *testing.M) (code int, err error) {
	if os.Getenv(envBinary) == "" {
		dir, err := os.MkdirTemp("", "fwpush-e2e")
		if err != nil {
			return 1, err
		}
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "fwpush")
		if err := build(path); err != nil {
			return 1, err
		}
		if err := os.Setenv(envBinary, path); err != nil {
			return 1, err
		}
	}
	return lab.Tests(m, 4, func(w *lab.World) error {
		world, binary = w, os.Getenv(envBinary)
		return os.Setenv("FWPUSH_SSH_CONFIG", "none") // that of whoever runs the tests is not their business
	}), nil
}

// build makes the program with what only a test build has: windows of a few
// seconds, and the steps at which it can be killed.
func build(path string) error {
	out, err := exec.Command("go", "build", "-tags", "fwpushtest", "-o", path, "fwpush/cmd/fwpush").CombinedOutput()
	if err != nil {
		return errors.Join(fmt.Errorf("go build: %w", err), errors.New(string(out)))
	}
	return nil
}
