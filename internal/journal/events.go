package journal

import (
	"time"
	"unicode/utf8"
)

// Event is something that happens in a run. The types below are all there are; what
// they say is in docs/journal.md.
type Event interface{ kind() string }

// Wave is a wave that begins.
type Wave struct {
	Number int      `json:"wave"`
	Name   string   `json:"name"`
	Hosts  []string `json:"hosts"`
}

// Applying is a commit group that is about to be applied. It is to be on disk (Sync)
// before the first of its hosts is told to go on.
type Applying struct {
	Wave  int      `json:"wave"`
	Hosts []string `json:"hosts"`
}

// Applied is a host that runs its candidate and reverts at the deadline.
type Applied struct {
	Host     string    `json:"host"`
	Deadline time.Time `json:"deadline"`
}

// Proved is the evidence that a fresh connection got in under the new rules.
type Proved struct {
	Host    string   `json:"host"`
	Client  string   `json:"client"`       // ADDRESS:PORT of the fresh connection as the host saw it
	Server  string   `json:"server"`       // and of the host
	Timers  int      `json:"timers"`       // reverts that were still armed
	Left    float64  `json:"seconds_left"` // until the first of them would fire
	Probes  []string `json:"probes,omitempty"`
	Through []string `json:"through,omitempty"` // jump hosts, the first hop first
}

// Extended is a host whose reverts fire later than was said before.
type Extended struct {
	Host     string    `json:"host"`
	Deadline time.Time `json:"deadline"`
}

// What is decided about the hosts of a commit group.
const (
	Commit = "commit"
	Revert = "revert"
)

// Decision is what is decided about a commit group. It is to be on disk (Sync) before
// the first of its hosts is told a Commit.
type Decision struct {
	Decision string    `json:"decision"`
	Wave     int       `json:"wave"`
	Hosts    []Decided `json:"hosts"`
}

// Decided is one host of a decision. Nonce and seal let whoever holds them finish the
// transaction: they stand in the file of a run and are shown nowhere else.
type Decided struct {
	Host  string `json:"host"`
	TX    string `json:"tx,omitempty"`
	Nonce string `json:"nonce,omitempty"`
	Seal  string `json:"seal,omitempty"`
}

// Stopped is why no further host is begun, and by which hosts.
type Stopped struct {
	Why   string   `json:"why"`
	Hosts []string `json:"hosts,omitempty"`
}

// Interrupted is an interrupt: the first starts no new host, the second takes back
// what is not confirmed, the third leaves.
type Interrupted struct {
	Count int `json:"count"`
}

// Ended is how a host ended. Words and fields are those of apply -o json.
type Ended struct {
	Host        string    `json:"host"`
	Outcome     string    `json:"outcome"`
	Stage       string    `json:"stage"`
	Error       string    `json:"error"`
	Hint        string    `json:"hint"`
	Digest      string    `json:"digest"`
	Previous    string    `json:"previous"`
	Deadline    time.Time `json:"deadline,omitzero"` // of a host that is still pending
	Connections int       `json:"connections"`
	Execs       int       `json:"execs"`
	Seconds     float64   `json:"seconds"`
	Drift       bool      `json:"drift"`
	Notes       []string  `json:"notes,omitempty"`
	Late        *float64  `json:"late,omitempty"` // of a drill: seconds from the deadline until the old rules ran
}

// Again is a later command that goes on with the run, such as confirm or revert. What
// it does with hosts follows, and a done of its own.
type Again struct {
	Command string `json:"command"`
	Who     string `json:"who"`
	From    string `json:"from"`
	PID     int    `json:"pid"`
	Version string `json:"version"`
}

// Done is the end of the run, or of a command that went on with it.
type Done struct {
	Exit     int            `json:"exit"`
	Line     string         `json:"line"`     // why it is not 0, as the last line on stderr says
	Outcomes map[string]int `json:"outcomes"` // hosts by outcome; Finish counts them
}

// lost stands for lines that could not be kept.
type lost struct {
	Lines int `json:"lines"`
}

func (Header) kind() string      { return "run" }
func (Host) kind() string        { return "target" }
func (Wave) kind() string        { return "wave" }
func (Applying) kind() string    { return "applying" }
func (Applied) kind() string     { return "applied" }
func (Proved) kind() string      { return "proved" }
func (Extended) kind() string    { return "extended" }
func (Decision) kind() string    { return "decision" }
func (Stopped) kind() string     { return "stopped" }
func (Interrupted) kind() string { return "interrupted" }
func (Ended) kind() string       { return "ended" }
func (Again) kind() string       { return "again" }
func (Done) kind() string        { return "done" }
func (lost) kind() string        { return "lost" }

// How much of what others say is kept: texts of a host, of a person, and how many notes.
const (
	maxText  = 4 << 10
	maxNotes = 16
)

// bounded is an event whose line fits into maxLine whatever a host said, with times as
// they are told elsewhere: UTC, in whole seconds.
func bounded(e Event) Event {
	switch e := e.(type) {
	case Ended:
		e.Error, e.Hint, e.Notes = clip(e.Error), clip(e.Hint), clipAll(e.Notes)
		e.Deadline = second(e.Deadline)
		return e
	case Proved:
		e.Probes, e.Through = clipAll(e.Probes), clipAll(e.Through)
		return e
	case Applied:
		e.Deadline = second(e.Deadline)
		return e
	case Extended:
		e.Deadline = second(e.Deadline)
		return e
	case Stopped:
		e.Why = clip(e.Why)
		return e
	case Done:
		e.Line = clip(e.Line)
		return e
	case Again:
		e.Who = clip(e.Who)
		return e
	}
	return e
}

// public is an event without secrets.
func public(e Event) Event {
	d, ok := e.(Decision)
	if !ok {
		return e
	}
	hosts := make([]Decided, len(d.Hosts))
	for i, h := range d.Hosts {
		hosts[i] = Decided{Host: h.Host, TX: h.TX}
	}
	d.Hosts = hosts
	return d
}

func second(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Second)
}

// clip cuts a text where a character begins.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for end > maxText-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

func clipAll(list []string) []string {
	var kept []string
	for _, s := range list[:min(len(list), maxNotes)] {
		kept = append(kept, clip(s))
	}
	return kept
}
