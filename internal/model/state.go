package model

// Everything that acts on a host has a slot for its process, so that "the owner of this
// step" is a small number. A slot is taken again only when nothing refers to it.
const (
	maxControllers = 3
	firstTimer     = 1 + 3*maxControllers // after one Begin and two finish programs of each
	timerSlots     = 4                    // two generations of two
	visitor        = firstTimer + timerSlots
	slots          = visitor + 1
	txs            = maxControllers + 2 // 0 is none, the last one the visitor's
)

type stage uint8

const (
	none stage = iota
	staged
	armed
	applied
	confirming
	confirmed
	reverting
	reverted
	dropping
)

var stageNames = [...]string{"none", "staged", "armed", "applied", "confirming", "confirmed", "reverting", "reverted", "dropping"}

// name is that of the state file, S.TX.STATE.DEADLINE.PID.START: the zero name is no file.
// A deadline is the number of its timers' generation; what is left of it is State.clock.
type name struct {
	tx    uint8
	st    stage
	dl    uint8
	owner uint8
}

func (n name) pending() bool { return n.tx != 0 && n.st != confirmed && n.st != reverted }

// decided is a state that anybody finishes.
func (n name) decided() bool { return n.st == confirming || n.st == reverting || n.st == dropping }

// store is what of B a power cut may take back to how it was synced last.
type store struct {
	boot, prev uint8 // whose rules boot.nft and boot.prev are
	next       uint8 // whose B/boot.TX is there
	gen        uint8 // whose the newest generation is
	nextGen    uint8 // whose B/gen/.TX is there
}

type clock uint8

const (
	idle   clock = iota // nothing is pending that has a deadline
	before              // the deadline
	due
	late // each timer that lives has had its time since
)

// decision is a ghost: what was decided of a transaction, as nobody on the host can see it.
type decision uint8

const (
	open decision = iota
	toConfirm
	toRevert
)

// txn is what there is of one transaction in D, in B, and in the ghosts.
type txn struct {
	old     uint8 // D/old.nft
	dir     bool  // D is there
	undo    bool
	sealed  bool
	timers  uint8  // D/timers: bits of timer slots
	loaders uint16 // D/loader: bits of slots whose loader stands there
	history stage  // its line in B/history: confirmed, reverted or none

	proved  uint8 // ghost: how many timers really stood when they were armed
	lost    uint8 // ghost: how many of them something has killed
	decided decision
	told    stage // ghost: what the host has said about how it ended
	ran     bool  // ghost: its rules have run
}

// State is a host, its controllers, and what may still go wrong.
type State struct {
	file  name
	rules uint8 // whose rules run
	disk  store // as a program sees it
	safe  store // as a power cut leaves it at worst
	clock clock
	boots uint8
	tx    [txs]txn
	proc  [slots]proc
	ctl   [maxControllers]controller

	good    uint8 // ghost: whose rules were confirmed last
	lockout bool  // the candidate of the first controller lets nobody in
	left    Faults
	bad     Invariant // what the last step has broken
}

// Faults is how often each thing may go wrong, and how often a controller changes its mind.
type Faults struct {
	Kills   uint8 // kill -9 of a shell, an nft or a controller
	Cuts    uint8 // a connection breaks, and what was said on it last is lost
	Misses  uint8 // a controller waits in vain, or nobody answers when it dials
	Reboots uint8 // power cuts; what was not synced may be lost
	Fails   uint8 // a timer does not come, a load fails, a disk does
	Hangs   uint8 // a live owner of a decided state is found hanging
	Wishes  uint8 // extend, or revert instead of commit
}

// Invariant is one of protocol.md; 0 is none of them.
type Invariant uint8

// Invariants.
const (
	Held Invariant = iota
	I1
	I2
	I3
	I4
	I5
	I6
	I7
	I8
	I9
)

var invariants = [...]string{"none", "I1 one decision", "I2 two proved timers", "I3 running rules", "I4 boot file", "I5 boot",
	"I6 one pending, and it ends", "I7 same answer", "I8 other transactions", "I9 success"}

func (i Invariant) String() string { return invariants[i] }

// proc is a shell with one of our programs.
type proc struct {
	pc      pc    // what it does next; 0 is no process
	then    pc    // where it goes on after a revert
	ret     pc    // after persist or the revert's end
	back    pc    // after the fence
	tx      uint8 // T, what it acts on
	seen    name  // NAME, as it has found or made the state file
	foe     uint8 // whom it fences
	mem     uint8 // Begin: what ran when it told the facts
	in      word  // from the controller
	atDue   bool  // revert due, not now
	stopped bool
	cut     bool // the connection is gone
	stale   bool // the connection is older than the new rules
	load    loader
}

// loader is the child of a shell that is to become nft. It outlives a shell that is killed.
type loader struct {
	st   loading
	what uint8
	as   name
}

type loading uint8

const (
	noLoad loading = iota
	born
	written // in D/loader
	runs    // nft, which has seen the state
	loaded
	failed // or killed
	gone   // the state was another one: nothing was loaded
)

func (l loader) alive() bool { return l.st == born || l.st == written || l.st == runs }

// Slots.
func beginSlot(c int) uint8       { return uint8(1 + 3*c) }
func controllerOf(slot uint8) int { return int(slot-1) / 3 }
func isTimer(slot uint8) bool     { return slot >= firstTimer && slot < visitor }

// ownTx is the transaction of a Begin.
func ownTx(slot uint8) uint8 {
	if slot == visitor {
		return txs - 1
	}
	return uint8(controllerOf(slot) + 1)
}

func (s *State) alive(slot uint8) bool { return s.proc[slot].pc != 0 }

// free says whether a slot may have a new process: nothing could take it for the old one.
func (s *State) free(slot uint8) bool {
	if s.proc[slot] != (proc{}) || s.file.owner == slot {
		return false
	}
	for i := range s.proc {
		if p := &s.proc[i]; p.foe == slot || p.seen.owner == slot || p.load.as.owner == slot {
			return false
		}
	}
	return true
}

// freeTimer is a slot for a timer, 0 if all are taken.
func (s *State) freeTimer() uint8 {
	for slot := uint8(firstTimer); slot < visitor; slot++ {
		if s.free(slot) {
			return slot
		}
	}
	return 0
}

// die ends a process; its loader lives on.
func (s *State) die(slot uint8) {
	load := s.proc[slot].load
	if !load.alive() {
		load = loader{}
	}
	s.proc[slot] = proc{load: load}
}
