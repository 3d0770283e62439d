package past

import (
	"maps"
	"time"

	"fwpush/internal/journal"
)

// History is the object of history -o json.
type History struct {
	Schema  int     `json:"schema"`
	Command string  `json:"command"`
	Exit    int     `json:"exit"`
	Error   string  `json:"error,omitempty"` // why it is not 0
	Runs    []Entry `json:"runs"`
}

// Entry is one run of history -o json. Fields are only ever added.
type Entry struct {
	Run      string         `json:"run"`
	State    string         `json:"state"` // running, finished, died, unreadable
	Command  string         `json:"command"`
	Began    string         `json:"began"` // RFC 3339, UTC
	Ended    string         `json:"ended"` // "" unless finished
	Who      string         `json:"who"`
	From     string         `json:"from"`
	PID      int            `json:"pid"`
	Version  string         `json:"version"`
	Fleet    string         `json:"fleet"`
	File     string         `json:"file"`
	Digest   string         `json:"digest"` // of the fleet file and what it reads
	Commit   string         `json:"git_commit"`
	Exit     *int           `json:"exit"` // null unless finished
	Line     string         `json:"line"`
	Outcomes map[string]int `json:"outcomes"`
	NotEnded int            `json:"not_ended"` // hosts whose end is not known
	Error    string         `json:"error,omitempty"`

	began, ended time.Time
}

// Shown is the object of history show -o json.
type Shown struct {
	Schema  int     `json:"schema"`
	Command string  `json:"command"`
	Exit    int     `json:"exit"`
	Error   string  `json:"error,omitempty"`
	Record  *Record `json:"record"`
}

// Record is a run with all that is recorded of it but the secrets.
type Record struct {
	Entry
	Options    map[string]string `json:"options"`
	Waves      []journal.Wave    `json:"waves"`
	Stopped    []journal.Stopped `json:"stopped"`
	Interrupts int               `json:"interrupts"`
	Again      []journal.Again   `json:"again"` // commands that went on with the run
	Damaged    int               `json:"damaged_lines"`
	Lost       int               `json:"lost_lines"`
	Hosts      []Host            `json:"hosts"`
}

// Host is one host of a past run. Outcome is "" for one whose end is not known.
type Host struct {
	Name        string           `json:"name"`
	Wave        int              `json:"wave"`
	Outcome     string           `json:"outcome"`
	Stage       string           `json:"stage"`
	Error       string           `json:"error"`
	Hint        string           `json:"hint"`
	Digest      string           `json:"digest"`
	Previous    string           `json:"previous"`
	Deadline    string           `json:"deadline"` // when it was to revert, as last heard
	Connections int              `json:"connections"`
	Execs       int              `json:"execs"`
	Seconds     float64          `json:"seconds"`
	Drift       bool             `json:"drift"`
	Notes       []string         `json:"notes,omitempty"`
	Remove      bool             `json:"remove"`
	Begun       bool             `json:"begun"`    // something may have changed on it
	Decision    string           `json:"decision"` // commit, revert, "" for none
	TX          string           `json:"tx"`
	Proof       *Proof           `json:"proof"` // null where no fresh connection got in
	SSH         journal.Endpoint `json:"ssh"`
}

// Proof is the evidence of a confirm.
type Proof struct {
	Client  string   `json:"client"`
	Server  string   `json:"server"`
	Timers  int      `json:"timers"`
	Left    float64  `json:"seconds_left"`
	Probes  []string `json:"probes"`
	Through []string `json:"through"`
}

// EntryOf is a run of a list, or what can be told of one that cannot be read.
func EntryOf(s journal.Summary, err error) Entry {
	if err != nil {
		return Entry{Run: s.Run, State: "unreadable", Error: err.Error(), Outcomes: map[string]int{}}
	}
	return entryOf(s.Header, s.State, s.Began, s.Ended, s.Done, s.Outcomes)
}

func entryOf(h journal.Header, state journal.State, began, end time.Time, done *journal.Done, outcomes map[string]int) Entry {
	p := Entry{
		Run: h.Run, State: string(state), Command: h.Command, Began: stamp(began), Ended: stamp(end), Who: h.Who, From: h.From, PID: h.PID,
		Version: h.Version, Fleet: h.Fleet, File: h.File, Digest: h.Digest, Commit: h.Commit, Outcomes: map[string]int{}, began: began, ended: end,
	}
	for outcome, n := range outcomes {
		if outcome == "" {
			p.NotEnded = n
		} else {
			p.Outcomes[outcome] = n
		}
	}
	if done != nil {
		p.Exit, p.Line = &done.Exit, done.Line
	}
	return p
}

// RecordOf is a record for programs.
func RecordOf(r journal.Record) Record {
	outcomes := map[string]int{}
	p := Record{Options: map[string]string{}, Interrupts: r.Broken, Damaged: r.Damaged, Lost: r.Lost,
		Waves: append([]journal.Wave{}, r.Waves...), Stopped: append([]journal.Stopped{}, r.Stops...), Again: append([]journal.Again{}, r.Again...),
		Hosts: []Host{}}
	maps.Copy(p.Options, r.Options)
	for _, h := range r.Hosts {
		p.Hosts = append(p.Hosts, hostOf(h))
		outcomes[h.Outcome()]++
	}
	p.Entry = entryOf(r.Header, r.State, r.Began, r.Ended, r.Done, outcomes)
	return p
}

func hostOf(h journal.HostRecord) Host {
	p := Host{Name: h.Name, Wave: h.Wave, Digest: h.Digest, Remove: h.Remove, Deadline: stamp(h.Deadline),
		Begun: h.Begun, Decision: h.Decision, TX: h.Decided.TX, SSH: h.SSH}
	if e := h.Ended; e != nil {
		p.Outcome, p.Stage, p.Error, p.Hint, p.Previous = e.Outcome, e.Stage, e.Error, e.Hint, e.Previous
		p.Connections, p.Execs, p.Seconds, p.Drift, p.Notes = e.Connections, e.Execs, e.Seconds, e.Drift, e.Notes
		if e.Digest != "" { // a host may have taken another backend's
			p.Digest = e.Digest
		}
	}
	if e := h.Proved; e != nil {
		p.Proof = &Proof{Client: e.Client, Server: e.Server, Timers: e.Timers, Left: e.Left,
			Probes: append([]string{}, e.Probes...), Through: append([]string{}, e.Through...)}
	}
	return p
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
