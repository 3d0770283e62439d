package model

// The oracles. Those that look at a state alone are in judge; the others look at a step.

func (s *State) broken(i Invariant) {
	if s.bad == Held {
		s.bad = i
	}
}

// judge is I3 and I4 of the state as it is.
func (s *State) judge() {
	f := s.file
	undone := f.st == reverting && s.tx[f.tx].undo
	if s.rules != s.good && (s.rules != f.tx || f.st != applied && f.st != reverting) {
		s.broken(I3)
	}
	for _, d := range []store{s.disk, s.safe} {
		if d.boot != s.good && !(f.st == confirming && d.boot == s.tx[f.tx].old) && !(undone && d.boot == f.tx) {
			s.broken(I4)
		}
	}
}

// judgeTurn is I1 and I8, of a rename from was.
func (m *moment) judgeTurn(was name) {
	f := m.file
	t := &m.tx[f.tx]
	if was.tx != m.me().tx {
		m.broken(I8)
	}
	switch f.st {
	case confirming:
		if was.st != confirming && t.decided == toRevert {
			m.broken(I1)
		}
		if m.lockout && f.tx == 1 {
			m.broken(I9)
		}
		t.decided, m.good = toConfirm, f.tx
	case reverting, dropping:
		if t.decided == toConfirm {
			if !t.undo {
				m.broken(I1)
			}
			m.good = t.old
		}
		t.decided = toRevert
	case confirmed:
		if t.decided != toConfirm {
			m.broken(I1)
		}
	case reverted:
		if t.decided != toRevert {
			m.broken(I1)
		}
	}
	for i := range m.proc {
		// What is still loaded could come over the next one's rules.
		if l := &m.proc[i].load; !f.pending() && l.st == runs && l.as.tx == f.tx {
			m.broken(I8)
		}
	}
}

// judgeClaim is I6: nobody else's transaction is pending.
func (m *moment) judgeClaim(was name) {
	if was.pending() {
		m.broken(I6)
	}
}

// judgeHeld is I6 as well: a host is held by somebody who is there, or by timers.
func (m *moment) judgeHeld() {
	f := m.file
	if (f.st == staged || f.st == armed) && !m.alive(f.owner) || f.st == applied && m.clock >= due {
		m.broken(I6)
	}
}

// judgeTimers is I2, when a load of new rules begins.
func (m *moment) judgeTimers() {
	if m.t().proved < 2 {
		m.broken(I2)
	}
}

// judgeLate is I3: the deadline is over, and so is the time that the last timer needs.
func (s *State) judgeLate() {
	if t := &s.tx[s.file.tx]; s.file.st == applied && t.ran && s.rules != s.good && t.lost < 2 {
		s.broken(I3)
	}
}

// answered is I7: what the host says of a transaction that is over it says for ever.
func (m *moment) answered(tx uint8, st stage) {
	t := &m.tx[tx]
	if t.told != none && t.told != st || t.decided != toConfirm && st == confirmed || t.decided == toConfirm && st == reverted {
		m.broken(I7)
	}
	t.told = st
}

// judgeResult is I9: what a controller reports is so.
func (t *turnOf) judgeResult(c int, r result) {
	tx := &t.tx[t.ctl[c].tx]
	switch {
	case r == wasConfirmed && tx.decided != toConfirm,
		r == wasReverted && tx.decided != toRevert,
		r == wasFailed && tx.ran:
		t.broken(I9)
	}
}
