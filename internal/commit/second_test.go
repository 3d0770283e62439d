package commit

import (
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// TestSecondProgramOnAConnection: a rollback asks for the past and begins on the same
// connection, and who looks how a transaction ended asks twice. Dropbear closed the channel
// of the second program.
func TestSecondProgramOnAConnection(t *testing.T) {
	t.Parallel()
	h := newHost(t, lab.HostOptions{Root: root(t, "busybox")})
	c := h.candidate(rules(false, 80), time.Minute)
	c.Timers = 1
	h.mustApply(c)
	for i := range 10 {
		conn := h.dial()
		for j := range 2 {
			if _, r := Past(t.Context(), conn, Before); r.Err != nil && r.Outcome == OutcomeUnreachable {
				t.Fatalf("round %d, program %d: %v", i, 3*j+1, r.Err)
			}
			if _, r := Inspect(t.Context(), conn, "", ModeSame, ""); r.Err != nil {
				t.Fatalf("round %d, program %d: %v", i, 3*j+2, r.Err)
			}
			if _, _, err := ask(t.Context(), conn, "tell", strings.Repeat("0", 32)); err != nil {
				t.Fatalf("round %d, program %d: %v", i, 3*j+3, err)
			}
		}
		conn.Close()
	}
}
