package rollout

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"fwpush/internal/chaos"
	"fwpush/internal/commit"
	"fwpush/internal/simhost"
	"fwpush/inventory"
	"fwpush/transport"
)

// TestStress drives random groups: hosts that fail at random points, random portions and
// budgets, interrupts at random events. A round is told by its seed.
func TestStress(t *testing.T) {
	run := chaos.Start(t, 24, time.Hour)
	var group errgroup.Group
	group.SetLimit(6) // they mostly wait, but on a machine that runs other tests too a login takes its time
	for seed, ok := run.Next(); ok; seed, ok = run.Next() {
		group.Go(func() error {
			t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { newRound(t, seed).play() })
			return nil
		})
	}
	_ = group.Wait()
	await(t, "every goroutine of a run ends", 10*time.Second, func() bool {
		stacks := make([]byte, 8<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return !strings.Contains(string(stacks), "rollout.(*group)") && !strings.Contains(string(stacks), "rollout.(*host)") &&
			!strings.Contains(string(stacks), "rollout.(*seat)")
	})
}

// round is one random run over simulated hosts.
type round struct {
	*testing.T
	*rand.Rand
	fleet   *simhost.Fleet
	targets []Target
	options Options
	ctx     context.Context
	unwind  chan struct{}

	before []before
	faults []string // what goes wrong with each host, for people
	held   map[int]bool
	lying  map[int]bool
	plan   map[int]func() // by number of the event
	when   int            // events so far
	said   string         // the plan, for people

	mu      sync.Mutex
	applied map[string]bool // Journal.Applying was told
	commit  map[string]bool // to be confirmed, by Journal.Decide
	back    map[string]bool
	events  map[string][]Step
	ended   map[string]Result
	stopped bool
	trouble []string
	panics  int
}

// before is a host before the run.
type before struct {
	running     string
	generation  int
	connections int
	writes      int
}

func (r *round) chance(percent int) bool { return r.IntN(100) < percent }

func newRound(t *testing.T, seed uint64) *round {
	r := &round{
		T: t, Rand: rand.New(rand.NewPCG(seed, 1)), unwind: make(chan struct{}), held: map[int]bool{}, lying: map[int]bool{}, plan: map[int]func(){},
		applied: map[string]bool{}, commit: map[string]bool{}, back: map[string]bool{}, events: map[string][]Step{}, ended: map[string]Result{},
	}
	n := 1 + r.IntN(8)
	r.fleet, r.targets = simulated(t, n, 80)
	r.faults = make([]string, n)
	if r.chance(50) { // some run their candidate already
		var some []Target
		for _, target := range r.targets {
			if r.chance(60) {
				some = append(some, target)
			}
		}
		for _, res := range Apply(t.Context(), some, Options{Dialer: dialer(), Forks: 8}) {
			if res.Outcome != commit.OutcomeConfirmed {
				t.Fatalf("seed %d: before the run: %s %v", seed, res.Outcome, res.Err)
			}
		}
		r.said += fmt.Sprintf(" %d unchanged", len(some))
	}
	s := r.strategy(n)
	for i := range r.targets {
		r.targets[i].Candidate.Window = time.Duration(5+r.IntN(4)) * time.Second
		if s.Manual {
			r.targets[i].Candidate.Window = 2 * time.Minute
		}
		r.probes(i)
	}
	waves, err := Waves(r.targets, s)
	if err != nil {
		s.Canary = Canary{}
		waves, _ = Waves(r.targets, s)
	}
	r.options = Options{Dialer: dialer(), Forks: 1 + r.IntN(n+1), Strategy: s, Waves: waves, Journal: r, Event: r.event, Unwind: r.unwind}
	for i := range r.targets {
		h := r.fleet.Host(i)
		_, generation := h.Confirmed()
		if r.chance(30) {
			r.fault(i)
		}
		c := h.Counts()
		r.before = append(r.before, before{h.Running(), generation, c.Connections, c.Writes})
	}
	r.accidents()
	return r
}

func (r *round) strategy(n int) Strategy {
	var s Strategy
	if r.chance(40) {
		s.Canary.Share.Count = 1 + r.IntN(2)
	}
	if r.chance(40) {
		s.Batch.Count = 1 + r.IntN(n)
	}
	if r.chance(30) {
		s.Soak = time.Duration(100+r.IntN(900)) * time.Millisecond
		if r.chance(20) {
			s.Soak = 5 * time.Second
		}
	}
	s.MaxFailures.Count = max(0, r.IntN(n+2)-2)
	if r.chance(30) {
		s.MaxUnreachable = &inventory.Budget{Count: r.IntN(n)}
	}
	s.Manual = r.chance(3)
	r.said += fmt.Sprintf(" canary %d, batch %d, soak %s, at most %d failed", s.Canary.Share.Count, s.Batch.Count, s.Soak, s.MaxFailures.Count)
	return s
}

func (r *round) fault(i int) {
	h := r.fleet.Host(i)
	kinds := map[string]simhost.Faults{
		"locked out": {LockOut: simhost.Refuse}, "locked out, silent": {LockOut: simhost.Hang}, "locked out, denied": {LockOut: simhost.Deny},
		"refused": {Refuse: "Error: no such set"}, "fails": {Fail: "Error: no buffer space"},
		"unreachable": {Unreachable: simhost.Refuse}, "denied": {Unreachable: simhost.Deny},
		"slow": {SlowFacts: time.Duration(r.IntN(2500)) * time.Millisecond},
		"garbles": {Lie: func(line string) string {
			if strings.HasPrefix(line, "fresh") {
				return "well " + line
			}
			return line
		}},
		"held": {},
	}
	names := make([]string, 0, len(kinds))
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	name := names[r.IntN(len(names))]
	r.faults[i] = name
	r.lying[i] = name == "garbles"
	if name == "held" {
		r.held[i] = true
		h.Hold("20260102T030405Z-0000000f", "somebody", time.Minute)
	}
	h.SetFaults(kinds[name])
}

// accidents come at random events.
func (r *round) accidents() {
	ctx, cancel := context.WithCancel(r.Context())
	r.Cleanup(cancel)
	r.ctx = ctx
	last := 8 * len(r.targets)
	if r.chance(25) {
		n := r.IntN(last)
		r.plan[n] = cancel
		r.said += fmt.Sprintf(" interrupt at %d", n)
		if r.chance(60) {
			m := n + 1 + r.IntN(last)
			r.plan[m] = func() { close(r.unwind) }
			r.said += fmt.Sprintf(" and at %d", m)
		}
	} else if r.chance(15) {
		n := r.IntN(last)
		r.plan[n] = func() { cancel(); close(r.unwind) }
		r.said += fmt.Sprintf(" both interrupts at %d", n)
	}
	if r.chance(30) {
		n, i := r.IntN(last), r.IntN(len(r.targets))
		if _, taken := r.plan[n]; !taken && r.faults[i] == "" {
			how := []simhost.Faults{{LockOut: simhost.Refuse}, {LockOut: simhost.Hang}, {Unreachable: simhost.Refuse}}[r.IntN(3)]
			until := simhost.Faults{}
			r.faults[i] = "later"
			r.plan[n] = func() {
				r.fleet.Host(i).SetFaults(how)
				time.AfterFunc(6*time.Second, func() { r.fleet.Host(i).SetFaults(until) })
			}
			r.said += fmt.Sprintf(" fault of %s at %d", r.targets[i].Host.Name, n)
		}
	}
	if r.chance(10) {
		r.panics = 1 + r.IntN(3)
	}
}

func (r *round) probes(i int) {
	if !r.chance(25) {
		return
	}
	bad := errors.New("refused")
	all := []Probe{
		&probe{name: "good", says: []error{nil}}, &probe{name: "bad after", says: []error{nil, bad}}, &probe{name: "bad", says: []error{bad}},
		&probe{name: "bad after the soak", says: []error{nil, nil, bad}}, panicking{}, slow(time.Duration(r.IntN(5000)) * time.Millisecond),
	}
	p := all[r.IntN(len(all))]
	r.targets[i].Probes = []Probe{p}
	r.said += fmt.Sprintf(" %s probes %s", r.targets[i].Host.Name, p)
}

// slow is a probe that takes its time.
type slow time.Duration

func (s slow) String() string { return "slow " + time.Duration(s).String() }

func (s slow) Try(ctx context.Context, _ *transport.Conn) error {
	select {
	case <-time.After(time.Duration(s)):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
