package hostiletest

import (
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fwpush/internal/simhost"
	"fwpush/internal/sshtest"
)

// walk is a host that says what an honest one would, with changes drawn from a seed.
type walk struct {
	seed    uint64
	patient bool // goes on after a line that is waited for is gone; else it ends, as what it said is seen by then
	execs   atomic.Uint64
	changes *atomic.Int64
}

func (w *walk) faults() simhost.Faults {
	return simhost.Faults{Command: func(p simhost.Program, x *sshtest.Exec, run func() sshtest.Exit) sshtest.Exit {
		rng := rand.New(rand.NewPCG(w.seed, w.execs.Add(1)))
		var said []string
		return stand(x, run, func(line string, ours bool) func(*hijack) {
			said = append(said, line)
			if rng.IntN(12) > 0 {
				return nil
			}
			w.changes.Add(1)
			changed := mutate(rng, line, said)
			return func(h *hijack) {
				for _, l := range changed {
					if ours {
						l = h.mark + " " + l
					}
					if _, err := h.out.Write([]byte(l + "\n")); err != nil {
						return
					}
				}
				if !w.patient && (len(changed) == 0 || changed[0] != line) && awaited(line) {
					h.end(sshtest.Exit{Status: rng.IntN(3)})
				}
			}
		})
	}}
}

// awaited says whether nothing comes after a line until it is answered.
func awaited(line string) bool {
	word, _, _ := strings.Cut(line, " ")
	return contains([]string{"ask", "checked", "applied", "fresh", "over", "extended", "state", "reverted", "dropped"}, word)
}

// mutate is what is said instead of a line: nothing, or it and others in some form.
func mutate(rng *rand.Rand, line string, said []string) []string {
	at := rng.IntN(len(line) + 1)
	switch rng.IntN(9) {
	case 0:
		return nil
	case 1:
		return []string{line, line}
	case 2: // an answer of before
		return []string{line, said[rng.IntN(len(said))]}
	case 3:
		return []string{said[rng.IntN(len(said))], line}
	case 4:
		return []string{line[:at]}
	case 5:
		return []string{line[:at] + evil + line[at:]}
	case 6:
		return []string{line[:at] + "\n" + line[at:]}
	case 7:
		return []string{numbers(line, []string{"-1", "0", "99999999999999999999", "3599"}[rng.IntN(4)])}
	}
	if line == "" {
		return []string{"\x00"}
	}
	b := []byte(line)
	b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
	return []string{string(b)}
}

// wander runs every verb once over hosts whose words are changed.
func (f *fleet) wander(seed uint64, patient bool, limit time.Duration, port int) (changes int64) {
	f.t.Helper()
	var changed atomic.Int64
	for i := range f.names[1:] {
		w := &walk{seed: seed*1000 + uint64(i), patient: patient, changes: &changed}
		f.sim.Host(1 + i).SetFaults(w.faults())
	}
	f.serve(port)
	hosts, e := f.json(limit, "apply", "-y", "--max-fail", "100%", "--max-unreachable", "100%")
	// One whose connection the new rules would not admit, as far as it tells, stops a run before
	// anything is applied.
	if h := hosts[f.names[0]]; h.Outcome != "confirmed" && !strings.Contains(h.Error, "a lock-out is within no budget") {
		f.t.Errorf("seed %d: the honest host: %+v\n%s", seed, h, e.err)
	}
	f.whole(port, hosts)
	for _, args := range [][]string{{"status"}, {"diff", "-o", "json"}, {"doctor"}, {"history", "show", runOf(e)},
		{"rollback", "-y", "--max-fail", "100%", "--max-unreachable", "100%"}, {"drill", "-y"}, {"confirm", runOf(e)}, {"revert", runOf(e)}} {
		f.run(limit, args...)
	}
	for i, name := range f.names {
		host := f.sim.Host(i)
		await(f.t, host)
		if text, _ := host.Confirmed(); host.Running() != strings.TrimPrefix(text, "add table inet fwpush\ndelete table inet fwpush\n") {
			f.t.Errorf("seed %d: %s does not run what it has confirmed", seed, name)
		}
	}
	return changed.Load()
}

// TestHostileWalk: what honest hosts say, with lines cut, doubled, replayed and out of order, bytes
// flipped and escapes put in, through every verb. TestChaosHostile is the long one.
func TestHostileWalk(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 6, simhost.Options{Systemd: true})
	f.serve(80)
	f.push()
	if n := f.wander(1, false, time.Minute, 1001); n < 20 {
		t.Errorf("only %d lines were changed", n)
	}
}
