package model

// frame is a state on the way of ending, and what may follow and was not looked at yet.
type frame struct {
	step Step
	rest []Step
	hash uint64
}

// ending leaves the host alone from s on: every controller is gone, and nothing goes wrong
// any more. However its processes interleave, it has to come to rest with confirmed rules
// and boot file, and the next Begin has to get it.
func (x *explorer) ending(s State) Found {
	for c := range s.ctl {
		s.abandon(c)
		s.ctl[c] = controller{}
	}
	s.left, s.bad = Faults{}, Held
	first := x.hash(&s)
	if _, ok := x.well[first]; ok {
		return Found{}
	}
	on := map[uint64]bool{first: true}
	path := []frame{{Step{whoFault, "leaves the host alone", s}, x.alone(&s), first}}
	broken := func(i Invariant, why string) Found {
		f := Found{Broken: i, Why: why}
		for _, on := range path {
			f.Trace = append(f.Trace, on.step)
		}
		return f
	}
	for len(path) > 0 {
		top := &path[len(path)-1]
		if len(top.rest) == 0 {
			x.well[top.hash] = struct{}{}
			delete(on, top.hash)
			path = path[:len(path)-1]
			continue
		}
		step := top.rest[0]
		top.rest = top.rest[1:]
		h := x.hash(&step.To)
		if _, ok := x.well[h]; ok {
			continue
		}
		again := on[h]
		on[h] = true
		path = append(path, frame{step, x.alone(&step.To), h})
		switch {
		case step.To.bad != Held:
			return broken(step.To.bad, "the host was left alone")
		case again:
			return broken(I6, "the host was left alone, and never comes to an end")
		case len(path[len(path)-1].rest) == 0:
			if i, why := step.To.settled(); i != Held {
				return broken(i, why)
			}
		}
	}
	return Found{}
}

// alone is every step of a host that is left alone. Once it has come to rest the next Begin
// comes.
func (x *explorer) alone(s *State) []Step {
	if out := x.host(s, nil); len(out) > 0 || s.alive(visitor) {
		return out
	}
	n := *s
	if i, why := s.rested(); i != Held {
		n.bad = i
		return []Step{{whoTime, why, n}}
	}
	n.proc[visitor] = proc{pc: bSettle, tx: ownTx(visitor)}
	return []Step{{visitor, "comes", n}}
}

// rested is what is wrong with a host that has come to rest by itself.
func (s *State) rested() (Invariant, string) {
	if s.tx[s.file.tx].lost >= 2 {
		return Held, "" // no timer is left: it waits for the next Begin
	}
	if s.file.st == applied {
		return I6, "rests with a transaction that nobody ends"
	}
	return s.unconfirmed()
}

// settled is what is wrong after the next Begin has come.
func (s *State) settled() (Invariant, string) {
	if s.proc[visitor].pc != bGo || s.file.pending() {
		return I6, "the next Begin does not get the host"
	}
	return s.unconfirmed()
}

func (s *State) unconfirmed() (Invariant, string) {
	switch {
	case s.rules != s.good:
		return I3, "the host rests with rules that nobody confirmed"
	case s.disk.boot != s.good || s.safe.boot != s.good:
		return I4, "the host rests with a boot file that is not the confirmed one"
	}
	return Held, ""
}
