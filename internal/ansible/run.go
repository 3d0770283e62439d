package ansible

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// RunTime bounds how long a program may take for its inventory.
	RunTime = time.Minute
	// maxStderr bounds what is kept of what a program has to say of itself, in bytes.
	maxStderr = 16 << 10
)

// RunError is a program that gave no inventory.
type RunError struct {
	Program string
	Reason  string
	Stderr  string // its last words, as they came
}

func (e *RunError) Error() string { return e.Program + ": " + e.Reason }

// Run asks a program for its inventory, as Ansible does: with --list, where fwpush was
// started, with all of the environment, in which such programs find what they log in to
// clouds with. It is stopped, and all it has started, after RunTime, and where it
// prints more than MaxSize. The error is a *RunError.
func Run(ctx context.Context, program string) ([]byte, error) {
	path, err := filepath.Abs(program)
	if err != nil {
		return nil, &RunError{Program: program, Reason: err.Error()}
	}
	return output(ctx, program, path, "--list")
}

// List has ansible-inventory read an inventory of any kind.
func List(ctx context.Context, inventory string) ([]byte, error) {
	const tool = "ansible-inventory"
	path, err := exec.LookPath(tool)
	if err != nil {
		return nil, &RunError{Program: tool, Reason: "is not installed; where Ansible is, run ansible-inventory -i " + inventory + " --list, and give what it prints"}
	}
	return output(ctx, tool, path, "-i", inventory, "--list")
}

func output(ctx context.Context, name, path string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, RunTime)
	defer cancel()
	tooMuch := errors.New("too much")
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	stdout := &bounded{most: MaxSize, full: func() { stop(tooMuch) }}
	stderr := &bounded{most: maxStderr, full: func() {}}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// A script's children hold its pipes: they go with it.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	failed := func(reason string) ([]byte, error) {
		return nil, &RunError{Program: name, Reason: reason, Stderr: stderr.kept.String()}
	}
	switch {
	case errors.Is(context.Cause(ctx), tooMuch):
		return failed(fmt.Sprintf("printed more than %d MiB", MaxSize>>20))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return failed(fmt.Sprintf("printed no inventory within %s", RunTime))
	case ctx.Err() != nil:
		return failed("interrupted")
	case errors.Is(err, fs.ErrNotExist): // the program is there, it was looked at
		return failed("what its first line names to run it with is not there")
	case err != nil:
		return failed(err.Error())
	}
	return stdout.kept.Bytes(), nil
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	kept bytes.Buffer
	most int
	full func()
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.most - b.kept.Len(); len(p) > room {
		b.kept.Write(p[:max(room, 0)])
		b.full()
		return len(p), nil
	}
	return b.kept.Write(p)
}
