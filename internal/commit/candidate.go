package commit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode"

	"fwpush/render"
)

// Candidate is what one host shall run, and on which conditions.
type Candidate struct {
	// Rules are the rules to run, unless the Verdict brings others, and Want is the
	// backend that is asked for, "" for the one that suits the host. With Remove there
	// are none: the commit takes ours away and, once confirmed, everything else of us.
	Want   render.Backend
	Rules  render.Ruleset
	Remove bool
	// Mode says what becomes of the host's home-made rules.
	Mode Mode
	// Policy is kept on the host beside the rules and told with the facts, unless it
	// is the same: one line of ASCII that this package does not look into.
	Policy string
	// Window is how long the new rules may run unconfirmed, in whole seconds.
	Window time.Duration
	// Timers is how many independent timers have to be proved before anything is
	// applied; 0 is 2.
	Timers int
	Stamp  Stamp
	// Judge decides on the host's own facts, before anything is changed there.
	Judge func(Facts) Verdict
	// Gate, if set, is waited for between check and apply, so that a group of
	// hosts is applied only when all of them are ready. An error stops this
	// host with nothing changed. It has to return soon after its context is done.
	Gate func(context.Context) error
	// Drill is for rules that nobody confirms: the host remembers their revert as a drill,
	// and leaves its boot unit alone.
	Drill bool
	// AcceptStuckRevert takes the running rules as the old ones when an
	// earlier revert cannot be finished.
	AcceptStuckRevert bool
}

// Stamp says on whose behalf a host is changed. It is kept on the host.
type Stamp struct {
	Run   string // YYYYMMDDThhmmssZ-xxxxxxxx
	Fleet string
	Host  string // the host's name in the fleet
	Actor string // who, for people
}

// who is the line a host keeps and other controllers read, and people on the host
// with cat: what does not print, or turns text around, goes.
func (s Stamp) who() string {
	line := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s.Actor)
	if len(line) > 200 {
		line = strings.ToValidUTF8(line[:200], "")
	}
	if line == "" {
		return "unknown"
	}
	return line
}

// owner is the line that says which fleet a host belongs to. The id is drawn
// when a host is first confirmed and stays with it.
func (s Stamp) owner(f Facts) (string, error) {
	id := ""
	if f.Owner != nil {
		id = f.Owner.ID
	}
	if id == "" {
		var err error
		if id, err = secret(); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d %s %s %s", protocol, s.Fleet, s.Host, id), nil
}

// Verdict is the answer to a host's facts.
type Verdict struct {
	Act   Act
	Rules render.Ruleset // to run, for Go; those of the Candidate if empty
	Stage Stage          // where a refusal belongs; StageInspect if empty
	Err   error          // why not, for Refuse
	Hint  string
}

// Act is what to do with a host.
type Act int

const (
	// Refuse leaves the host alone: the zero Verdict changes nothing.
	Refuse Act = iota
	// Unchanged leaves the host alone because it runs the candidate already.
	Unchanged
	// Go commits.
	Go
)

// secret draws 128 bits as 32 hex digits.
func secret() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("drawing random bits: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}
