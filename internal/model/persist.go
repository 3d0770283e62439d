package model

// persist is scripts/persist.sh: each step may have been done by somebody who died.

func beginPersist(m *moment) bool {
	if m.t().undo {
		m.goTo(pUndo)
	} else {
		m.goTo(pKeep)
	}
	return true
}

func keep(m *moment) bool {
	if m.disk.next != m.me().tx {
		m.goTo(pGen)
		return true
	}
	m.disk.prev = m.disk.boot
	m.goTo(pBoot)
	return true
}

func moveBoot(m *moment) bool {
	if m.disk.next != m.me().tx {
		m.goTo(pUndo) // mv finds nothing
		return true
	}
	m.disk.boot, m.disk.next = m.me().tx, 0
	m.goTo(pGen)
	return true
}

func moveGen(m *moment) bool {
	if m.disk.nextGen == m.me().tx {
		m.disk.gen, m.disk.nextGen = m.me().tx, 0
	}
	m.goTo(pSync)
	return true
}

func syncDisk(m *moment) bool {
	if !m.NoSync {
		m.safe = m.disk
	}
	m.goTo(pRead)
	return true
}

func readBack(m *moment) bool {
	if tx := m.me().tx; m.disk.gen != tx || m.disk.boot != tx {
		m.goTo(pUndo)
		return true
	}
	m.goTo(pRecord)
	return true
}

func recordConfirmed(m *moment) bool {
	m.t().history = confirmed
	m.goTo(pDisarm)
	return true
}

func endPersist(m *moment) bool {
	m.turn(confirmed, 0)
	p := m.me()
	p.pc, p.ret = p.ret, halted
	return m.returned()
}

// undo is written before the state turns: whoever comes in between knows.
func undo(m *moment) bool {
	m.t().undo = true
	m.goTo(pTurn)
	return true
}

func turnDecision(m *moment) bool {
	p := m.me()
	if !m.turn(reverting, p.seen.dl) {
		p.pc = p.ret
		return m.returned()
	}
	p.pc = rOld
	return true
}

func failsTo(next pc) func(*moment) { return func(m *moment) { m.goTo(next) } }
