package simhost

import (
	"fmt"
	"time"
)

// The states in which somebody can meet a transaction. Those in between take no time
// here: a decision and what follows from it are one step.
const (
	staged   = "staged"
	armed    = "armed"
	applied  = "applied"
	done     = "confirmed"
	reverted = "reverted"
)

// transaction is what stands in R/tx/TX and in the name of the state file.
type transaction struct {
	id, state  string
	deadline   int // seconds of uptime; 0 before it is armed
	nonce      string
	seal       string // "" before the new rules run
	run, who   string
	stamp      string
	window     int // seconds
	remove     bool
	drill      bool // nobody confirms it
	exclusive  bool // home-made rules go
	rules      string
	policy     string
	seen       []string // SSH_CONNECTION of Begin and of everybody who was told the seal
	canon      string   // listing after apply
	before     string   // listing before
	unit       string   // how the boot unit was
	born       time.Time
	appliedUp  int
	timers     int
	beginsHere bool // its Begin still runs: nobody else may take it over
}

// over says whether nothing more happens to a transaction.
func (t *transaction) over() bool { return t.state == done || t.state == reverted }

// turn is one step of the state: it is written, and everybody who waits looks again.
func (h *Host) turn(state string) {
	if h.tx != nil {
		h.tx.state = state
	}
	h.step++
	h.write()
}

// write counts a change of what the host keeps or runs.
func (h *Host) write() {
	h.counts.Writes++
	close(h.changed)
	h.changed = make(chan struct{})
}

// arm sets the deadline and the timer that wakes then.
func (h *Host) arm(deadline int) {
	h.tx.deadline = deadline
	t := h.tx
	if h.timer != nil {
		h.timer.Stop()
	}
	at := h.fleet.began.Add(time.Duration(deadline) * time.Second)
	h.timer = time.AfterFunc(time.Until(at), func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.tx == t {
			h.revertDue(timer)
		}
	})
	h.write()
}

func (h *Host) due() bool { return h.tx.state == applied && h.up() >= h.tx.deadline }

// revertDue takes the transaction back if its deadline is over.
func (h *Host) revertDue(by string) {
	if h.due() {
		h.revert(by)
	}
}

// left is how many seconds there are until the deadline.
func (h *Host) left() int { return max(0, h.tx.deadline-h.up()) }

// Who takes back, as the host remembers of a drill.
const (
	timer = "timer"
	asked = "asked"
)

// drop ends a transaction whose rules never ran.
func (h *Host) drop() {
	h.unstage()
	h.turn(reverted)
}

// revert takes a transaction back: its rules if they ran, else what was prepared.
func (h *Host) revert(by string) {
	switch h.tx.state {
	case staged, armed:
		h.record("reverted (never applied)")
		h.drop()
	case applied:
		h.running = h.tx.before
		if h.tx.drill {
			h.record("drilled")
			h.lastDrill = fmt.Sprintf("%d %s %s %d %s", time.Now().Unix(), h.tx.id, h.tx.run, h.up()-h.tx.deadline, by)
		} else {
			h.record("reverted")
			h.lastRevert = fmt.Sprintf("%d %s %s", time.Now().Unix(), h.tx.id, h.tx.run)
		}
		h.unstage()
		h.turn(reverted)
	}
}

// unstage takes away what was prepared for a commit that will not be. The boot unit
// stays once there is something to boot.
func (h *Host) unstage() {
	if h.tx.unit == "absent" && h.boot == "" {
		h.unit = "absent"
	}
	h.disarm()
}

func (h *Host) disarm() {
	if h.timer != nil {
		h.timer.Stop()
	}
	h.tx.timers = 0
}

// persist makes an applied transaction last.
func (h *Host) persist() {
	t := h.tx
	h.disarm()
	if t.remove {
		h.record("removed")
		h.confirmed, h.lastRevert, h.lastDrill = confirmed{}, "", ""
		if h.unit != "none" {
			h.unit = "absent"
		}
		h.turn(done)
		h.tx = nil
		return
	}
	h.newest++
	h.boot, h.owner = t.rules, t.stamp
	if h.exclusive = t.exclusive; t.exclusive {
		h.home = ""
	}
	h.gens = append(h.gens, generation{
		rules: t.rules, policy: t.policy, canon: t.canon,
		meta: fmt.Sprintf("tx %s\nrun %s\nwhen %d\nby %s", t.id, t.run, time.Now().Unix(), t.who),
	})
	h.gens = h.gens[max(0, len(h.gens)-kept):]
	h.record("confirmed")
	h.turn(done)
}

// record adds to the history.
func (h *Host) record(outcome string) {
	h.history = append(h.history, fmt.Sprintf("%d %s %s %s %s", time.Now().Unix(), h.tx.id, outcome, h.tx.run, h.tx.who))
}
