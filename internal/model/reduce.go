package model

// unseen is a step that nobody else can tell the time of, if there is one: whatever may come
// before it comes after it as well, so that only one order has to be gone through.
func (w *World) unseen(s *State, out []Step) []Step {
	for slot := uint8(1); slot < slots; slot++ {
		p := &s.proc[slot]
		if p.pc != 0 && !p.stopped && w.unnoticed(s, slot) {
			if out = w.process(s, slot, out); len(out) > 0 {
				return out
			}
		}
		if (p.load.st == born || p.load.st == written) && s.quiet() && s.file == p.load.as && s.rightful(slot) && !w.Unfenced {
			return w.loader(s, slot, out)
		}
	}
	for c := range s.ctl {
		if s.ctl[c].pc != 0 && s.ctl[c].in != silence {
			if out = w.hears(s, c, out); len(out) > 0 {
				return out
			}
		}
	}
	return out
}

// unnoticed says whether it does not matter when the next step of a process comes.
func (w *World) unnoticed(s *State, slot uint8) bool {
	p := &s.proc[slot]
	switch p.pc {
	case rLook, tWatch, kPending, kOver:
		// T is over, and stays so.
		return !w.AnyTx && (s.file.tx != p.tx || !s.file.pending())
	case rOwner:
		return s.file.owner != p.seen.owner
	case rTurn, rDrop, rOwned, rEnd, pTurn, pEnd, kCommit, kMove, bDeadline, bArmed, bApplied, bDrop, bDropDead:
		// The rename will fail: a name never comes back.
		return s.file != p.seen && !(w.CheckThenAct && p.pc == kCommit)
	case rPutBack, rForget, rRecord, rUnstage, pKeep, pBoot, pGen, pSync, pRead, pRecord:
		return s.quiet() && s.file == p.seen && s.rightful(slot)
	}
	return programs[p.pc].local
}

// quiet says that nothing can go wrong any more that could come between two steps.
func (s *State) quiet() bool {
	l := s.left
	return l.Kills == 0 && l.Reboots == 0 && l.Fails == 0 && l.Hangs == 0
}

// rightful says that a process has made the state what it is, and that nobody else acts as
// if it had.
func (s *State) rightful(slot uint8) bool {
	if s.file.owner != slot || !s.file.decided() || !s.alive(slot) {
		return false
	}
	for i := range s.proc {
		if p := &s.proc[i]; uint8(i) != slot && (p.pc >= rOld || p.load.alive()) {
			return false
		}
	}
	return true
}
