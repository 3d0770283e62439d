package commit

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"fwpush/internal/inject"
	"fwpush/internal/lab"
)

// beforeLoad looks, while a load waits to be let, whether it may be: new rules have two timers, both
// there at this very moment (I2). It is for nft, whose arguments say what is loaded; what it loads into
// a network namespace of its own is only tried.
func (h *injected) beforeLoad(c inject.Call) {
	if c.Kind != inject.Load || c.Program != "nft" {
		return
	}
	own, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", c.PID))
	if hosts, err := os.Readlink(filepath.Join(h.root, "proc/1/ns/net")); err == nil && own != "" && own != hosts {
		return
	}
	words := strings.Join(c.Args, " ")
	s := h.step()
	tx := filepath.Join(h.root, "run/fwpush/tx", s.tx)
	switch {
	case strings.Contains(words, " -c "): // a check
		return
	case strings.HasSuffix(words, "/kept.nft"), strings.HasSuffix(words, "/boot."+s.tx):
	case s.state == "applied" && strings.HasSuffix(words, "delete table inet fwpush"):
		if _, err := os.Stat(tx + "/remove"); err != nil {
			return
		}
	default: // old ones
		return
	}
	if s.state != "applied" {
		h.gun.blame("%s in the state %s", words, s.state)
		return
	}
	if n := h.standing(tx); len(n) < 2 {
		h.gun.blame("%s with the timers %q", words, n)
	}
}

// standing are the timers of a transaction that are there: processes by their start time, jobs of at
// by their file.
func (h *injected) standing(tx string) (kinds []string) {
	text, _ := os.ReadFile(tx + "/timers")
	for line := range strings.Lines(string(text)) {
		switch w := strings.Fields(line); {
		case len(w) == 3 && w[0] == "process":
			stat, _ := os.ReadFile(filepath.Join(h.root, "proc", w[1], "stat"))
			_, rest, _ := strings.Cut(string(stat), ") ")
			if f := strings.Fields(rest); len(f) > 19 && f[0] != "Z" && f[19] == w[2] {
				kinds = append(kinds, w[0])
			}
		case len(w) == 2 && w[0] == "at":
			job, _ := strconv.Atoi(w[1])
			if found, _ := filepath.Glob(fmt.Sprintf("%s/var/spool/cron/atjobs/a%05x*", h.root, job)); len(found) == 1 {
				kinds = append(kinds, w[0])
			}
		}
	}
	return kinds
}

// The oracle itself: it counts what stands, and sees a load that a stranger makes of new rules.
func TestLoadsAreLookedAt(t *testing.T) {
	working(t)
	h := newInjected(t, lab.HostOptions{})
	p := h.begin(h.candidate(rules(false, 80), time.Minute))
	if wrong := h.gun.blamed(); wrong != nil {
		t.Errorf("a Begin as usual: %q", wrong)
	}
	tx := h.root + "/run/fwpush/tx/" + h.step().tx
	if n := h.standing(tx); len(n) != 2 {
		t.Errorf("two timers: %q", n)
	}
	h.sh("atrm $(atq | cut -f 1)")
	if n := h.standing(tx); len(n) != 1 {
		t.Errorf("one of them without its job: %q", n)
	}
	p.hangUp()
	x, err := h.dial().Start(t.Context(), "nft -f /var/lib/fwpush/boot."+h.step().tx)
	if err == nil {
		err = x.Wait(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	if wrong := h.gun.blamed(); len(wrong) != 1 {
		t.Errorf("a load with one timer: %q", wrong)
	}
}
