package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// room lets files of this process grow to a size and no further: what write(2) does then
// is what it does on a disk that fills up, a part first and an error next.
func room(size int64) error {
	signal.Ignore(syscall.SIGXFSZ)
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(size), Max: ^uint64(0)})
}

// fullDisk is a run on a disk that is full, and later is not any more. It checks what only
// it can see, and leaves the rest to who started it.
func fullDisk(dir, run string) error {
	s, err := Open(dir)
	if err != nil {
		return err
	}
	if err := room(300); err != nil {
		return err
	}
	_, err = s.Begin(header("20261122T143000Z-00000000", "web1"))
	if !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), "--state-dir") {
		return fmt.Errorf("a run without a record may begin: %w", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, runsDir, "*")); len(left) > 0 {
		return fmt.Errorf("left behind: %v", left)
	}
	if hidden, _ := filepath.Glob(filepath.Join(dir, runsDir, ".*")); len(hidden) > 0 {
		return fmt.Errorf("left behind: %v", hidden)
	}

	if err := room(1 << 20); err != nil {
		return err
	}
	r, err := s.Begin(header(run, "web1", "web2", "web3"))
	if err != nil {
		return err
	}
	path := filepath.Join(dir, eventsOf(run))
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := room(int64(len(before)) + 250); err != nil { // one line and a part of the next
		return err
	}
	if err := r.Write(Ended{Host: "web1", Outcome: "confirmed"}); err != nil {
		return err
	}
	for range 3 {
		if err := r.Write(Ended{Host: "web2", Outcome: "confirmed"}); !errors.Is(err, syscall.EFBIG) {
			return fmt.Errorf("a line that is not in the file: %w", err)
		}
		if err := r.Sync(); !errors.Is(err, syscall.EFBIG) {
			return fmt.Errorf("not all is on the disk: %w", err)
		}
		now, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(now, before) || bytes.Count(now, []byte("\n")) != 5 || !bytes.HasSuffix(now, []byte("\n")) {
			return fmt.Errorf("the file ends with %q", now[len(before):])
		}
	}
	if os.Getenv("JOURNAL_STAYS_FULL") != "" {
		err := r.Finish(Done{Exit: 3})
		if err == nil || !strings.Contains(err.Error(), "4 lines of what happened could not be written") {
			return fmt.Errorf("nobody is told: %w", err)
		}
		return nil
	}
	for i := range 2000 { // more than is kept in memory
		if err := r.Write(Ended{Host: "web3", Outcome: "failed", Error: fmt.Sprint(i, strings.Repeat("x", maxText))}); err == nil {
			return errors.New("a line that is in no file")
		}
	}
	if err := room(maxFile); err != nil {
		return err
	}
	if err := r.Sync(); err == nil {
		return errors.New("lines are gone for good, and all is said to be on the disk")
	}
	if err := r.Write(Interrupted{Count: 1}); err != nil {
		return err
	}
	if err := r.Sync(); err != nil { // the file says itself what is gone
		return err
	}
	return r.Finish(Done{Exit: 130})
}

func TestAFullDisk(t *testing.T) {
	s := newStore(t)
	cmd, _ := controller(t, "full", s.dir, aRun)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	got := loadRun(t, s, aRun)
	if got.Damaged != 0 || got.State != Finished || got.Broken != 1 {
		t.Errorf("%d lines are damaged, the run is %s, %d interrupts", got.Damaged, got.State, got.Broken)
	}
	if got.Lost < 500 || got.Lost > 1500 { // of 2000, 4 MiB were kept
		t.Errorf("%d lines are told to be lost", got.Lost)
	}
	for i, want := range []string{"confirmed", "confirmed", "failed"} {
		if out := got.Hosts[i].Outcome(); out != want {
			t.Errorf("%s: %q, want %q", got.Hosts[i].Name, out, want)
		}
	}
}

func TestADiskThatStaysFull(t *testing.T) {
	s := newStore(t)
	t.Setenv("JOURNAL_STAYS_FULL", "1")
	cmd, _ := controller(t, "full", s.dir, aRun)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	got := loadRun(t, s, aRun)
	if got.Damaged != 0 || got.State != Died || got.Hosts[0].Outcome() != "confirmed" || got.Hosts[1].Outcome() != "" {
		t.Errorf("got %+v", got)
	}
}
