package commit

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"fwpush/internal/inject"
)

// The calls that make a decision, or make it last: the script dies at each rename of a confirm, the
// sync of what a boot needs fails, and so does each step of the state in a timer's revert. A removal
// that cannot take away all of a generation leaves none: what was half of one had the next push
// say that no backend works on the host. A timer that cannot be written down is none.
// TestChaosInjection has all calls of all parts.
func TestEachCallOfADecisionGoesWrong(t *testing.T) {
	t.Parallel()
	renames := func(c inject.Call) bool { return ours(c) && c.Program == "mv" && c.Syscall == "renameat2" }
	for _, tt := range []struct {
		scene  string
		least  int // so many there are
		about  func(inject.Call) bool
		answer inject.Answer
	}{
		{"confirm", 5, renames, inject.Answer{Kill: inject.Script}},
		{"confirm", 2, func(c inject.Call) bool {
			return c.Kind == inject.Sync && (c.Path == "/var/lib/fwpush" || strings.HasSuffix(c.Path, "/boot.nft"))
		}, inject.Answer{Errno: unix.EIO}},
		{"timer", 2, func(c inject.Call) bool { return renames(c) && strings.HasPrefix(c.Path, "/run/fwpush/S.") }, inject.Answer{Errno: unix.EIO}},
		{"removal", 2, func(c inject.Call) bool {
			return c.Program == "rm" && within(c, "/var/lib/fwpush") && strings.HasSuffix(c.Path, "/canon")
		}, inject.Answer{Errno: unix.EIO}},
		{"begin", 2, func(c inject.Call) bool {
			return c.Program == "sh" && c.Syscall == "write" && strings.HasSuffix(c.Path, "/timers")
		}, inject.Answer{Errno: unix.ENOSPC}},
	} {
		s := scenes()[slices.IndexFunc(scenes(), func(s scene) bool { return s.name == tt.scene })]
		t.Run(tt.scene, func(t *testing.T) {
			working(t)
			total := &score{outcomes: map[Outcome]int{}}
			enumerate(t, newPlaying(t, s, backends()[0]), s, mode{
				about:  func() func(inject.Call) bool { return tt.about },
				answer: func(inject.Call) inject.Answer { return tt.answer },
			}, 1, total, func() bool { return true })
			if total.faults < tt.least {
				t.Errorf("%d calls of at least %d went wrong", total.faults, tt.least)
			}
		})
	}
}
