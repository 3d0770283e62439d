package model

// controller is one fwpush: begin.go, confirm.go, await.go and recover.go.
type controller struct {
	pc     cpc
	tx     uint8
	conn   uint8 // the slot it listens to, 0 if there is none
	in     word  // what it was told there and has not heard yet
	sealed bool  // it has read the seal
	early  bool  // it has dialled before that, which it never should
	old    bool  // that connection is older than the new rules
	before uint8 // what ran when it asked for the facts
	boots  uint8
	result result
}

type cpc uint8

const (
	_ cpc = iota
	cDial
	cFacts
	cStage
	cApplied
	cProve
	cLearn
	cFresh
	cDecide
	cExtend
	cCommit
	cTake
	cRevert
	cAbort
	cAwait
	cLook
	cResume
	cTakeBack
)

// first is where a controller of each role begins.
var first = [...]cpc{Apply: cDial, ConfirmIt: cResume, RevertIt: cTakeBack}

type result uint8

const (
	noResult result = iota
	wasConfirmed
	wasReverted
	wasFailed // the candidate never ran
	wasLocked
	isUnknown
	wasUnreachable
)

// turnOf is a controller about to make a step.
type turnOf struct {
	*World
	State
	c    int
	what string
}

func (t *turnOf) k() *controller { return &t.ctl[t.c] }

// controller is every step that one may make.
func (w *World) controller(s *State, c int, out []Step) []Step {
	try := func(f func(*turnOf) bool) {
		t := turnOf{w, *s, c, ""}
		if f(&t) {
			t.judge()
			out = append(out, Step{whoController + uint8(c), t.what, t.State})
		}
	}
	switch s.ctl[c].pc {
	case cDial, cResume, cTakeBack:
		try((*turnOf).start)
	case cProve:
		try((*turnOf).prove)
		try((*turnOf).outOfTime)
		try((*turnOf).lockedOut)
	case cDecide:
		try(func(t *turnOf) bool { return t.tell(sayCommit, cCommit, "says commit") })
		if s.left.Wishes > 0 {
			try(func(t *turnOf) bool { t.left.Wishes--; return t.tell(sayExtend, cExtend, "says extend") })
			try(func(t *turnOf) bool { t.left.Wishes--; return t.tell(sayRevert, cRevert, "says revert") })
		}
	case cTake:
		try((*turnOf).take)
	case cAwait:
		try(func(t *turnOf) bool { return t.ask(kTell, cLook, "asks how it ended") })
		try((*turnOf).giveUp)
	case cApplied:
		try((*turnOf).hear)
		try((*turnOf).impatient)
		try((*turnOf).dialEarly)
	default:
		try((*turnOf).hear)
	}
	return out
}

// hears is a controller that takes in a word.
func (w *World) hears(s *State, c int, out []Step) []Step {
	t := turnOf{w, *s, c, ""}
	if !t.hear() {
		return out
	}
	t.judge()
	return append(out, Step{whoController + uint8(c), t.what, t.State})
}

// start is the first connection.
func (t *turnOf) start() bool {
	k := t.k()
	k.before, k.boots = t.rules, t.boots
	switch k.pc {
	case cDial:
		if t.lockout && t.rules == 1 {
			return t.end(wasUnreachable, "cannot log in")
		}
		slot := beginSlot(t.c)
		k.tx = ownTx(slot)
		t.proc[slot] = proc{pc: bSettle, tx: k.tx}
		k.conn, k.pc, t.what = slot, cFacts, "starts Begin"
		return true
	case cResume:
		if t.file.st != applied {
			return false // it would end at once
		}
		k.tx, k.pc = t.file.tx, cProve
		return t.ask(kTell, cLearn, "asks for the seal of what is pending")
	}
	if !t.file.pending() {
		return false
	}
	k.tx, k.pc = t.file.tx, cRevert
	return t.ask(rLook, cRevert, "asks to revert what is pending")
}

// ask runs a verb of the finish program on a new connection; the one before ends.
func (t *turnOf) ask(verb pc, next cpc, what string) bool {
	k := t.k()
	if t.lockout && k.tx == 1 && t.rules == 1 {
		return false
	}
	for slot := beginSlot(t.c) + 1; slot < beginSlot(t.c)+3; slot++ {
		if !t.free(slot) {
			continue
		}
		t.hangUp()
		t.proc[slot] = proc{pc: kPending, tx: k.tx, ret: verb, stale: t.rules != k.tx}
		k.conn, k.in, k.pc, t.what = slot, silence, next, what
		return true
	}
	return false
}

// hangUp ends a connection to a finish program; Begin's is kept for a last word.
func (t *turnOf) hangUp() {
	k := t.k()
	if k.conn != 0 && k.conn != beginSlot(t.c) {
		t.proc[k.conn].hangUp()
	}
	k.conn, k.in = 0, silence
}

func (t *turnOf) tell(w word, next cpc, what string) bool {
	k := t.k()
	k.pc, t.what = next, what
	if k.conn != 0 && t.alive(k.conn) && !t.proc[k.conn].cut {
		t.proc[k.conn].in = w
	}
	return true
}

func (t *turnOf) end(r result, what string) bool {
	t.judgeResult(t.c, r)
	t.abandon(t.c)
	t.k().result = r
	t.what = what
	return true
}

func (t *turnOf) prove() bool {
	k := t.k()
	if t.clock >= due {
		return false
	}
	if !k.sealed {
		return t.ask(kTell, cLearn, "dials to ask for the seal")
	}
	if k.early {
		// No new connection: one from before the seal goes through new rules.
		lockout, old := t.lockout, k.old
		t.lockout, k.early = false, false
		if !t.ask(kSecrets, cFresh, "confirms over a connection dialled too early") {
			return false
		}
		t.lockout, t.proc[k.conn].stale = lockout, old
		t.proc[k.conn].pc, t.proc[k.conn].ret = kPending, kSecrets
		return true
	}
	return t.ask(kSecrets, cFresh, "dials to confirm")
}

// outOfTime: the deadline is over, by the controller's clock.
func (t *turnOf) outOfTime() bool {
	if t.clock == before {
		return false
	}
	t.hangUp()
	t.proc[beginSlot(t.c)].hangUp()
	t.k().pc, t.what = cAwait, "has no time left to get in"
	return true
}

// lockedOut: three dials have failed. The first connection may still be heard.
func (t *turnOf) lockedOut() bool {
	k := t.k()
	if !(t.lockout && k.tx == 1 && t.rules == 1) {
		if t.left.Misses == 0 {
			return false
		}
		t.left.Misses--
	}
	slot := beginSlot(t.c)
	if p := &t.proc[slot]; p.pc == 0 || p.cut || p.tx != k.tx {
		return false
	}
	t.hangUp()
	k.conn = slot
	return t.tell(sayRevert, cAbort, "cannot get in, and says revert over the first connection")
}

func (t *turnOf) take() bool {
	slot := beginSlot(t.c)
	if p := &t.proc[slot]; p.pc != 0 && !p.cut && p.tx == t.k().tx {
		t.hangUp()
		t.k().conn = slot
		return t.tell(sayRevert, cAbort, "says revert over the first connection")
	}
	if t.clock >= due {
		return t.outOfTime()
	}
	return t.ask(rLook, cRevert, "asks to revert")
}

// giveUp is 150 s after the deadline; a host that heals itself has done so.
func (t *turnOf) giveUp() bool {
	return t.clock == late && t.end(isUnknown, "gives up: unknown")
}

// impatient: the answer to apply has not come in the time that a load takes.
func (t *turnOf) impatient() bool {
	if t.left.Misses == 0 || t.k().conn == 0 {
		return false
	}
	t.left.Misses--
	t.k().conn, t.k().in = 0, silence
	t.k().pc, t.what = cProve, "waits no longer for applied"
	return true
}

func (t *turnOf) dialEarly() bool {
	k := t.k()
	if !t.EarlyDial || k.early || t.lockout && t.rules == 1 {
		return false
	}
	k.early, k.old, t.what = true, t.rules != k.tx, "dials before it has the seal"
	return true
}
