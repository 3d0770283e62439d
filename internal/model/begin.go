package model

// begin is scripts/begin.sh.

func settle(m *moment) bool {
	p := m.me()
	p.seen = m.file
	if !m.file.pending() {
		p.tx = ownTx(m.slot)
		p.pc = bFacts
		return true
	}
	p.tx = m.file.tx
	switch st := m.file.st; {
	case (st == staged || st == armed) && (m.alive(m.file.owner) || m.NoTakeover),
		st == applied && m.clock < due:
		m.judgeHeld()
		m.say(hearHeld)
		return m.exit()
	case st == staged || st == armed:
		return m.fence(m.file.owner, bDropDead)
	case st == applied:
		return m.revert(true, bSettle)
	}
	return m.revert(false, bSettle)
}

// dropDead takes over what nobody owns any more.
func dropDead(m *moment) bool {
	if !m.turn(dropping, 0) {
		m.goTo(bSettle)
		return true
	}
	p := m.me()
	p.ret, p.pc = bSettle, rRecord
	return true
}

func facts(m *moment) bool {
	m.me().mem = m.rules
	m.say(hearAsk)
	m.goTo(bGo)
	return true
}

func claim(m *moment) bool {
	p := m.me()
	if m.file != p.seen && !m.ClaimBlindly {
		if p.seen = m.file; m.file.pending() {
			m.say(hearHeld)
		} else {
			m.say(hearRefused)
		}
		return m.exit()
	}
	was := m.file
	t := m.t()
	m.file = name{p.tx, staged, 0, m.slot}
	p.seen = m.file
	t.dir, t.old, t.decided = true, p.mem, open
	m.judgeClaim(was)
	m.goTo(bStage)
	return true
}

// stage clears away what others have left, and writes down and syncs what is needed.
func stageAll(m *moment) bool {
	p := m.me()
	for i := range m.tx {
		if t := &m.tx[i]; uint8(i) != p.tx {
			t.dir, t.undo, t.sealed, t.timers, t.loaders = false, false, false, 0, 0
		}
	}
	m.disk.next, m.disk.nextGen = p.tx, p.tx
	m.safe = m.disk
	m.say(hearChecked)
	m.goTo(bWait)
	return true
}

func waitForGroup(m *moment) bool {
	switch m.ask() {
	case silence:
		return false
	case sayApply:
		m.goTo(bDeadline)
	default:
		m.goTo(bDrop)
	}
	return true
}

func applyNew(m *moment) bool {
	if !m.turn(applied, 1) {
		m.goTo(bDrop)
		return true
	}
	m.goTo(bLoad)
	return true
}

func jobOf(m *moment) bool {
	if m.OneTimer {
		m.goTo(bArmed)
		return true
	}
	return m.arm(tQueued, bArmed)
}

// unproved: the timer is not there. Begin sees that, unless it takes the word of at(1).
func unproved(next pc) func(*moment) {
	return func(m *moment) {
		if m.goTo(bDrop); m.Unproved {
			m.goTo(next)
		}
	}
}

func loadNew(m *moment) bool {
	m.judgeTimers()
	return m.launch(m.me().tx, bLoading)
}

func loadedNew(m *moment) bool {
	l, ok := m.landed()
	switch {
	case !ok:
		return false
	case l != loaded:
		return m.revert(false, bTaken)
	}
	m.goTo(bMine)
	return true
}

// mine loads the old rules if somebody has decided meanwhile.
func mine(m *moment) bool {
	if m.file != m.me().seen && !m.Unfenced {
		return m.revert(false, bTaken)
	}
	m.goTo(bSeal)
	return true
}

func takenBack(m *moment) bool {
	// The revert has nothing to do where somebody has confirmed, and that is no revert.
	if tx := m.me().tx; m.BlindAnswer || m.outcome(tx) != confirmed {
		m.say(hearReverted)
		m.answered(tx, reverted)
	}
	return m.exit()
}

// drop is the end of a Begin whose rules never ran. Where somebody else has turned the
// state already, that one does it.
func drop(m *moment) bool {
	p := m.me()
	if !m.turn(dropping, 0) {
		p.pc = bDropped
		return true
	}
	p.ret, p.pc = bDropped, rUnstage
	return true
}

func dropped(m *moment) bool {
	m.say(hearDropped)
	return m.exit()
}
