package model

// pc is the next instruction of a shell. Each does at most one thing that somebody else
// could see or change: a rename, a file written, a process started or ended, a word.
type pc uint8

const (
	halted pc = iota

	bSettle
	bDropDead
	bFacts
	bGo
	bClaim
	bStage
	bWait
	bDeadline
	bWatchdog
	bJob
	bArmed
	bApplied
	bLoad
	bLoading
	bMine
	bSeal
	bTell
	bLast
	bTaken
	bDrop
	bDropped

	kPending
	kTell
	kSecrets
	kWord
	kListing
	kStill
	kCommit
	kOver
	kOutcome
	kWatchdog
	kJob
	kMove
	kOutlived
	kLeftOver

	tQueued
	tWatch

	fStop
	fBrood
	fKill
	fLoaders

	rLook
	rDrop
	rTurn
	rOwner
	rOwned
	rConfirm
	rOld
	rPutBack
	rForget
	rLoad
	rLoading
	rRecord
	rUnstage
	rDisarm
	rEnd

	pBegin
	pKeep
	pBoot
	pGen
	pSync
	pRead
	pRecord
	pDisarm
	pEnd
	pUndo
	pTurn

	pcs
)

// instruction says what a step is called and does; do is false when it has to wait. fail
// is how it can fail, and hang what it does when it has waited long enough.
type instruction struct {
	what  string
	do    func(*moment) bool
	fail  func(*moment)
	hang  func(*moment) bool
	local bool // nobody else can tell when it is done, so that nothing needs to come first
	anew  bool // it looks at the state itself: what was seen before does not matter
}

// word is what controllers and hosts say.
type word uint8

const (
	silence word = iota
	sayGo
	sayApply
	sayCommit
	sayExtend
	sayRevert
	endOfInput

	hearAsk
	hearHeld
	hearChecked
	hearDropped
	hearRefused
	hearApplied // with the seal
	hearReverted
	hearState // with the seal
	hearNotYet
	hearFresh
	hearExtended
	hearOverConfirmed
	hearOverReverted
	hearOverNone
	hearOverLater // decided, and somebody is at it
)

// say tells the controller, if it still listens to this one.
func (m *moment) say(w word) {
	if m.slot == visitor {
		return
	}
	if c := &m.ctl[controllerOf(m.slot)]; !m.me().cut && c.conn == m.slot {
		c.in = w
	}
}

// ask is a word of the controller; nothing as long as there is none.
func (m *moment) ask() word {
	p := m.me()
	w := p.in
	if p.in = silence; w == silence && p.cut {
		return endOfInput
	}
	return w
}

// exit ends the shell. What it has begun to load has ended before, or goes on.
func (m *moment) exit() bool {
	m.die(m.slot)
	return true
}

// look takes the state file; whether it is that of T.
func (m *moment) look() bool {
	p := m.me()
	p.seen = m.file
	return p.seen.tx == p.tx && p.tx != 0 || m.AnyTx && p.seen.pending()
}

// turn is one step of the state. It is no step of anybody who lost a race.
func (m *moment) turn(st stage, dl uint8) bool {
	p := m.me()
	was := m.file
	if was != p.seen && !(m.CheckThenAct && st == confirming) {
		return false
	}
	tx := p.tx
	if m.AnyTx {
		tx = was.tx
	}
	m.file = name{tx, st, dl, m.slot}
	if !m.file.pending() {
		m.file.owner, m.file.dl, m.clock = 0, 0, idle
	}
	p.seen = m.file
	m.judgeTurn(was)
	return true
}

// launch has a child load the rules of a transaction.
func (m *moment) launch(what uint8, next pc) bool {
	p := m.me()
	p.load = loader{st: born, what: what, as: p.seen}
	p.pc = next
	return true
}

// landed is how the child of this shell has ended; false while it has not.
func (m *moment) landed() (loading, bool) {
	l := m.me().load.st
	if m.me().load.alive() {
		return l, false
	}
	m.me().load = loader{}
	return l, true
}

// fence is the way to end a process, and every load of T that stands in D/loader.
func (m *moment) fence(foe uint8, back pc) bool {
	p := m.me()
	switch {
	case m.Unfenced:
		p.pc = back
	case foe == 0 || foe == m.slot || !m.alive(foe):
		p.back, p.pc = back, fLoaders
	default:
		p.foe, p.back, p.pc = foe, back, fStop
	}
	return true
}

// revert is the way to take T back, now or when it is due.
func (m *moment) revert(atDue bool, then pc) bool {
	p := m.me()
	p.atDue, p.then, p.pc = atDue, then, rLook
	return true
}

// arm makes one timer of T, which proves itself, and writes it down.
func (m *moment) arm(at pc, next pc) bool {
	slot := m.freeTimer()
	if slot == 0 {
		return false
	}
	p := m.me()
	m.proc[slot] = proc{pc: at, tx: p.tx}
	m.t().timers |= 1 << (slot - firstTimer)
	m.t().proved++
	p.pc = next
	return true
}

// disarm takes one timer of T away that is not this one; false when none is left.
func (m *moment) disarm() bool {
	for slot := uint8(firstTimer); slot < visitor; slot++ {
		bit := uint8(1) << (slot - firstTimer)
		if m.t().timers&bit == 0 {
			continue
		}
		m.t().timers &^= bit
		p := &m.proc[slot]
		if slot == m.slot || p.pc == halted || p.tx != m.me().tx || p.mem == fired {
			continue
		}
		m.die(slot)
		return true
	}
	return false
}

// fired is the mem of a timer that came of a queued job: once it runs there is no job to
// remove, and it ends by itself when it finds that T is over.
const fired = 1
