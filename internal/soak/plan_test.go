package soak

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// plan is what a round does, drawn from its seed alone.
type plan struct {
	seed    uint64
	window  int // seconds
	verb    []string
	lockOut bool   // the fleet file does not name the controller
	single  []bool // hosts that do with one timer
	faults  [][]drawn
	ctl     controllerFault
	second  rival
	again   bool // the push afterwards is of other rules
	repeats bool // verbs of the run are repeated after its end
}

// controllerFault is what becomes of the program.
type controllerFault struct {
	kind  string // "", stop, kill, freeze, interrupt, terminate, disk full
	step  string // of stop
	after time.Duration
	times int           // interrupts
	lasts time.Duration // of a freeze
	then  string        // confirm or revert, by another process, if it died
}

// rival is another controller at work on the same hosts at the same time.
type rival struct {
	verb  string // "", apply, revert, confirm
	after time.Duration
}

func draw(seed uint64, hosts int) plan {
	r := rand.New(rand.NewPCG(seed, 0))
	chance := func(percent int) bool { return r.IntN(100) < percent }
	within := func(least, most time.Duration) time.Duration {
		return (least + time.Duration(r.Int64N(int64(most-least)))).Round(time.Millisecond)
	}
	p := plan{seed: seed, window: []int{2, 2, 3, 3, 4, 6}[r.IntN(6)], lockOut: chance(7), again: chance(50), repeats: chance(15)}
	switch n := r.IntN(100); {
	case n < 84 || p.lockOut:
		p.verb = []string{"apply"}
	case n < 90:
		p.verb = []string{"rollback"}
	case n < 95:
		p.verb = []string{"drill"}
	default:
		p.verb = []string{"remove"}
	}
	if p.verb[0] == "apply" {
		p.verb = append(p.verb, "--forks", fmt.Sprint(1+r.IntN(hosts)))
		for _, more := range []struct {
			percent int
			words   []string
		}{
			{85, []string{"--max-fail", "100%", "--max-unreachable", "100%"}},
			{15, []string{"--soak", "1s"}},
			{10, []string{"--canary", "1"}},
			{10, []string{"--on-stop", "rollback"}},
		} {
			if chance(more.percent) {
				p.verb = append(p.verb, more.words...)
			}
		}
	}
	if p.lockOut {
		p.verb = append(p.verb, "--accept-risk", "lose-ssh")
	}
	all, slow := faults(), chance(15)
	for range hosts {
		p.single = append(p.single, chance(15))
		var mine []drawn
		// Many of those drawn do not come to it: their moment is never there. Hosts without any are not rare.
		for n := []int{0, 1, 2, 3, 4, 5, 6, 8}[r.IntN(8)]; n > 0; n-- {
			d := drawFault(r, all)
			d.lasts = within(200*time.Millisecond, time.Duration(p.window+3)*time.Second)
			taken := slices.ContainsFunc(mine, func(o drawn) bool { return o.fault.key == d.fault.key })
			if taken || d.fault.slow && !slow {
				continue
			}
			slow = slow && !d.fault.slow // one of those in a round
			mine = append(mine, d)
		}
		p.faults = append(p.faults, mine)
	}
	p.ctl = drawController(r, p.window, within)
	if chance(12) {
		p.second = rival{verb: []string{"apply", "apply", "apply", "revert", "confirm"}[r.IntN(5)], after: within(0, 3*time.Second)}
	}
	return p
}

func drawFault(r *rand.Rand, all []*fault) drawn {
	sum := 0
	for _, f := range all {
		sum += f.weight
	}
	n := r.IntN(sum)
	d := drawn{n: r.IntN(1000)}
	for _, f := range all {
		if n -= f.weight; n < 0 {
			d.fault = f
			break
		}
	}
	d.moment = d.fault.when[r.IntN(len(d.fault.when))]
	switch {
	case d.moment == "start":
		d.after = time.Duration(r.IntN(3000)) * time.Millisecond
	case d.moment == "before" || r.IntN(2) == 0:
	case r.IntN(2) == 0:
		d.after = time.Duration(r.IntN(100)) * time.Millisecond
	default:
		d.after = time.Duration(r.IntN(2000)) * time.Millisecond
	}
	return d
}

func drawController(r *rand.Rand, window int, within func(least, most time.Duration) time.Duration) controllerFault {
	f := controllerFault{after: within(0, 4*time.Second), then: []string{"", "", "confirm", "revert"}[r.IntN(4)]}
	switch n := r.IntN(100); {
	case n < 60:
	case n < 74:
		steps := []string{"stage", "arm", "apply", "applied", "confirm", "commit", "undecided", "decided"}
		f.kind, f.step = "stop", fmt.Sprintf("%s:%d", steps[r.IntN(len(steps))], 1+r.IntN(3))
	case n < 82:
		f.kind = "kill"
	case n < 88:
		f.kind, f.lasts = "freeze", within(time.Second, time.Duration(window+4)*time.Second)
	case n < 94:
		f.kind, f.times = "interrupt", 1+r.IntN(3)
	case n < 96:
		f.kind = "terminate"
	default:
		f.kind = "disk full"
	}
	return f
}

func (p plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %s, window %d s, lock-out %t, single %v, controller %+v, rival %+v\n",
		p.seed, strings.Join(p.verb, " "), p.window, p.lockOut, p.single, p.ctl, p.second)
	for i, mine := range p.faults {
		for _, d := range mine {
			fmt.Fprintf(&b, "  host %d: %s\n", i+1, d)
		}
	}
	return b.String()
}
