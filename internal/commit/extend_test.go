package commit

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// An extend and a timer whose deadline has come take the same step: either the
// deadline moved, and then the timer goes back to sleep and two others stand, or
// the rules are back and nothing of the extension is left.
func TestExtendAndADueTimerHaveOneWinner(t *testing.T) {
	t.Parallel()
	extendAgainstTimer(t, rounds(16))
}

func extendAgainstTimer(t *testing.T, more func() bool) {
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	old := h.table()
	tally := map[bool]int{}
	lead := 25 * time.Millisecond // what arming takes
	done := 0
	for ; more(); done++ {
		extended := h.extendOnce(done%1000, lead, old)
		tally[extended]++
		if extended {
			lead = lead * 3 / 4
		} else {
			lead = lead*5/4 + time.Millisecond
		}
	}
	t.Logf("%d rounds: %d extended, %d reverted", done, tally[true], tally[false])
	if tally[true] < done/10 || tally[false] < done/10 {
		t.Error("one side hardly ever wins: this is no race")
	}
}

// extendOnce lets an extend go, and lead later the timer, and returns whether
// the deadline was moved.
func (h *host) extendOnce(round int, lead time.Duration, old string) bool {
	t := h.t
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	p := h.begin(h.candidate(rules(false, 8000+round), time.Minute))
	p.hangUp()
	deadline := strings.Split(h.sh("cd /run/fwpush; echo S.*"), ".")[3]
	d, fire, wait, err := h.rivals(ctx, p, func(s string) string { return s },
		fmt.Sprintf(`due() { [ "$DL" -le %s ]; }; revert due`, deadline))
	if err != nil {
		t.Fatal(err)
	}
	d.say(ctx, "extend 90")
	time.Sleep(lead)
	fire()
	word, rest, err := d.hear(ctx, stageTime)
	if err != nil {
		t.Fatal(err)
	}
	wait()
	name := h.sh("cd /run/fwpush; echo S.*")
	state, moved, now := h.state(), strings.Split(name, ".")[3] != deadline, h.table()
	switch {
	case word == "extended":
		if state != "applied" || !moved || !strings.Contains(now, fmt.Sprintf("dport %d accept", 8000+round)) {
			t.Fatalf("round %d: extended (%s), but %s and rules\n%s", round, rest, name, now)
		}
		if got := h.sh("ps ax -o args | grep -c '[r]evert.sh announce'; atq | grep -vc ="); got != "2\n2" {
			t.Errorf("round %d: watchdogs and queued jobs:\n%s", round, got)
		}
		if r := takeBackNow(t, h); r.Outcome != OutcomeReverted {
			t.Fatalf("round %d: %s: %v", round, r.Outcome, r.Err)
		}
	case word == "over" && rest == "reverted":
		if state != "reverted" || now != old {
			t.Fatalf("round %d: reverted, but %s and rules\n%s", round, name, now)
		}
	default:
		t.Fatalf("round %d: the host said %q %q", round, word, rest)
	}
	h.clean()
	return word == "extended"
}
