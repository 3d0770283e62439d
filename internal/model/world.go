package model

// World is the protocol and what may happen to it.
type World struct {
	Protocol
	Roles  []Role
	Faults Faults
}

// Role is what a controller is there for.
type Role uint8

// Roles.
const (
	Apply     Role = iota // its own candidate
	ConfirmIt             // what it finds pending, as `confirm RUN` does on another machine
	RevertIt              // what it finds pending
)

// Step is one step and where it leads to. Who is a slot, or beyond them a controller, the
// clock or a fault.
type Step struct {
	Who  uint8
	What string
	To   State
}

// Who made a step, beside the slots.
const (
	whoLoader     = slots             // + slot
	whoController = whoLoader + slots // + controller
	whoTime       = whoController + maxControllers
	whoFault      = whoTime + 1
)

// starts is every state that a run begins in: a host with confirmed rules, and nothing else.
func (w *World) starts() []State {
	var all []State
	for _, lockout := range []bool{false, true} {
		s := State{left: w.Faults, lockout: lockout}
		for c, role := range w.Roles {
			s.ctl[c].pc = first[role]
		}
		all = append(all, s)
	}
	return all
}

// next is every step that may come next, after those in out.
func (w *World) next(s *State, out []Step) []Step {
	if out = w.unseen(s, out); len(out) > 0 {
		return out
	}
	out = w.seen(s, out)
	for c := range s.ctl {
		if s.ctl[c].pc != 0 {
			out = w.controller(s, c, out)
		}
	}
	return w.faults(s, out)
}

// host is every step of the host by itself: its processes, and time.
func (w *World) host(s *State, out []Step) []Step {
	if out = w.unseen(s, out); len(out) > 0 {
		return out
	}
	return w.seen(s, out)
}

// seen is every step of the host that somebody else may notice.
func (w *World) seen(s *State, out []Step) []Step {
	busy := false
	for slot := uint8(1); slot < slots; slot++ {
		p := &s.proc[slot]
		before := len(out)
		if p.pc != 0 && !p.stopped {
			out = w.process(s, slot, out)
		}
		if len(out) > before && (isTimer(slot) || s.file.decided() && s.file.owner == slot) {
			busy = true
		}
		if p.load.alive() {
			out = w.loader(s, slot, out)
			busy = true
		}
	}
	switch {
	case s.clock == before:
		next := *s
		next.clock = due
		out = append(out, Step{whoTime, "the deadline passes", next})
	case s.clock == due && !busy:
		// Timers that live are faster than this: it comes when none of them has anything to do.
		next := *s
		next.clock = late
		next.judgeLate()
		out = append(out, Step{whoTime, "two more minutes pass", next})
	}
	return out
}

// moment is one process about to make a step.
type moment struct {
	*World
	State
	slot uint8
}

func (m *moment) me() *proc { return &m.proc[m.slot] }

// t is the transaction that the process acts on.
func (m *moment) t() *txn { return &m.tx[m.me().tx] }

func (m *moment) goTo(next pc) { m.me().pc = next }

// process is the step of one process, and how it may fail.
func (w *World) process(s *State, slot uint8, out []Step) []Step {
	in := &programs[s.proc[slot].pc]
	m := moment{w, *s, slot}
	if in.do(&m) {
		m.tidy()
		m.judge()
		out = append(out, Step{slot, in.what, m.State})
	}
	if in.fail != nil && s.left.Fails > 0 {
		m := moment{w, *s, slot}
		m.left.Fails--
		in.fail(&m)
		m.tidy()
		m.judge()
		out = append(out, Step{slot, in.what + ", and fails", m.State})
	}
	if in.hang != nil && s.left.Hangs > 0 {
		m := moment{w, *s, slot}
		if in.hang(&m) {
			m.left.Hangs--
			out = append(out, Step{slot, "finds the owner hanging", m.State})
		}
	}
	return out
}

// tidy forgets what a process is about to look at anew.
func (m *moment) tidy() {
	if p := m.me(); programs[p.pc].anew {
		p.seen = name{}
	}
}

// loader is the step of the child of a slot that is to load rules.
func (w *World) loader(s *State, slot uint8, out []Step) []Step {
	step := func(what string, to loading) *State {
		out = append(out, Step{whoLoader + slot, what, *s})
		n := &out[len(out)-1].To
		l := &n.proc[slot].load
		l.st = to
		if !l.alive() {
			n.tx[l.as.tx].loaders &^= 1 << slot
			if !n.alive(slot) {
				n.proc[slot].load = loader{}
			}
		}
		return n
	}
	l := s.proc[slot].load
	candidate := l.what == l.as.tx // new rules, STRICT
	switch l.st {
	case born:
		switch {
		case w.Unfenced:
			step("becomes nft", runs)
		case candidate && !s.tx[l.as.tx].dir:
			step("cannot write itself down", failed)
		default:
			n := step("writes itself down", written)
			n.tx[l.as.tx].loaders |= 1 << slot
		}
	case written:
		if s.file != l.as {
			step("finds another state and loads nothing", gone)
		} else {
			step("finds its state and becomes nft", runs)
		}
	case runs:
		n := step("nft has loaded", loaded)
		n.rules = l.what
		n.tx[l.what].ran = true
		if s.file.pending() && s.file.tx != l.as.tx {
			n.bad = I8
		}
		n.judge()
		if candidate && s.left.Fails > 0 {
			n := step("nft fails", failed)
			n.left.Fails--
		}
	}
	return out
}

// faults is everything that may go wrong from outside.
func (w *World) faults(s *State, out []Step) []Step {
	if s.left.Kills > 0 {
		out = w.kills(s, out)
	}
	if s.left.Cuts > 0 {
		for c := range s.ctl {
			if conn := s.ctl[c].conn; conn != 0 && (s.alive(conn) || s.ctl[c].in != 0) {
				n := *s
				n.left.Cuts--
				n.proc[conn].hangUp()
				n.proc[conn].in = 0
				n.ctl[c].conn, n.ctl[c].in = 0, 0
				out = append(out, Step{whoFault, "cuts a connection of " + controllerNames[c], n})
			}
		}
	}
	if s.left.Reboots > 0 {
		n := w.reboot(*s, s.disk)
		out = append(out, Step{whoFault, "power cut, and boot", n})
		if s.safe != s.disk {
			out = append(out, Step{whoFault, "power cut that loses what was not synced, and boot", w.reboot(*s, s.safe)})
		}
	}
	return out
}

func (p *proc) hangUp() {
	if p.pc != 0 {
		p.cut = true
	}
}

func (w *World) kills(s *State, out []Step) []Step {
	for slot := uint8(1); slot < slots; slot++ {
		p := &s.proc[slot]
		if p.pc != 0 {
			n := *s
			n.left.Kills--
			n.die(slot)
			if isTimer(slot) {
				n.tx[p.tx].lost++
			}
			out = append(out, Step{whoFault, "kill -9 of " + slotNames[slot], n})
		}
		if p.load.alive() {
			n := *s
			n.left.Kills--
			n.endLoad(slot)
			out = append(out, Step{whoFault, "kill -9 of the nft of " + slotNames[slot], n})
		}
	}
	for c := range s.ctl {
		if s.ctl[c].pc != 0 {
			n := *s
			n.left.Kills--
			n.abandon(c)
			out = append(out, Step{whoFault, "kill -9 of " + controllerNames[c], n})
		}
	}
	return out
}

// endLoad kills the loader of a slot.
func (s *State) endLoad(slot uint8) {
	l := &s.proc[slot].load
	if !l.alive() {
		return
	}
	s.tx[l.as.tx].loaders &^= 1 << slot
	l.st = failed
	if !s.alive(slot) {
		*l = loader{}
	}
}

// abandon is the end of a controller: what it has said is said, and its connections end.
func (s *State) abandon(c int) {
	res := s.ctl[c].result
	s.ctl[c] = controller{result: res}
	for slot := beginSlot(c); slot < beginSlot(c)+3; slot++ {
		s.proc[slot].hangUp()
	}
}

// reboot leaves the disk, as it was synced or as it was seen, and jobs of at.
func (w *World) reboot(s State, disk store) State {
	s.left.Reboots--
	s.boots++
	s.disk, s.safe = disk, disk
	was := s.file
	if was.pending() {
		s.tx[was.tx].decided = toRevert
	}
	if disk.boot != 0 {
		s.tx[disk.boot].decided = toConfirm
	}
	s.file, s.clock = name{}, idle
	for slot := range s.proc {
		if p := &s.proc[slot]; p.pc == tQueued {
			*p = proc{pc: tQueued, tx: p.tx}
		} else {
			*p = proc{}
		}
	}
	for i := range s.tx {
		t := &s.tx[i]
		t.dir, t.undo, t.sealed, t.timers, t.loaders, t.proved, t.lost = false, false, false, 0, 0, 0, 0
	}
	for c := range s.ctl {
		if k := &s.ctl[c]; k.conn != 0 {
			k.conn, k.in = 0, 0
		}
	}
	s.rules = disk.boot
	if w.BootNewest && disk.next != 0 {
		s.rules = disk.next
	}
	if s.rules != disk.boot {
		s.bad = I5
	}
	s.good = disk.boot
	s.judge()
	return s
}
