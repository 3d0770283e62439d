package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// envPrograms hands the directory of the built programs down to the stages of the world.
const envPrograms = "FWPUSH_LAB_PROGRAMS"

// TestsOf is Tests of programs that are built first, outside of the world, which has no way to a module
// proxy: each by its name, with the arguments of go build. begin is given the directory they are in.
// They read no ssh_config: that of whoever runs the tests is not their business.
func TestsOf(programs map[string][]string, m interface{ Run() int }, parallel int, begin func(w *World, dir string)) int {
	dir := os.Getenv(envPrograms)
	if dir == "" {
		made, err := buildAll(programs)
		defer os.RemoveAll(made)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		dir = made
	}
	return Tests(m, parallel, func(w *World) error {
		begin(w, dir)
		return os.Setenv("FWPUSH_SSH_CONFIG", "none")
	})
}

// buildAll makes the programs in a new directory, which is to be removed after an error, too.
func buildAll(programs map[string][]string) (dir string, err error) {
	dir, err = os.MkdirTemp("", "fwpush-programs")
	if err != nil {
		return "", err
	}
	for name, args := range programs {
		cmd := exec.Command("go", append([]string{"build", "-o", filepath.Join(dir, name)}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return dir, fmt.Errorf("go build %s: %w\n%s", name, err, out)
		}
	}
	return dir, os.Setenv(envPrograms, dir)
}
