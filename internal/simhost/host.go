package simhost

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"fwpush/internal/sshtest"
	"fwpush/render"
)

// Host is one simulated host. Its methods may be called concurrently.
type Host struct {
	fleet  *Fleet
	name   string
	addr   netip.AddrPort
	bootID string

	mu      sync.Mutex
	changed chan struct{} // closed, and a new one made, when the state changes
	faults  Faults
	counts  Counts

	running string // listing of what runs of ours
	foreign string // base chains of others, as nft lists them
	others  string // what the section foreign tells of them
	home    string // home-made rules, as iptables -S prints them
	confirmed
	unit       string // ok, differs, disabled, absent, none
	lastRevert string
	lastDrill  string
	history    []string

	tx    *transaction // what the state file tells of; nil if there is none
	step  int          // the name of the state file: each step makes another
	timer *time.Timer  // of tx, while it is armed
}

// confirmed is what a confirm makes last and a removal takes away.
type confirmed struct {
	boot      string // the boot file; "" if there is none
	owner     string
	newest    int // number of the last of gens
	gens      []generation
	exclusive bool // a boot takes home-made rules away
}

// generation is one confirmed ruleset as the host keeps it.
type generation struct {
	rules, policy, canon, meta string
}

// Counts are what was done on a host so far.
type Counts struct {
	Connections int // TCP connections accepted
	Execs       int // commands run
	Writes      int // changes of state: files, rules, timers
}

// kept is how many generations a host keeps.
const kept = 5

func newHost(f *Fleet, name string, addr netip.AddrPort) *Host {
	h := &Host{fleet: f, name: name, addr: addr, bootID: draw(), unit: "none", changed: make(chan struct{})}
	if f.options.Systemd {
		h.unit = "absent"
	}
	return h
}

// draw draws 128 bits as hex digits. (crypto/rand.Read cannot fail.)
func draw() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Name is the host's name.
func (h *Host) Name() string { return h.name }

// Addr is where its sshd listens.
func (h *Host) Addr() netip.AddrPort { return h.addr }

// Counts tells what was done so far.
func (h *Host) Counts() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counts
}

// Running is the listing of what runs of ours, "" if nothing does.
func (h *Host) Running() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running
}

// Confirmed is the text of the newest confirmed generation and its number, 0 if
// there is none.
func (h *Host) Confirmed() (text string, generation int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last().rules, h.newest
}

// History is one line per transaction: "EPOCH TX OUTCOME RUN WHO".
func (h *Host) History() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.history)
}

// State is that of the last transaction: staged, armed, applied, confirmed or
// reverted; none where there is none.
func (h *Host) State() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state()
}

func (h *Host) state() string {
	if h.tx == nil {
		return "none"
	}
	return h.tx.state
}

// Await waits until the last transaction is in one of some states. The error is that of ctx and
// tells in which it is.
func (h *Host) Await(ctx context.Context, states ...string) error {
	for {
		h.mu.Lock()
		now, changed := h.state(), h.changed
		h.mu.Unlock()
		if slices.Contains(states, now) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%s is %s, not %s: %w", h.name, now, strings.Join(states, " or "), ctx.Err())
		}
	}
}

// Edit changes what runs behind the back of fwpush.
func (h *Host) Edit(edit func(listing string) string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running = edit(h.running)
}

// SetForeign sets the base chains of others, as `nft list chains` prints them.
func (h *Host) SetForeign(chains string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.foreign = chains
}

// SetListings sets what the section foreign tells of them (scripts/others.sh).
func (h *Host) SetListings(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.others = text
}

// SetHome makes home-made rules, as iptables -S prints them. A host in mode exclusive loses
// them with what it confirms.
func (h *Host) SetHome(rules string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.home = rules
}

// SetUnit says how the boot unit is found: ok, differs, disabled or absent.
func (h *Host) SetUnit(state string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unit = state
}

// Hold has another run hold the host for so long, in whole seconds: a transaction of
// its own that would confirm once more what is confirmed, and takes itself back unless
// somebody does.
func (h *Host) Hold(run, who string, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer != nil {
		h.timer.Stop()
	}
	h.tx = &transaction{
		id: draw(), state: applied, nonce: draw(), seal: draw(), run: run, who: who, window: int(d / time.Second),
		seen: []string{"192.0.2.99 40000 " + h.addr.Addr().String() + " 22"}, canon: h.running, before: h.running,
		rules: h.boot, policy: h.last().policy, stamp: h.owner, unit: h.unit, born: time.Now(), appliedUp: h.up(), timers: 2,
	}
	h.step++
	h.arm(h.up() + h.tx.window)
}

// last is the newest generation.
func (h *Host) last() generation {
	if len(h.gens) == 0 {
		return generation{}
	}
	return h.gens[len(h.gens)-1]
}

// up is the host's uptime in seconds, on which deadlines count.
func (h *Host) up() int { return int(time.Since(h.fleet.began) / time.Second) }

// stop ends the timers, with the test.
func (h *Host) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer != nil {
		h.timer.Stop()
	}
}

// listing is how the host lists a text that it has loaded: nft prints no commands,
// and iptables-save is printed in the form of the text already.
func listing(text string) string {
	if render.BackendOf(text) == render.BackendIptables {
		return text
	}
	return strings.TrimPrefix(text, header)
}

// header is what every text for nft begins with.
const header = "add table inet fwpush\ndelete table inet fwpush\n"

// knock counts a new connection and says what goes wrong with it.
func (h *Host) knock() sshtest.Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts.Connections++
	if h.faults.Connection != nil {
		return h.faults.Connection(h.counts.Connections)
	}
	how := h.faults.Unreachable
	if how == "" && h.tx != nil && h.tx.state == applied {
		how = h.faults.LockOut
	}
	switch how {
	case Refuse:
		return sshtest.Fault{At: sshtest.Accept, Do: sshtest.Drop}
	case Hang:
		return sshtest.Fault{At: sshtest.Accept, Do: sshtest.Hang}
	case Deny:
		return sshtest.Fault{At: sshtest.Auth, Do: sshtest.Refuse}
	}
	return sshtest.Fault{}
}
