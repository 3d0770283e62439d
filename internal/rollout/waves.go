package rollout

import (
	"cmp"
	"fmt"
	"slices"

	"fwpush/inventory"
)

// Wave is hosts of a run that are through before the next ones begin.
type Wave struct {
	Name    string // "canary", "wave 2 of 3"
	Canary  bool
	Targets []int // indexes of the run's targets
	// replaces says that canaries which need no change make room for others: what was to
	// be tried on two hosts is tried on two hosts.
	replaces bool
}

// Waves plans a run: canaries first, then the others in the order of targets. A host
// that others are reached through comes in a later wave than all of these, and never two
// hosts of a serial role in one, whatever the sizes of waves are; where these leave no
// room waves are added. Canaries by name may be such hosts; a share never picks one.
func Waves(targets []Target, s Strategy) ([]Wave, error) {
	p := &planner{targets: targets, serial: s.Serial, wave: map[int]int{}, taken: map[turn]bool{}, behind: behind(targets), through: map[int][]int{}}
	for jump, list := range p.behind {
		for _, i := range list {
			p.through[i] = append(p.through[i], jump)
		}
	}
	canaries, err := p.canaries(s.Canary)
	if err != nil {
		return nil, err
	}
	for _, i := range canaries {
		p.place(i, 0, func(int) int { return len(targets) })
	}
	first := len(p.waves)
	var rest []int
	for i := range targets {
		if _, taken := p.wave[i]; !taken {
			rest = append(rest, i)
		}
	}
	slices.SortStableFunc(rest, func(a, b int) int { return cmp.Compare(p.level(a), p.level(b)) })
	size := sizes(s, len(targets), len(canaries))
	for _, i := range rest {
		p.place(i, first, func(w int) int { return size(w - first) })
	}
	return p.named(first, len(s.Canary.Names) == 0), nil
}

// sizes is how many hosts the n-th wave after the canaries takes.
func sizes(s Strategy, hosts, canaries int) func(n int) int {
	if s.Batch != (inventory.Budget{}) {
		each := max(1, atLeast(s.Batch, hosts))
		return func(int) int { return each }
	}
	var list []int
	before := canaries
	for _, percent := range s.Waves {
		upTo := atLeast(inventory.Budget{Percent: percent}, hosts)
		if upTo > before {
			list = append(list, upTo-before)
			before = upTo
		}
	}
	return func(n int) int {
		if n < len(list) {
			return list[n]
		}
		return hosts
	}
}

// planner puts hosts into waves.
type planner struct {
	targets []Target
	serial  []string
	behind  map[int][]int // by host: those of the run that are reached through it
	through map[int][]int // by host: those of the run that it is reached through
	waves   [][]int
	wave    map[int]int   // by host: its wave
	taken   map[turn]bool // which hosts of serial roles have
}

// turn is that of a serial role in a wave.
type turn struct {
	wave int
	role string
}

// behind are, for each target, those that are reached through it.
func behind(targets []Target) map[int][]int {
	index := map[string]int{}
	for i, t := range targets {
		index[t.Host.Name] = i
	}
	list := map[int][]int{}
	for i, t := range targets {
		for hop := &t.Host.SSH; hop != nil; hop = hop.Via {
			if jump, ours := index[hop.Jump]; ours && hop.Jump != "" && jump != i {
				list[jump] = append(list[jump], i)
			}
		}
	}
	return list
}

// level is 0 for a host that no other one of the run is reached through, and for others
// one more than that of any host behind it. A fleet has no jump cycle.
func (p *planner) level(i int) int {
	level := 0
	for _, b := range p.behind[i] {
		level = max(level, p.level(b)+1)
	}
	return level
}

// place puts a host into the first wave from the given one on that has room for it, and
// nobody in it or after it that must go before.
func (p *planner) place(i, from int, size func(wave int) int) {
	for _, b := range p.behind[i] {
		if w, placed := p.wave[b]; placed {
			from = max(from, w+1)
		}
	}
	for w := from; ; w++ {
		if w == len(p.waves) {
			p.waves = append(p.waves, nil)
		}
		if len(p.waves[w]) < size(w) && !p.clashes(i, w) {
			p.waves[w] = append(p.waves[w], i)
			p.wave[i] = w
			for _, role := range p.serial {
				if p.targets[i].has(role) {
					p.taken[turn{w, role}] = true
				}
			}
			return
		}
	}
}

// clashes says whether a wave has a host of the same serial role, or one that is reached
// through this one or that this one is reached through.
func (p *planner) clashes(i, wave int) bool {
	there := func(j int) bool {
		w, placed := p.wave[j]
		return placed && w == wave
	}
	return slices.ContainsFunc(p.behind[i], there) || slices.ContainsFunc(p.through[i], there) ||
		slices.ContainsFunc(p.serial, func(role string) bool { return p.taken[turn{wave, role}] && p.targets[i].has(role) })
}

func (t Target) has(role string) bool {
	return slices.ContainsFunc(t.Host.Roles, func(r inventory.At[string]) bool { return r.V == role })
}

// canaries are the hosts that go first, in the order of targets.
func (p *planner) canaries(c Canary) ([]int, error) {
	if c.none() {
		return nil, nil
	}
	var list []int
	for i, t := range p.targets {
		if slices.Contains(c.Names, t.Host.Name) || len(c.Names) == 0 && len(t.Behind) == 0 {
			list = append(list, i)
		}
	}
	if len(c.Names) > 0 {
		return slices.SortedStableFunc(slices.Values(list), func(a, b int) int { return cmp.Compare(p.level(a), p.level(b)) }), nil
	}
	n := atLeast(c.Share, len(p.targets))
	switch {
	case n < 1 || n > len(p.targets):
		return nil, fmt.Errorf("a canary of %d hosts: of %d selected it must be 1 to %d", n, len(p.targets), len(p.targets))
	case n > len(list):
		return nil, fmt.Errorf("a canary of %d hosts: only %d of %d selected are no jump hosts; name the hosts that shall go first", n, len(list), len(p.targets))
	}
	return list[:n], nil
}

// named are the waves with their names; the first ones are the canaries.
func (p *planner) named(canaries int, replaces bool) []Wave {
	list := make([]Wave, len(p.waves))
	for i, targets := range p.waves {
		w := Wave{Name: fmt.Sprintf("wave %d of %d", i-canaries+1, len(p.waves)-canaries), Targets: targets}
		switch {
		case i < canaries:
			w.Name, w.Canary, w.replaces = "canary", true, replaces
			if canaries > 1 {
				w.Name = fmt.Sprintf("canary %d of %d", i+1, canaries)
			}
		case canaries > 0 && len(p.waves) == canaries+1:
			w.Name = "rest"
		case len(p.waves) == 1:
			w.Name = "all"
		}
		slices.Sort(w.Targets)
		list[i] = w
	}
	return list
}
