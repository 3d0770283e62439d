package hostiletest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"fwpush/internal/simhost"
	"fwpush/internal/sshtest"
)

// astray has a host do something at a point, each time or the first times that it comes there.
func (f *fleet) astray(i int, at point, times int, do func(h *hijack, line string)) *atomic.Int64 {
	var fired atomic.Int64
	f.sim.Host(i).SetFaults(behaviour{do: do}.fault(at, times, &fired))
	f.t.Cleanup(func() {
		if fired.Load() == 0 {
			f.t.Errorf("%s never came to %s", f.names[i], at)
		}
	})
	return &fired
}

// pair is an honest host, web001, and one that is not, with rules that are about to change.
func pair(t *testing.T) *fleet {
	t.Helper()
	f := newFleet(t, 2, simhost.Options{})
	f.window = 6 * time.Second
	f.serve(80)
	f.push()
	f.serve(443)
	return f
}

// TestApplyingAgainAndAgain: a host that goes on saying that it loads is given up like one that
// says nothing.
func TestApplyingAgainAndAgain(t *testing.T) {
	t.Parallel()
	f := pair(t)
	f.astray(1, point{simhost.Begin, "applied"}, 1, func(h *hijack, _ string) { drip(h, h.mark+" applying\n", 500*time.Millisecond) })
	hosts, e := f.json(20*time.Second, "apply", "-y", "--max-fail", "100%")
	if h := hosts["web001"]; h.Outcome != "confirmed" {
		t.Errorf("the honest host after %s: %+v", e.took, h)
	}
}

// TestDeadlineOfALiar: a host that claims to revert much later than its window keeps nobody waiting
// for it any longer than that.
func TestDeadlineOfALiar(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		at   point
		line func() string
	}{
		{point{simhost.Begin, "armed"}, func() string { return "armed 3600 at watchdog" }},
		{point{simhost.Begin, "applied"}, func() string { return fmt.Sprintf("applied 3600 %032x", 7) }},
	} {
		t.Run(tt.at.String(), func(t *testing.T) {
			t.Parallel()
			f := pair(t)
			f.astray(1, tt.at, 1, func(h *hijack, _ string) { h.tell(tt.line()) })
			faults := f.sim.Host(1).Faults()
			stands := faults.Command
			faults.Command = func(p simhost.Program, x *sshtest.Exec, run func() sshtest.Exit) sshtest.Exit {
				if p == simhost.Begin {
					return stands(p, x, run)
				}
				return sshtest.Exit{Status: 1} // nobody hears how it stands
			}
			f.sim.Host(1).SetFaults(faults)
			began := time.Now()
			cmd := f.command("apply", "-y", "--max-fail", "100%", "-q", "-l", "web001,web002")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				cmd.Process.Kill() // it looks for 150 s how the liar ended
				_ = cmd.Wait()
			}()
			for f.sim.Host(0).State() != "confirmed" || !contains([]string{"2"}, generationOf(f.sim.Host(0))) {
				if time.Since(began) > 30*time.Second {
					t.Fatalf("the honest host is %s after %s", f.sim.Host(0).State(), time.Since(began))
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
}

func generationOf(h *simhost.Host) string {
	_, n := h.Confirmed()
	return fmt.Sprint(n)
}
