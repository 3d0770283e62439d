package model

import (
	"hash/maphash"
	"slices"
)

// Found is what an exploration has seen.
type Found struct {
	States, Transitions, Depth int
	Exhausted                  bool // every reachable state was seen
	Broken                     Invariant
	Why                        string // more about that, if there is more to say
	Trace                      []Step // how it is broken; the first one is where it began
}

// origin is how a state was reached first: the same choices lead there again.
type origin struct {
	from   uint32
	choice uint16
}

const nowhere = ^uint32(0) // where a start comes from

// explorer knows a state by 64 bits of it. That two of 10 million are taken for one has a
// chance of about 1 in 400,000.
type explorer struct {
	*World
	seed maphash.Seed
	seen map[uint64]struct{}
	ways []origin
	well map[uint64]struct{} // states of a host that is left alone which end well, whatever comes first
}

func (w *World) explorer() *explorer {
	return &explorer{World: w, seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}, well: map[uint64]struct{}{}}
}

func (x *explorer) hash(s *State) uint64 { return maphash.Comparable(x.seed, *s) }

// add says whether a state is new.
func (x *explorer) add(s *State, from uint32, choice int) bool {
	h := x.hash(s)
	if _, old := x.seen[h]; old {
		return false
	}
	x.seen[h] = struct{}{}
	x.ways = append(x.ways, origin{from, uint16(choice)})
	return true
}

// Explore goes through every interleaving, breadth first, until something is broken, nothing
// is left, or that many states were seen. From each state the host is left alone, and has
// to end well.
func (w *World) Explore(most int) Found {
	type node struct {
		way uint32
		s   State
	}
	x := w.explorer()
	var f Found
	var layer, next []node
	for i, s := range w.starts() {
		x.add(&s, nowhere, i)
		next = append(next, node{uint32(i), s})
	}
	var steps []Step
	for ; len(next) > 0 && len(x.ways) < most; f.Depth++ {
		layer, next = next, layer[:0]
		for _, n := range layer {
			f.States = len(x.ways)
			if end := x.ending(n.s); end.Broken != Held {
				f.Broken, f.Why, f.Trace = end.Broken, end.Why, append(x.trace(n.way), end.Trace...)
				return f
			}
			steps = x.next(&n.s, steps[:0])
			for i := range steps {
				f.Transitions++
				s := &steps[i].To
				if !x.add(s, n.way, i) {
					continue
				}
				way := uint32(len(x.ways) - 1)
				if s.bad != Held {
					f.Broken, f.Trace = s.bad, x.trace(way)
					return f
				}
				next = append(next, node{way, *s})
			}
		}
	}
	f.States, f.Exhausted = len(x.ways), len(next) == 0
	return f
}

// trace goes the way to a state once more.
func (x *explorer) trace(way uint32) []Step {
	var choices []uint16
	for ; way != nowhere; way = x.ways[way].from {
		choices = append(choices, x.ways[way].choice)
	}
	last := len(choices) - 1
	trace := []Step{begins(x.starts()[choices[last]])}
	for i := last - 1; i >= 0; i-- {
		trace = append(trace, x.next(&trace[len(trace)-1].To, nil)[choices[i]])
	}
	return trace
}

func begins(s State) Step { return Step{whoTime, "begins", s} }

// Walk goes one way at random, that many steps at most, and leaves the host alone then. What
// goes wrong from outside comes now and then, or a way would be short.
func (w *World) Walk(draw func(n int) int, most int) Found {
	x := w.explorer()
	starts := w.starts()
	f := Found{Trace: []Step{begins(starts[draw(len(starts))])}}
	for f.Transitions < most {
		s := &f.Trace[len(f.Trace)-1].To
		steps := w.next(s, nil)
		if len(steps) == 0 {
			break
		}
		f.Transitions++
		n := len(steps)
		if usual := slices.IndexFunc(steps, func(s Step) bool { return s.Who == whoFault }); usual > 0 && draw(16) > 0 {
			n = usual
		}
		f.Trace = append(f.Trace, steps[draw(n)])
		if f.Broken = f.Trace[len(f.Trace)-1].To.bad; f.Broken != Held {
			return f
		}
	}
	f.Depth = f.Transitions
	if end := x.ending(f.Trace[len(f.Trace)-1].To); end.Broken != Held {
		f.Broken, f.Why, f.Trace = end.Broken, end.Why, append(f.Trace, end.Trace...)
	}
	return f
}
