package model

// verbs of scripts/finish.sh are told apart by what pending goes on to: kSecrets, kTell
// or a revert. It stands in proc.ret until then.

func pending(m *moment) bool {
	p := m.me()
	if !m.look() {
		p.pc = kOver
		return true
	}
	switch st := p.seen.st; {
	case (st == staged || st == armed) && !m.alive(p.seen.owner):
		p.then = kOver
		p.atDue = false
		return m.fence(p.seen.owner, rLook)
	case st == applied && m.clock >= due:
		return m.revert(true, kOver)
	case st != staged && st != armed && st != applied:
		p.pc = kOver
	case p.ret == rLook:
		return m.revert(false, kOver)
	case p.ret == kSecrets && st != applied:
		m.say(hearRefused)
		return m.exit()
	default:
		p.pc = p.ret
	}
	return true
}

// tell says the secrets to somebody who may not confirm any more then: controllers know.
func tell(m *moment) bool {
	p := m.me()
	if t := m.t(); p.seen.st == applied && t.sealed {
		m.say(hearState)
	} else {
		m.say(hearNotYet)
	}
	return m.exit()
}

// secrets and fresh: who confirms has the seal and came after the rules.
func secrets(m *moment) bool {
	p := m.me()
	if t := m.t(); !t.dir || !t.sealed || p.stale && !m.AnyAge {
		m.say(hearRefused)
		return m.exit()
	}
	m.say(hearFresh)
	m.goTo(kWord)
	return true
}

func hear(m *moment) bool {
	switch m.ask() {
	case silence:
		return false
	case sayCommit:
		m.goTo(kListing)
	case sayExtend:
		switch {
		case !m.look() || m.file.st != applied:
			m.goTo(kOver)
		case m.clock >= due:
			return m.revert(true, kOver)
		default:
			m.goTo(kWatchdog)
		}
	case sayRevert:
		return m.revert(false, kOver)
	default:
		return m.exit()
	}
	return true
}

func compare(m *moment) bool {
	p := m.me()
	if !m.t().dir || m.rules != p.tx {
		m.say(hearRefused)
		return m.exit()
	}
	m.goTo(kStill)
	return true
}

// still is pending once more, before the decision.
func still(m *moment) bool {
	p := m.me()
	switch {
	case !m.look() || p.seen.st != applied:
		p.pc = kOver
	case m.clock >= due:
		return m.revert(true, kOver)
	default:
		if p.pc = kCommit; m.PersistFirst {
			m.disk.prev, m.disk.boot, m.disk.next = m.disk.boot, p.tx, 0
		}
	}
	return true
}

func decide(m *moment) bool {
	p := m.me()
	if m.DisarmFirst && m.disarm() {
		return true
	}
	if !m.turn(confirming, p.seen.dl) {
		p.pc = kOver
		return true
	}
	p.ret, p.pc = kOutcome, pBegin
	return true
}

func over(m *moment) bool {
	if m.look() && m.file.decided() && !m.SayEarly {
		return m.revert(false, kOutcome)
	}
	m.goTo(kOutcome)
	return true
}

// outcome is what a host says of T: the state, or the history if somebody moved on.
func (m *moment) outcome(tx uint8) stage {
	if m.file.tx == tx {
		return m.file.st
	}
	if m.NoHistory {
		return reverted
	}
	return m.tx[tx].history
}

func sayOver(m *moment) bool {
	tx := m.me().tx
	switch st := m.outcome(tx); st {
	case confirmed:
		m.say(hearOverConfirmed)
		m.answered(tx, st)
	case reverted:
		m.say(hearOverReverted)
		m.answered(tx, st)
	case none:
		m.say(hearOverNone)
	default:
		if m.SayEarly && st == confirming {
			m.say(hearOverConfirmed)
			m.answered(tx, confirmed)
			break
		}
		m.say(hearOverLater)
	}
	return m.exit()
}

// move is the rename that moves the deadline, once new timers stand.
func move(m *moment) bool {
	p := m.me()
	if !m.turn(applied, p.seen.dl+1) {
		p.pc = kOutlived
		return true
	}
	m.clock = before
	m.say(hearExtended)
	p.pc = kWord
	return true
}

func refusedArm(m *moment) {
	if m.look() && m.file.st == applied {
		m.say(hearRefused)
		m.exit()
		return
	}
	m.goTo(kOutlived)
}

// outlived: T was decided while new timers were armed for it.
func outlived(m *moment) bool {
	if m.look() && m.file.decided() {
		return m.revert(false, kLeftOver)
	}
	m.goTo(kLeftOver)
	return true
}

func leftOver(m *moment) bool {
	if m.look() && !m.file.pending() && m.disarm() {
		return true
	}
	m.goTo(kOver)
	return true
}
