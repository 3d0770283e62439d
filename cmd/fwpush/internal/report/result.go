package report

import (
	"time"

	"fwpush/internal/rollout"
)

// Run is the one object that apply, diff, confirm, revert and remove
// print with -o json. Fields are only ever added.
type Run struct {
	Schema  int    `json:"schema"`
	Run     string `json:"run,omitempty"`
	Command string `json:"command"`
	Exit    int    `json:"exit"`
	Error   string `json:"error,omitempty"` // why it is not 0
	Hosts   []Host `json:"hosts"`
}

// Host is how one host ended.
type Host struct {
	Name        string   `json:"name"`
	Outcome     string   `json:"outcome"`
	Stage       string   `json:"stage"`
	Error       string   `json:"error"`
	Hint        string   `json:"hint"`
	Wave        int      `json:"wave"`
	Digest      string   `json:"digest"`
	Previous    string   `json:"previous"`
	Deadline    string   `json:"deadline"` // RFC 3339, UTC; "" where no timer is armed
	Connections int      `json:"connections"`
	Execs       int      `json:"execs"`
	Seconds     float64  `json:"seconds"`
	Diff        string   `json:"diff"`
	Drift       bool     `json:"drift"`
	Timers      []string `json:"timers,omitempty"` // that were proved before the rules were applied: at, systemd, watchdog
	Notes       []string `json:"notes,omitempty"`
	Meaning     []Flow   `json:"meaning,omitempty"` // of a diff
	Adopts      []string `json:"adopts,omitempty"`  // of a diff: home-made rules that would be taken away
	Late        *float64 `json:"late,omitempty"`    // of a drill: seconds from the deadline until the old rules ran, by the host's clock
	Like        string   `json:"like,omitempty"`    // of diff --between: the host that this one should be like, and is not
}

// Flow is one way that a change opens or closes, for programs.
type Flow struct {
	Kind      string `json:"kind"`      // opened, closed, unclear
	Direction string `json:"direction"` // input, output, forward
	Services  string `json:"services"`  // "tcp/80, tcp/443"
	Ends      string `json:"ends"`      // "from set:ops"
}

// HostOf is a result for programs, with the change of its rules as text.
func HostOf(r rollout.Result, diff string) Host {
	h := Host{
		Name: r.Name, Outcome: string(r.Outcome), Stage: string(r.Stage), Hint: r.Hint, Wave: r.Wave,
		Digest: r.Digest, Previous: r.Previous, Connections: r.Connections, Execs: r.Execs,
		Seconds: float64(r.Took.Milliseconds()) / 1000, Diff: diff, Drift: r.Drift, Timers: r.Timers, Notes: r.Notes,
	}
	if d := r.Drilled; d != nil {
		late := d.Late.Seconds()
		h.Late = &late
	}
	if r.Err != nil {
		h.Error = Cause(r)
	}
	if !r.Deadline.IsZero() {
		h.Deadline = r.Deadline.UTC().Format(time.RFC3339)
	}
	return h
}
