package model

// hear is a controller that takes in what it was told, or sees that nothing more will come.
func (t *turnOf) hear() bool {
	k := t.k()
	w := k.in
	if w == silence {
		if k.conn != 0 && t.alive(k.conn) && !t.proc[k.conn].cut {
			return false
		}
		return t.lost()
	}
	k.in = silence
	switch {
	case w == hearOverConfirmed:
		return t.end(wasConfirmed, "hears that it is confirmed")
	case w == hearOverReverted, w == hearReverted:
		return t.end(wasReverted, "hears that it is reverted")
	case w == hearOverNone:
		return t.inspect()
	}
	switch k.pc {
	case cFacts:
		if w == hearHeld {
			return t.end(wasLocked, "hears that the host is held")
		}
		return t.tell(sayGo, cStage, "hears the facts and says go")
	case cStage:
		switch w {
		case hearChecked:
			return t.tell(sayApply, cApplied, "hears checked and says apply")
		case hearHeld:
			return t.end(wasLocked, "hears that the host is held")
		}
		return t.end(wasFailed, "hears that it was dropped")
	case cApplied:
		if w == hearDropped {
			return t.end(wasFailed, "hears that it was dropped")
		}
		k.sealed, k.pc, t.what = true, cProve, "hears applied and the seal"
		k.conn = 0
		return true
	case cLearn:
		if w == hearState {
			k.sealed = true
		}
		t.hangUp()
		k.pc, t.what = cProve, "hears of the state"
	case cFresh:
		if w == hearFresh {
			k.pc, t.what = cDecide, "hears that it is fresh"
			return true
		}
		t.hangUp()
		k.pc, t.what = cProve, "hears no"
	case cExtend:
		k.pc, t.what = cDecide, "hears about the extension"
		if w != hearExtended {
			t.hangUp()
			k.pc = cAwait
		}
	case cCommit:
		if w == hearRefused {
			t.hangUp()
			k.pc, t.what = cTake, "hears that commit is refused"
			return true
		}
		return t.lost()
	default:
		return t.lost()
	}
	return true
}

// lost is what follows when no answer will come.
func (t *turnOf) lost() bool {
	k := t.k()
	switch k.pc {
	case cFacts:
		return t.end(wasUnreachable, "has lost the host")
	case cStage:
		return t.end(wasFailed, "has lost the host before it said apply")
	case cApplied, cLearn, cFresh, cAbort:
		if k.pc == cAbort {
			t.proc[beginSlot(t.c)].hangUp()
		}
		t.hangUp()
		k.pc, t.what = cProve, "has lost the connection"
	case cCommit, cLook, cExtend:
		if t.TrustLost && k.pc == cCommit {
			return t.end(wasConfirmed, "takes silence for success")
		}
		t.hangUp()
		k.pc, t.what = cAwait, "has lost the answer"
	case cRevert:
		t.hangUp()
		k.pc, t.what = cTake, "has lost the answer"
	default:
		return false
	}
	return true
}

// inspect: no word is left of T on the host, but what it stores and runs is.
func (t *turnOf) inspect() bool {
	k := t.k()
	switch {
	case t.disk.gen == k.tx && t.disk.boot == k.tx:
		return t.end(wasConfirmed, "finds its rules confirmed after a boot")
	case t.boots != k.boots && t.rules == k.before:
		return t.end(wasReverted, "finds the old rules after a boot")
	}
	return t.end(isUnknown, "cannot tell how it ended")
}
