package ansible

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "inventory.sh")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRun(t *testing.T) {
	got, err := Run(t.Context(), script(t, `echo "$# $1"; echo hint >&2`))
	if err != nil || string(got) != "1 --list\n" {
		t.Errorf("%q, %v", got, err)
	}
	_, err = Run(t.Context(), script(t, "echo no token >&2; exit 3"))
	var failed *RunError
	if !errors.As(err, &failed) || failed.Reason != "exit status 3" || failed.Stderr != "no token\n" {
		t.Errorf("%+v", err)
	}
	if _, err := Run(t.Context(), filepath.Join(t.TempDir(), "gone")); err == nil {
		t.Error("a program that is not there")
	}
}

// A program that never stops printing is stopped, with what it has started, and so is one
// that is in nobody's interest any more.
func TestRunIsBounded(t *testing.T) {
	_, err := Run(t.Context(), script(t, "cat /dev/zero & cat /dev/zero; wait"))
	if err == nil || !strings.Contains(err.Error(), "printed more than 64 MiB") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = Run(ctx, script(t, "sleep 100 & sleep 100"))
	if err == nil || time.Since(start) > 20*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}
