//go:build chaos

package commit

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fwpush/internal/chaos"
	"fwpush/internal/inject"
)

// Every system call that matters, in every part of a transaction, goes wrong in every way, one a
// round. A part of it: go test -tags chaos,fwpushtest -run 'TestChaosInjection/^nft$/^confirm$/fails'.
// FWPUSH_CHAOS_FROM is the first call, to go on with a part that was ended by its time.
func TestChaosInjection(t *testing.T) {
	run := chaos.Start(t, 1_000_000, 6*time.Hour)
	from := 1
	if v := os.Getenv("FWPUSH_CHAOS_FROM"); v != "" {
		var err error
		if from, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	more := func() bool {
		mu.Lock()
		defer mu.Unlock()
		_, ok := run.Next()
		return ok
	}
	total := &score{outcomes: map[Outcome]int{}}
	t.Cleanup(func() { t.Logf("%v in %d rounds", total, run.Rounds()) })
	hosts := make(chan struct{}, 6) // at once: most of them wait
	for _, b := range backends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			for _, s := range scenes() {
				t.Run(s.name, func(t *testing.T) {
					t.Parallel()
					for _, m := range modes() {
						t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
							t.Parallel()
							hosts <- struct{}{}
							defer func() { <-hosts }()
							enumerate(t, newPlaying(t, s, b), s, m, from, total, more)
						})
					}
				})
			}
		})
	}
}

func modes() []mode {
	always := func(about func(inject.Call) bool) func() func(inject.Call) bool {
		return func() func(inject.Call) bool { return about }
	}
	fails := func(c inject.Call) inject.Answer {
		switch c.Kind {
		case inject.Write:
			return inject.Answer{Errno: unix.ENOSPC}
		case inject.Load:
			return inject.Answer{Errno: unix.EPERM}
		}
		return inject.Answer{Errno: unix.EIO}
	}
	dies := func(k inject.Killed) func(inject.Call) inject.Answer {
		return func(inject.Call) inject.Answer { return inject.Answer{Kill: k} }
	}
	with := func(e unix.Errno) func(inject.Call) inject.Answer {
		return func(inject.Call) inject.Answer { return inject.Answer{Errno: e} }
	}
	// disk is what changes something below that place. On a full one a file can still be opened, and
	// its names go.
	disk := func(place string, full bool) func() func(inject.Call) bool {
		return always(func(c inject.Call) bool {
			switch {
			case !ours(c) || !within(c, place):
				return false
			case c.Kind == inject.Name:
				return !full || strings.HasPrefix(c.Syscall, "mk")
			}
			return c.Kind == inject.Write && full != strings.HasPrefix(c.Syscall, "open")
		})
	}
	all := of(inject.Name, inject.Sync, inject.Write, inject.Load)
	return []mode{
		{name: "fails", about: always(all), answer: fails},
		// A shell that dies of its own call is the next mode.
		{name: "program dies", about: always(func(c inject.Call) bool { return all(c) && c.Program != "sh" }), answer: dies(inject.Caller)},
		{name: "script dies", about: always(all), answer: dies(inject.Script)},
		{name: "no process", answer: with(unix.EAGAIN), about: func() func(inject.Call) bool {
			began := false // what a script only reads before it changes nothing
			return func(c inject.Call) bool {
				began = began || all(c)
				return began && c.Kind == inject.Fork && c.Program == "sh"
			}
		}},
		{name: "state read-only", about: disk("/run/fwpush", false), answer: with(unix.EROFS), stays: true},
		{name: "state full", about: disk("/run/fwpush", true), answer: with(unix.ENOSPC), stays: true},
		{name: "store read-only", about: disk("/var/lib/fwpush", false), answer: with(unix.EROFS), stays: true},
		{name: "store full", about: disk("/var/lib/fwpush", true), answer: with(unix.ENOSPC), stays: true},
	}
}

// of is all calls of ours that are of one of the kinds.
func of(kinds ...inject.Kind) func(inject.Call) bool {
	return func(c inject.Call) bool { return ours(c) && slices.Contains(kinds, c.Kind) }
}
