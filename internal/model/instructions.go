package model

// programs is every instruction, by its number.
var programs = [pcs]instruction{
	bSettle:   {anew: true, what: "Begin looks at the state", do: settle},
	bDropDead: {what: "Begin takes over from the dead: renames to dropping", do: dropDead},
	bFacts:    {what: "Begin tells the facts", do: facts},
	bGo: {local: true, what: "Begin hears the verdict", do: func(m *moment) bool {
		switch m.ask() {
		case silence:
			return false
		case sayGo:
			m.goTo(bClaim)
			return true
		}
		return m.exit()
	}},
	bClaim: {what: "Begin claims the host", do: claim},
	bStage: {what: "Begin stages, syncs and checks", do: stageAll, fail: failsTo(bDrop)},
	bWait:  {local: true, what: "Begin hears whether to apply", do: waitForGroup},
	bDeadline: {what: "Begin sets the deadline", do: func(m *moment) bool {
		if !m.turn(staged, 1) {
			m.goTo(bDrop)
			return true
		}
		m.clock = before
		m.goTo(bWatchdog)
		return true
	}},
	bWatchdog: {what: "Begin starts a watchdog, which proves itself", do: func(m *moment) bool { return m.arm(tWatch, bJob) }, fail: unproved(bJob)},
	bJob:      {what: "Begin queues a job for the deadline", do: jobOf, fail: unproved(bArmed)},
	bArmed: {what: "Begin renames to armed", do: func(m *moment) bool {
		if m.turn(armed, 1) {
			m.goTo(bApplied)
		} else {
			m.goTo(bDrop)
		}
		return true
	}},
	bApplied: {what: "Begin renames to applied", do: applyNew},
	bLoad:    {what: "Begin begins to load", do: loadNew},
	bLoading: {local: true, what: "Begin sees the load end", do: loadedNew},
	bMine:    {what: "Begin looks whether the state is still its own", do: mine},
	bSeal: {what: "Begin draws the seal", do: func(m *moment) bool {
		m.t().sealed = true
		m.goTo(bTell)
		return true
	}},
	bTell: {local: true, what: "Begin says applied", do: func(m *moment) bool {
		m.say(hearApplied)
		m.goTo(bLast)
		return true
	}},
	bLast: {anew: true, local: true, what: "Begin hears a last word", do: func(m *moment) bool {
		switch m.ask() {
		case silence:
			return false
		case sayRevert:
			return m.revert(false, bTaken)
		}
		return m.exit()
	}},
	bTaken:   {anew: true, what: "Begin says how its revert ended", do: takenBack},
	bDrop:    {what: "Begin drops what is staged", do: drop},
	bDropped: {anew: true, what: "Begin says dropped", do: dropped},

	kPending:  {anew: true, what: "looks whether it is pending", do: pending},
	kTell:     {what: "tells the state", do: tell},
	kSecrets:  {anew: true, what: "compares seal and age", do: secrets},
	kWord:     {anew: true, local: true, what: "hears a word", do: hear},
	kListing:  {anew: true, what: "compares the listing", do: compare},
	kStill:    {anew: true, what: "looks once more whether it is pending", do: still},
	kCommit:   {what: "renames to confirming", do: decide},
	kOver:     {anew: true, what: "looks how it ended", do: over},
	kOutcome:  {anew: true, what: "says how it ended", do: sayOver},
	kWatchdog: {what: "starts a new watchdog", do: func(m *moment) bool { return m.arm(tWatch, kJob) }, fail: refusedArm},
	kJob:      {what: "queues a new job", do: func(m *moment) bool { return m.arm(tQueued, kMove) }, fail: refusedArm},
	kMove:     {what: "renames to a later deadline", do: move},
	kOutlived: {anew: true, what: "has lost the race for the deadline", do: outlived},
	kLeftOver: {anew: true, what: "takes its new timers away", do: leftOver},

	tQueued: {anew: true, what: "atd runs the job", do: fire},
	tWatch:  {anew: true, what: "a timer wakes", do: watch},

	fStop:    {what: "stops the owner", do: stopFoe},
	fBrood:   {what: "ends what the owner has under way", do: brood},
	fKill:    {what: "ends the owner", do: kill},
	fLoaders: {what: "ends the loads that are written down", do: endLoaders},

	rLook:    {anew: true, what: "revert looks at the state", do: lookToRevert},
	rDrop:    {what: "renames to dropping", do: dropNever},
	rTurn:    {what: "renames to reverting", do: turnToRevert},
	rOwner:   {what: "sees that the owner is gone", do: ownerDone, hang: ownerHangs},
	rOwned:   {what: "takes over a decided state", do: takeOver},
	rOld:     {local: true, what: "begins to revert", do: old},
	rPutBack: {what: "puts the boot file back", do: putBack},
	rForget:  {what: "puts the generation back and syncs", do: forgetGen},
	rLoad:    {what: "begins to load the old rules", do: loadOld},
	rLoading: {local: true, what: "sees that load end", do: loadedOld},
	rRecord:  {what: "writes the history", do: record},
	rUnstage: {what: "removes what was staged", do: unstage},
	rDisarm:  {what: "takes a timer away", do: disarmAll(rEnd)},
	rEnd:     {what: "renames to reverted", do: endRevert},

	pBegin:  {local: true, what: "begins to make it last", do: beginPersist},
	pKeep:   {what: "links boot.prev", do: keep, fail: failsTo(pUndo)},
	pBoot:   {what: "renames the boot file in", do: moveBoot, fail: failsTo(pUndo)},
	pGen:    {what: "renames the generation in", do: moveGen, fail: failsTo(pUndo)},
	pSync:   {what: "syncs", do: syncDisk, fail: failsTo(pUndo)},
	pRead:   {what: "reads back", do: readBack},
	pRecord: {what: "writes the history", do: recordConfirmed},
	pDisarm: {what: "takes a timer away", do: disarmAll(pEnd)},
	pEnd:    {what: "renames to confirmed", do: endPersist},
	pUndo:   {what: "writes down that it failed", do: undo},
	pTurn:   {what: "renames to reverting: nothing can last", do: turnDecision},
}
