package simhost

import (
	"time"

	"fwpush/internal/sshtest"
)

// Faults are what goes wrong with a host, until others are set.
type Faults struct {
	Unreachable Answer // every new login
	// LockOut is every new login while a candidate is in force that nobody has
	// confirmed. What is connected already stays, as with rules that let established
	// connections pass.
	LockOut Answer
	// Refuse is what nft says of the candidate when it is checked, Fail when it is
	// loaded; "" for nothing.
	Refuse, Fail string
	SlowFacts    time.Duration // before the first fact
	NoAt         bool          // atd does not run jobs, as far as a doctor is told
	// Lie rewrites what the host tells, line by line without the marker; nil: honest.
	Lie func(line string) string
	// Connection is what is wrong with the n-th connection to the host, counted from 1; nil
	// is nothing, or what the fields above say.
	Connection func(n int) sshtest.Fault
	// Command stands before each command: run is the host's own answer, with the streams that
	// x has by then. Program says what was asked for; nil: nobody stands there.
	Command func(program Program, x *sshtest.Exec, run func() sshtest.Exit) sshtest.Exit
}

// Program is what a host is asked to run.
type Program string

// The programs of package commit; Other is any other command.
const (
	Inspect Program = "inspect"
	Begin   Program = "begin"
	Doctor  Program = "doctor"
	Past    Program = "past"
	Confirm Program = "confirm"
	Tell    Program = "tell"
	Revert  Program = "revert"
	Other   Program = ""
)

// Answer is what becomes of a login.
type Answer string

// The answers. The zero Answer lets it in.
const (
	Refuse Answer = "refuse" // cut at once
	Hang   Answer = "hang"   // never answered
	Deny   Answer = "deny"   // the key is not taken
)

// SetFaults makes these the faults of the host.
func (h *Host) SetFaults(f Faults) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = f
}

// Faults are those of now.
func (h *Host) Faults() Faults { return h.fault() }

func (h *Host) fault() Faults {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.faults
}
