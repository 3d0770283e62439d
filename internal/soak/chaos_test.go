//go:build chaos

package soak

import (
	"os"
	"strconv"
	"testing"
	"time"

	"fwpush/internal/chaos"
)

// TestChaosSoak plays rounds of random faults over twelve hosts, or as many as FWPUSH_CHAOS_HOSTS says.
func TestChaosSoak(t *testing.T) {
	hosts := 12
	if v := os.Getenv("FWPUSH_CHAOS_HOSTS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			t.Fatalf("FWPUSH_CHAOS_HOSTS=%q: use a number of hosts", v)
		}
		hosts = n
	}
	run := chaos.Start(t, 200, 10*time.Minute)
	soak(t, hosts, run.Next)
}
