package model

import (
	"math/rand/v2"
	"testing"
)

// scenes are what may meet on a host, each gone through until nothing is left.
var scenes = []struct {
	name   string
	roles  []Role
	faults Faults
}{
	{"a kill", []Role{Apply}, Faults{Kills: 1}},
	{"a power cut, and a failure", []Role{Apply}, Faults{Reboots: 1, Fails: 1}},
	{"a connection lost", []Role{Apply}, Faults{Cuts: 1}},
	{"extend, or revert", []Role{Apply}, Faults{Wishes: 1}},
	{"an owner that hangs", []Role{Apply}, Faults{Hangs: 1}},
	{"somebody else reverts", []Role{Apply, RevertIt}, Faults{}},
}

// states is more than any scene has.
const states = 1_000_000

func TestEveryInterleaving(t *testing.T) {
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			w := &World{Roles: s.roles, Faults: s.faults}
			if f := w.Explore(states); f.Broken != Held || !f.Exhausted {
				t.Error(f)
			} else {
				t.Log(f)
			}
		})
	}
}

// mistakes are at least one for each invariant, and the least that it takes to see it.
var mistakes = []struct {
	name   string
	p      Protocol
	roles  []Role
	faults Faults
	want   Invariant
}{
	{"check, then act", Protocol{CheckThenAct: true}, []Role{Apply}, Faults{}, I1},
	{"one timer", Protocol{OneTimer: true}, []Role{Apply}, Faults{}, I2},
	{"a timer that was never seen", Protocol{Unproved: true}, []Role{Apply}, Faults{Fails: 1}, I2},
	{"a load without a fence", Protocol{Unfenced: true}, []Role{Apply}, Faults{}, I3},
	{"timers are taken away before the decision", Protocol{DisarmFirst: true}, []Role{Apply}, Faults{Kills: 1}, I3},
	{"boot file before the decision", Protocol{PersistFirst: true}, []Role{Apply}, Faults{}, I4},
	{"confirmed before the disk has it", Protocol{NoSync: true}, []Role{Apply}, Faults{}, I4},
	{"a boot that loads what is staged", Protocol{BootNewest: true}, []Role{Apply}, Faults{Reboots: 1}, I5},
	{"the dead keep the host", Protocol{NoTakeover: true}, []Role{Apply}, Faults{Kills: 1}, I6},
	{"two at once", Protocol{ClaimBlindly: true}, []Role{Apply, Apply}, Faults{}, I6},
	{"told before it is done", Protocol{SayEarly: true}, []Role{Apply}, Faults{Cuts: 1, Fails: 1}, I7},
	{"a job that takes back what it finds", Protocol{AnyTx: true}, []Role{Apply, Apply}, Faults{Reboots: 1}, I8},
	{"a load that began between fence and rename", Protocol{FenceEarly: true}, []Role{Apply}, Faults{Kills: 1}, I8},
	{"silence is success", Protocol{TrustLost: true}, []Role{Apply}, Faults{Cuts: 1}, I9},
	{"a connection from before the rules", Protocol{EarlyDial: true, AnyAge: true}, []Role{Apply}, Faults{}, I9},
}

func TestEachInvariantSeesAMistake(t *testing.T) {
	seen := map[Invariant]bool{}
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			w := &World{Protocol: m.p, Roles: m.roles, Faults: m.faults}
			f := w.Explore(states)
			if f.Broken != m.want {
				t.Errorf("want %v; %v", m.want, f)
			}
			seen[f.Broken] = true
			t.Log(f)
		})
	}
	for i := I1; i <= I9; i++ {
		if !seen[i] {
			t.Errorf("%v: no mistake was seen by it", i)
		}
	}
}

// Seal and age of a connection each keep a lock-out from being confirmed, where the other
// one fails.
func TestEitherProofOfAFreshConnectionIsEnough(t *testing.T) {
	for _, p := range []Protocol{{EarlyDial: true}, {AnyAge: true}} {
		w := &World{Protocol: p, Roles: []Role{Apply}}
		if f := w.Explore(states); f.Broken != Held || !f.Exhausted {
			t.Errorf("%+v: %v", p, f)
		}
	}
}

// crowd is more than can be gone through.
var crowd = World{Roles: []Role{Apply, Apply, ConfirmIt}, Faults: Faults{Kills: 2, Cuts: 2, Misses: 2, Reboots: 1, Fails: 2, Hangs: 1, Wishes: 2}}

func walk(t *testing.T, seed uint64) Found {
	t.Helper()
	f := crowd.Walk(rand.New(rand.NewPCG(seed, 0)).IntN, 1000)
	if f.Broken != Held {
		t.Fatalf("FWPUSH_SEED=%d: %v", seed, f)
	}
	return f
}

func TestWalksAtRandom(t *testing.T) {
	steps := 0
	for seed := range uint64(1000) {
		steps += walk(t, seed).Transitions
	}
	t.Logf("%d steps", steps)
}
