//go:build chaos

package hostiletest

import (
	"maps"
	"testing"
	"time"

	"fwpush/internal/chaos"
	"fwpush/internal/simhost"
	"fwpush/internal/sshtest"
)

// TestChaosHostile is the long form of what is tested here: all behaviours at all points, hosts that
// take as long as they are let, fifty floods at once, and walks until a bound is reached.
func TestChaosHostile(t *testing.T) {
	t.Run("slow", func(t *testing.T) {
		t.Run("status", func(t *testing.T) { t.Parallel(); slowReaders(t, "status", inspecting) })
		t.Run("doctor", func(t *testing.T) { t.Parallel(); slowReaders(t, "doctor", examining) })
		t.Run("apply", func(t *testing.T) { t.Parallel(); slowChangers(t) })
	})
	t.Run("readers", func(t *testing.T) { readers(t, all, 6*time.Minute) })
	t.Run("apply", func(t *testing.T) { changers(t, all, 6*time.Minute) })
	t.Run("facts", func(t *testing.T) { facts(t, all) })
	t.Run("flood", func(t *testing.T) { flooded(t, 50) })

	r := chaos.Start(t, 20, 10*time.Minute)
	for {
		seed, more := r.Next()
		if !more || t.Failed() {
			break
		}
		f := newFleet(t, 20, simhost.Options{Systemd: true})
		f.window = 10 * time.Second
		f.serve(80)
		f.push()
		n := f.wander(seed, seed%4 == 0, 10*time.Minute, 1001)
		t.Logf("seed %d: %d lines changed", seed, n)
	}
}

// Bounds of what a host takes whose answer to a step does not come, by docs/testing.md. They leave
// out the connection, for which slack stands.
const slack = 15 * time.Second

var bounds = map[simhost.Program]map[string]time.Duration{
	simhost.Inspect: {"": 30 * time.Second},
	simhost.Doctor:  {"proto": 30 * time.Second, "ask": 30 * time.Second, "": 4 * time.Minute},
	simhost.Begin:   {"proto": 30 * time.Second, "running": 30 * time.Second, "ask": 30 * time.Second, "": 70 * time.Second},
	simhost.Confirm: {"over": 60 * time.Second, "": 45 * time.Second},
}

func (d *deed) bound() time.Duration {
	if b, ok := bounds[d.at.program][d.at.word]; ok {
		return b
	}
	return bounds[d.at.program][""]
}

func slowReaders(t *testing.T, verb string, at []point) {
	p := newParty(t, 1, simhost.Options{Systemd: true}, deeds(1_000_000, slow, at))
	p.push()
	p.incite()
	most := time.Duration(0)
	for _, d := range p.deeds {
		most = max(most, d.bound())
	}
	_, e := p.json(most+slack, verb, "--forks", "100")
	t.Logf("%d hosts in %s", len(p.names), e.took)
	p.came()
}

// slowChangers: each host takes its bound at the most, from when its group got to that step, and the
// honest one is confirmed.
func slowChangers(t *testing.T) {
	p := newParty(t, 2, simhost.Options{}, deeds(1_000_000, slow, beginning, confirming))
	p.window = 10 * time.Second
	p.serve(80)
	p.push()
	p.serve(443)
	p.incite()
	// One more says nothing at all once it has applied.
	silent := p.names[1]
	p.sim.Host(1).SetFaults(simhost.Faults{Command: func(at simhost.Program, x *sshtest.Exec, run func() sshtest.Exit) sshtest.Exit {
		if at == simhost.Begin {
			return run()
		}
		<-x.Context().Done()
		return sshtest.Exit{Mute: true}
	}})
	const gate, lost = 70 * time.Second, 150*time.Second + 130*time.Second
	hosts, e := p.json(gate+lost+2*time.Minute, "apply", "-y", "--forks", "100", "--max-fail", "100%", "--max-unreachable", "100%")
	t.Logf("%d hosts in %s", len(p.names), e.took)
	p.came()
	for name, d := range maps.All(p.deeds) {
		h := hosts[name]
		took := time.Duration(h.Seconds * float64(time.Second))
		wait := slack
		if d.at.program == simhost.Confirm || d.at.word == "armed" || d.at.word == "applying" || d.at.word == "applied" {
			wait += gate
		}
		if d.at.program == simhost.Confirm && d.at.word == "over" {
			wait += gate // for hosts that do not say that they have applied
		}
		t.Logf("%-22s %-18s %-12s %s", d.at, d.name, h.Outcome, took)
		if took > d.bound()+wait {
			t.Errorf("%s took %s, at most %s: %s", d, took, d.bound()+wait, h.Error)
		}
		// Whose last word was lost is asked for it, and may be confirmed like any other.
		if d.at.program == simhost.Begin && d.at.word != "applied" && h.Outcome == "confirmed" {
			t.Errorf("%s: %+v", d, h)
		}
	}
	if h := hosts[silent]; h.Outcome != "unknown" {
		t.Errorf("the silent host: %+v", h)
	}
	if h := hosts[p.names[0]]; h.Outcome != "confirmed" || h.Seconds > (2*gate+slack).Seconds() {
		t.Errorf("the honest host: %+v", h)
	}
}

// slow behaviours take as long as the client lets them.
var slow = []behaviour{
	{"silence", func(h *hijack, _ string) { <-h.x.Context().Done() }},
	{"deaf and mute", func(h *hijack, _ string) { h.x.Stall() }},
	{"noise", func(h *hijack, _ string) { drip(h, evil+"\n", 200*time.Millisecond) }},
	{"a drop at a time", func(h *hijack, line string) { drip(h, h.mark+" "+line, time.Second) }},
}
