//go:build chaos

package commit

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"fwpush/internal/chaos"
	"fwpush/internal/inject"
)

// The kernel's own full and read-only disks, in place of answers of the filter: each place is a file
// system of its own, which fills up or is remounted at one call after the other and stays so until
// the timers have fired.
func TestChaosInjectedDisks(t *testing.T) {
	run := chaos.Start(t, 1_000_000, time.Hour)
	more := func() bool {
		_, ok := run.Next()
		return ok
	}
	total := &score{outcomes: map[Outcome]int{}}
	t.Cleanup(func() { t.Logf("%v in %d rounds", total, run.Rounds()) })
	for _, place := range []string{"/run/fwpush", "/var/lib/fwpush"} {
		b := backends()[0]
		b.prepare = func(h *host) { h.sh("mkdir -p " + place + "; mount -t tmpfs -o mode=700,size=1m disk " + place) }
		for _, d := range []struct {
			name   string
			strike func(*playing, bool) bool
		}{
			{"full", func(h *playing, on bool) bool { return h.fill(place, on) }},
			{"read-only", func(h *playing, on bool) bool { return h.remount(place, on) }},
		} {
			for _, name := range []string{"begin", "confirm", "timer", "take back"} {
				s := scenes()[slices.IndexFunc(scenes(), func(s scene) bool { return s.name == name })]
				t.Run(strings.ReplaceAll(strings.Trim(place, "/")+" "+d.name+" "+name, "/", "_"), func(t *testing.T) {
					about := func(c inject.Call) bool {
						return ours(c) && within(c, place) && (c.Kind == inject.Name || c.Kind == inject.Write)
					}
					enumerate(t, newPlaying(t, s, b), s, mode{
						name:   place + " really " + d.name,
						about:  func() func(inject.Call) bool { return about },
						answer: func(inject.Call) inject.Answer { return inject.Answer{} },
						strike: d.strike,
						stays:  true,
					}, 1, total, more)
				})
			}
		}
	}
}

// fill writes until nothing fits any more.
func (h *playing) fill(place string, on bool) bool {
	filler := h.root + place + "/filler"
	if !on {
		return os.Remove(filler) == nil
	}
	f, err := os.Create(filler)
	if err != nil {
		return false
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return true
}

// remount fails as long as somebody has a file open for writing there.
func (h *playing) remount(place string, on bool) bool {
	how := "remount,rw"
	if on {
		how = "remount,ro"
	}
	_, _, err := h.Exec(context.Background(), "", "mount", "-o", how, place)
	return err == nil
}
