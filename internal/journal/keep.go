package journal

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// keptRuns is how many runs stay.
	keptRuns = 1000
	// openTime is how long a run stays beyond that whose hosts may still be waiting for
	// somebody to look at them.
	openTime = 7 * 24 * time.Hour
	// draftTime is after how long what a controller was about to make or to remove when
	// it died is removed.
	draftTime = 24 * time.Hour
)

// Directories with these prefixes are no runs yet, or no longer.
const (
	draftPrefix = ".new-"
	trashPrefix = ".old-"
)

// prune removes the runs that are too many. What it cannot remove it leaves for the
// next run: no run fails because of an old one. It looks at the oldest alone, so that it
// costs nothing as long as there are few.
func prune(root *os.Root, now time.Time) {
	// Whoever else holds the lock prunes, or soon will.
	_ = exclusively(root, 0, func() error {
		sweep(root, now)
		names, err := runNames(root)
		if err != nil {
			return err
		}
		for _, run := range names[:max(0, len(names)-keptRuns)] {
			if !expendable(root, run, now) {
				continue
			}
			trash := filepath.Join(runsDir, trashPrefix+run)
			if root.Rename(filepath.Join(runsDir, run), trash) == nil {
				_ = root.RemoveAll(trash)
			}
		}
		return nil
	})
}

// expendable says whether nobody needs a run any more.
func expendable(root *os.Root, run string, now time.Time) bool {
	info, err := root.Stat(eventsOf(run))
	if err != nil {
		return true // there is nothing to be read
	}
	s, err := summarize(root, run)
	switch {
	case s.State == Running:
		return false
	case now.Sub(info.ModTime()) > openTime || err != nil:
		return true
	}
	return s.State == Finished && s.Outcomes["pending"] == 0 && s.Outcomes["unknown"] == 0
}

// sweep removes what dead controllers left between two steps.
func sweep(root *os.Root, now time.Time) {
	entries, err := fs.ReadDir(root.FS(), runsDir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), draftPrefix) && !strings.HasPrefix(e.Name(), trashPrefix) {
			continue
		}
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > draftTime {
			_ = root.RemoveAll(filepath.Join(runsDir, e.Name()))
		}
	}
}
