//go:build chaos

package model

import (
	"runtime/debug"
	"testing"
	"time"

	"fwpush/internal/chaos"
)

// deep are scenes that take longer. All but the last one end before most states.
var deep = []struct {
	name   string
	roles  []Role
	faults Faults
}{
	{"two candidates", []Role{Apply, Apply}, Faults{}},
	{"confirmed from elsewhere", []Role{Apply, ConfirmIt}, Faults{}},
	{"confirmed from elsewhere, and a dial that fails", []Role{Apply, ConfirmIt}, Faults{Misses: 1}},
	{"reverted from elsewhere, and a kill", []Role{Apply, RevertIt}, Faults{Kills: 1}},
	{"two kills", []Role{Apply}, Faults{Kills: 2}},
	{"a kill, an owner that hangs, a power cut", []Role{Apply}, Faults{Kills: 1, Hangs: 1, Reboots: 1}},
	{"a connection lost, a kill", []Role{Apply}, Faults{Cuts: 1, Kills: 1}},
	{"extend, a failure, a connection lost", []Role{Apply}, Faults{Wishes: 1, Fails: 1, Cuts: 1}},
	{"three runs", []Role{Apply, Apply, ConfirmIt}, Faults{}},
}

// slow are mistakes that take long to see.
var slow = []struct {
	name  string
	p     Protocol
	roles []Role
	f     Faults
	want  Invariant
}{
	{"no history", Protocol{NoHistory: true}, []Role{Apply, Apply}, Faults{}, I7},
	{"reverted, whatever the revert did", Protocol{BlindAnswer: true}, []Role{Apply, ConfirmIt}, Faults{Misses: 1}, I7},
}

// most is where a scene ends, in about two gigabytes.
const most = 12_000_000

// TestChaosModel goes through the deep scenes, and then at random.
func TestChaosModel(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(40)) // all of it stays: what can be collected is little
	run := chaos.Start(t, 100_000, 10*time.Minute)
	for _, s := range deep {
		if _, ok := run.Next(); !ok {
			return
		}
		t.Run(s.name, func(t *testing.T) {
			w := &World{Roles: s.roles, Faults: s.faults}
			began := time.Now()
			f := w.Explore(most)
			if f.Broken != Held {
				t.Fatal(f)
			}
			t.Logf("%v, in %v", f, time.Since(began).Round(time.Second))
		})
	}
	t.Run("walks", func(t *testing.T) {
		steps := 0
		for seed, ok := run.Next(); ok; seed, ok = run.Next() {
			steps += walk(t, seed).Transitions
		}
		t.Logf("%d rounds, %d steps", run.Rounds(), steps)
	})
}

func TestChaosModelMistakes(t *testing.T) {
	for _, m := range slow {
		w := &World{Protocol: m.p, Roles: m.roles, Faults: m.f}
		if f := w.Explore(most); f.Broken != m.want {
			t.Errorf("%s: want %v; %v", m.name, m.want, f)
		}
	}
}
