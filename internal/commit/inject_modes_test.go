package commit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"fwpush/internal/inject"
)

// mode is one way in which a call goes wrong.
type mode struct {
	name   string
	about  func() func(inject.Call) bool // anew for each shot
	answer func(inject.Call) inject.Answer
	stays  bool
	strike func(*playing, bool) bool // makes it so, and ends it; nil where the answer is all
}

// score is what came of many rounds.
type score struct {
	mu               sync.Mutex
	faults, lockOuts int
	outcomes         map[Outcome]int
}

func (s *score) add(told Result, wrong []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults++
	s.outcomes[told.Outcome]++
	for _, w := range wrong {
		if strings.HasPrefix(w, "LOCKED OUT") {
			s.lockOuts++
		}
	}
}

func (s *score) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var parts []string
	for _, o := range slices.Sorted(maps.Keys(s.outcomes)) {
		parts = append(parts, fmt.Sprintf("%s=%d", o, s.outcomes[o]))
	}
	return fmt.Sprintf("faults=%d lock-outs=%d %s", s.faults, s.lockOuts, strings.Join(parts, " "))
}

// enumerate makes one call after the other of a scene go wrong, from that one on, as long as there
// is one more and more says so.
func enumerate(t *testing.T, h *playing, s scene, m mode, from int, total *score, more func() bool) {
	t.Helper()
	own := &score{outcomes: map[Outcome]int{}}
	misses := 0
	nth := from
	for more() {
		shot := &shot{about: m.about(), nth: nth, answer: m.answer, stays: m.stays}
		if m.strike != nil {
			shot.strike = func(on bool) bool { return m.strike(h, on) }
		}
		told, wrong := h.round(s, shot)
		call := shot.hit // the round has unloaded it
		for _, w := range wrong {
			t.Errorf("%s %s, %s: call %d, %s:\n%s", h.Name(), s.name, m.name, nth, call, w)
		}
		switch {
		case call != "":
			own.add(told, wrong)
			total.add(told, wrong)
			nth++
			misses = 0
		case told.Outcome == s.normal:
			t.Logf("%s, %s: %v", s.name, m.name, own)
			return
		case misses == 3:
			t.Errorf("%s, %s: without a fault: %s at %s: %v", s.name, m.name, told.Outcome, told.Stage, told.Err)
			return
		default:
			misses++ // nothing was hit, and yet it did not end as it does: a slow machine
		}
	}
	t.Logf("%s, %s: ended by its time before call %d: %v", s.name, m.name, nth, own)
}
