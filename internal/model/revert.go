package model

// fire is atd running the job of the deadline. Its first word is whether D is there.
func fire(m *moment) bool {
	p := m.me()
	if m.file.pending() && m.file.tx == p.tx && m.clock < due {
		return false
	}
	if m.AnyTx {
		p.tx = m.file.tx
	}
	if !m.t().dir && !m.AnyTx {
		return m.exit()
	}
	p.pc, p.mem = tWatch, fired
	return true
}

// watch is what every timer does: it sleeps, and looks again.
func watch(m *moment) bool {
	p := m.me()
	if !m.look() || !p.seen.pending() {
		return m.exit()
	}
	if m.clock >= due || p.seen.decided() && !m.alive(p.seen.owner) {
		return m.revert(true, halted)
	}
	return false
}

// A fence stops a process, ends what that has under way, ends it, and then every load of T
// that is written down.

func stopFoe(m *moment) bool {
	p := m.me()
	if !m.alive(p.foe) {
		p.foe, p.pc = 0, fLoaders
		return true
	}
	m.proc[p.foe].stopped = true
	p.pc = fBrood
	return true
}

func brood(m *moment) bool {
	m.endLoad(m.me().foe)
	m.goTo(fKill)
	return true
}

func kill(m *moment) bool {
	p := m.me()
	m.die(p.foe)
	p.foe, p.pc = 0, fLoaders
	return true
}

func endLoaders(m *moment) bool {
	p := m.me()
	for slot := uint8(1); slot < slots; slot++ {
		if m.t().loaders&(1<<slot) != 0 {
			m.endLoad(slot)
		}
	}
	p.pc, p.back = p.back, halted
	return true
}

// done is where a revert ends.
func (m *moment) done() bool {
	p := m.me()
	if p.then == halted {
		return m.exit()
	}
	p.pc, p.then = p.then, halted
	return true
}

func lookToRevert(m *moment) bool {
	p := m.me()
	if !m.look() {
		return m.done()
	}
	early := p.atDue && m.clock < due
	switch p.seen.st {
	case staged, armed:
		if early {
			return m.notYet()
		}
		p.pc = rDrop
	case applied:
		if early {
			return m.notYet()
		}
		p.pc = rTurn
	case confirming, reverting, dropping:
		p.pc = rOwner
	default:
		return m.done()
	}
	return true
}

// notYet: a timer sleeps on.
func (m *moment) notYet() bool {
	if isTimer(m.slot) {
		m.goTo(tWatch)
		return true
	}
	return m.done()
}

func dropNever(m *moment) bool {
	p := m.me()
	if !m.turn(dropping, 0) {
		p.pc = rLook
		return true
	}
	p.ret, p.then, p.pc = p.then, halted, rRecord
	return true
}

// turnToRevert decides, and only then ends whoever loads: either that one sees the turn,
// or is seen.
func turnToRevert(m *moment) bool {
	p := m.me()
	was := p.seen.owner
	if !m.turn(reverting, p.seen.dl) {
		p.pc = rLook
		return true
	}
	p.ret, p.then = p.then, halted
	return m.fence(was, rOld)
}

// ownerDone waits for whoever is at a decided state.
func ownerDone(m *moment) bool {
	p := m.me()
	owner := p.seen.owner
	switch {
	case m.file.owner != owner || m.file.tx != p.tx && !m.AnyTx:
		p.pc = rLook
	case owner == m.slot || !m.alive(owner), m.proc[owner].stopped: // by somebody who died over it
		return m.fence(owner, rOwned)
	default:
		return false
	}
	return true
}

// ownerHangs is an owner that had its time.
func ownerHangs(m *moment) bool {
	p := m.me()
	if owner := p.seen.owner; m.file.owner == owner && owner != m.slot && m.alive(owner) {
		if isTimer(owner) {
			m.tx[m.file.tx].lost++
		}
		return m.fence(owner, rOwned)
	}
	return false
}

func takeOver(m *moment) bool {
	p := m.me()
	st, was := p.seen.st, p.seen.owner
	dl := p.seen.dl
	if st == dropping {
		dl = 0
	}
	if !m.turn(st, dl) {
		p.pc = rLook
		return true
	}
	if st == confirming {
		p.ret, p.pc = rLook, pBegin
		return true
	}
	p.ret, p.then = p.then, halted
	switch st {
	case dropping:
		p.pc = rRecord
	default:
		if m.FenceEarly {
			p.pc = rOld
			return true
		}
		return m.fence(was, rOld)
	}
	return true
}

// old begins finish_revert.
func old(m *moment) bool {
	if m.t().undo {
		m.goTo(rPutBack)
	} else {
		m.goTo(rLoad)
	}
	return true
}

func putBack(m *moment) bool {
	p := m.me()
	if m.disk.next != p.tx && m.disk.boot == p.tx && (m.disk.gen == p.tx || m.disk.nextGen == p.tx) {
		m.disk.boot, m.disk.prev = m.disk.prev, 0
	}
	p.pc = rForget
	return true
}

// forgetGen takes the generation back, and syncs: its number is that of the rules before.
func forgetGen(m *moment) bool {
	p := m.me()
	if m.disk.gen == p.tx {
		m.disk.gen = m.disk.boot
	}
	if m.disk.nextGen == p.tx {
		m.disk.nextGen = 0
	}
	m.safe = m.disk
	p.pc = rLoad
	return true
}

func loadOld(m *moment) bool { return m.launch(m.t().old, rLoading) }

func loadedOld(m *moment) bool {
	l, ok := m.landed()
	switch {
	case !ok:
		return false
	case l == gone: // somebody has taken over
		m.me().pc = m.me().ret
		return m.returned()
	case l != loaded:
		m.goTo(rLoad)
	default:
		m.goTo(rRecord)
	}
	return true
}

// returned: a timer has nowhere to return to.
func (m *moment) returned() bool {
	if m.me().pc == halted {
		return m.exit()
	}
	return true
}

func record(m *moment) bool {
	m.t().history = reverted
	m.goTo(rUnstage)
	return true
}

func unstage(m *moment) bool {
	p := m.me()
	if m.disk.next == p.tx {
		m.disk.next = 0
	}
	if m.disk.nextGen == p.tx {
		m.disk.nextGen = 0
	}
	p.pc = rDisarm
	return true
}

func disarmAll(end pc) func(*moment) bool {
	return func(m *moment) bool {
		if !m.disarm() {
			m.goTo(end)
		}
		return true
	}
}

func endRevert(m *moment) bool {
	m.turn(reverted, 0)
	p := m.me()
	p.pc, p.ret = p.ret, halted
	return m.returned()
}
