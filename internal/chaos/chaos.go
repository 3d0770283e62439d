// Package chaos bounds tests that could go on for ever: tests that draw what goes wrong, and those
// that try every place where something can. `make chaos` runs them by these bounds, alone.
package chaos

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// Run is the bounds of one test: whichever is reached first ends it.
type Run struct {
	First uint64 // the seed of the first round; round n has First+n

	rounds, done int
	end          time.Time
}

// Start begins a run of at most that many rounds and that time. FWPUSH_CHAOS_COUNT, a number, and
// FWPUSH_CHAOS_TIME, such as 30m, say otherwise; FWPUSH_SEED is the first seed, which is drawn
// where it is not set, and printed, since it repeats what the rounds choose, if not their timing.
func Start(t testing.TB, rounds int, limit time.Duration) *Run {
	t.Helper()
	r := &Run{First: uint64(time.Now().UnixNano() % 1_000_000), rounds: rounds}
	if v := os.Getenv("FWPUSH_SEED"); v != "" {
		r.First = read(t, "FWPUSH_SEED", v, func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) })
	}
	if v := os.Getenv("FWPUSH_CHAOS_COUNT"); v != "" {
		r.rounds = read(t, "FWPUSH_CHAOS_COUNT", v, strconv.Atoi)
	}
	if v := os.Getenv("FWPUSH_CHAOS_TIME"); v != "" {
		limit = read(t, "FWPUSH_CHAOS_TIME", v, time.ParseDuration)
	}
	r.end = time.Now().Add(limit)
	t.Logf("FWPUSH_SEED=%d, at most %d rounds in %v", r.First, r.rounds, limit)
	return r
}

// Next says whether there is one more round, and its seed.
func (r *Run) Next() (seed uint64, ok bool) {
	if r.done >= r.rounds || !time.Now().Before(r.end) {
		return 0, false
	}
	r.done++
	return r.First + uint64(r.done-1), true
}

// Rounds is how many there were.
func (r *Run) Rounds() int { return r.done }

func read[T any](t testing.TB, name, value string, parse func(string) (T, error)) T {
	t.Helper()
	v, err := parse(value)
	if err != nil {
		t.Fatalf("%s=%q: %v", name, value, err)
	}
	return v
}
