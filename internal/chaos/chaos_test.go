package chaos_test

import (
	"testing"
	"time"

	"fwpush/internal/chaos"
)

func TestBounds(t *testing.T) {
	t.Setenv("FWPUSH_CHAOS_COUNT", "")
	t.Setenv("FWPUSH_CHAOS_TIME", "")
	t.Setenv("FWPUSH_SEED", "7")
	r := chaos.Start(t, 2, time.Hour)
	for want := range uint64(2) {
		if seed, ok := r.Next(); !ok || seed != 7+want {
			t.Errorf("round %d: seed %d, %t", want, seed, ok)
		}
	}
	if _, ok := r.Next(); ok || r.Rounds() != 2 {
		t.Errorf("a third round of two; %d done", r.Rounds())
	}

	t.Setenv("FWPUSH_CHAOS_COUNT", "1000")
	t.Setenv("FWPUSH_CHAOS_TIME", "-1s")
	if _, ok := chaos.Start(t, 2, time.Hour).Next(); ok {
		t.Error("a round after the time is up")
	}
	t.Setenv("FWPUSH_CHAOS_TIME", "1h")
	r = chaos.Start(t, 2, 0)
	for range 1000 {
		if _, ok := r.Next(); !ok {
			t.Fatalf("ended after %d of 1000", r.Rounds())
		}
	}
}
