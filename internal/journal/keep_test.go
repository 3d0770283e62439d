package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

func runOf(i int) string { return fmt.Sprintf("20261101T%02d%02d%02dZ-%08x", i/3600, i/60%60, i%60, i) }

func kept(t *testing.T, s *Store) []string {
	t.Helper()
	var names []string
	for sum, err := range s.Runs() {
		if err != nil {
			t.Errorf("%s: %v", sum.Run, err)
		}
		names = append(names, sum.Run)
	}
	return names
}

func TestTheLastThousandRunsAreKept(t *testing.T) {
	s := newStore(t)
	// Runs 0 to 9 are the oldest. This many go.
	const done = `{"at":"2026-11-01T00:00:00Z","event":"done","outcomes":{"%s":1}}` + "\n"
	for i := range keptRuns + 9 {
		text := fmt.Sprintf(`{"at":"2026-11-01T00:00:00Z","event":"run","schema":1,"run":%q}`+"\n", runOf(i))
		switch i {
		case 0, 5:
			text += fmt.Sprintf(done, "pending")
		case 1:
			text += fmt.Sprintf(done, "unknown")
		case 2, 4: // not ended: the controller died, or goes on
		case 3:
			text = "garbage"
		default:
			text += fmt.Sprintf(done, "confirmed")
		}
		put(t, s, runOf(i), text)
	}
	age := func(i int, age time.Duration) {
		at := began().Add(-age)
		if err := os.Chtimes(filepath.Join(s.dir, eventsOf(runOf(i))), at, at); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 9 {
		age(i, 6*24*time.Hour)
	}
	age(5, 8*24*time.Hour)
	age(4, 8*24*time.Hour)
	running, err := os.OpenFile(filepath.Join(s.dir, eventsOf(runOf(4))), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	if err := lock(running, syscall.LOCK_EX, 0); err != nil {
		t.Fatal(err)
	}
	draft := filepath.Join(s.dir, runsDir, draftPrefix+runOf(0)+".1")
	if err := os.Mkdir(draft, 0o700); err != nil {
		t.Fatal(err)
	}
	long := began().Add(-25 * time.Hour)
	if err := os.Chtimes(draft, long, long); err != nil {
		t.Fatal(err)
	}

	r := begin(t, s, header(aRun))
	defer r.Close()
	got := kept(t, s)
	slices.Reverse(got)
	// Pending, unknown, and died within the week, and what still runs.
	want := []string{runOf(0), runOf(1), runOf(2), runOf(4)}
	for i := 10; i < keptRuns+9; i++ {
		want = append(want, runOf(i))
	}
	want = append(want, aRun)
	if !slices.Equal(got, want) {
		t.Errorf("kept %d: %v … %v", len(got), got[:min(10, len(got))], got[max(0, len(got)-2):])
	}
	if _, err := os.Lstat(draft); !os.IsNotExist(err) {
		t.Error("what a dead controller left is still there")
	}
	hidden, err := filepath.Glob(filepath.Join(s.dir, runsDir, ".*"))
	if err != nil || len(hidden) > 0 {
		t.Errorf("left: %v, %v", hidden, err)
	}
}

func TestRunsNewestFirst(t *testing.T) {
	s := newStore(t)
	for _, i := range []int{5, 1, 3} {
		r := begin(t, s, header(runOf(i), "web1", "web2"))
		write(t, r, Ended{Host: "web1", Outcome: "confirmed"})
		if i != 3 {
			write(t, r, Ended{Host: "web2", Outcome: "unreachable"})
			if err := r.Finish(Done{Exit: 4}); err != nil {
				t.Fatal(err)
			}
		}
	}
	var got []string
	for sum, err := range s.Runs() {
		if err != nil {
			t.Fatal(err)
		}
		exit := -1
		if sum.Done != nil {
			exit = sum.Done.Exit
		}
		got = append(got, fmt.Sprintf("%s %s %d %v", sum.Run, sum.State, exit, sum.Outcomes))
	}
	want := []string{
		runOf(5) + " finished 4 map[confirmed:1 unreachable:1]",
		runOf(3) + " running -1 map[:1 confirmed:1]",
		runOf(1) + " finished 4 map[confirmed:1 unreachable:1]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
