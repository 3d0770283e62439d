package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/render"
)

// Statuses is the object of status -o json.
type Statuses struct {
	Schema  int      `json:"schema"`
	Command string   `json:"command"`
	Exit    int      `json:"exit"`
	Error   string   `json:"error,omitempty"` // why it is not 0
	Hosts   []Status `json:"hosts"`
}

// Status is one host of status -o json. Fields are only ever added.
type Status struct {
	Name       string   `json:"name"`
	Outcome    string   `json:"outcome"`
	Error      string   `json:"error"`
	Hint       string   `json:"hint"`
	Generation int      `json:"generation"` // 0: nothing is confirmed
	Since      string   `json:"since"`      // when it was confirmed, RFC 3339
	Run        string   `json:"run"`        // the run that confirmed it
	Digest     string   `json:"digest"`     // of the confirmed rules
	Running    string   `json:"running"`    // the same where those run, else of the host's own listing
	Boot       string   `json:"boot"`       // ok, differs, disabled, none
	Timers     []string `json:"timers"`     // kinds on offer
	Backend    string   `json:"backend"`
	Fleet      string   `json:"fleet"`
	Pending    *Pending `json:"pending"`
	LastRevert string   `json:"last_revert"` // when a revert last fired, RFC 3339
	LastDrill  *Drill   `json:"last_drill"`  // null if there was none
	Tracked    int      `json:"tracked"`     // connections that the kernel tracks
	Trackable  int      `json:"trackable"`   // and how many it can
	Notes      []string `json:"notes,omitempty"`

	deadline time.Time
	shared   string // what of Error and Hint hosts may have in common
}

// Drill is the last time that a host was to take rules back by itself, to prove that it does.
type Drill struct {
	When    string  `json:"when"` // when it was over, RFC 3339
	Run     string  `json:"run"`
	Seconds float64 `json:"seconds"` // from the deadline until the old rules ran
	Proved  bool    `json:"proved"`  // a timer did it, in time, and what ran before runs
}

// Pending is a transaction that waits for its confirm or its deadline.
type Pending struct {
	Run      string `json:"run"`
	TX       string `json:"tx"`
	State    string `json:"state"`
	By       string `json:"by"`
	From     string `json:"from"`
	Deadline string `json:"deadline"` // on this machine's clock, RFC 3339
}

// StatusOf judges what a host told. All of it is the host's word.
func StatusOf(r rollout.Result, now time.Time) Status {
	h := Status{Name: r.Name, Outcome: string(r.Outcome), Hint: r.Hint, Digest: r.Previous, Notes: r.Notes, Timers: []string{}}
	if r.Err != nil {
		h.Error = Cause(r)
		cause, hint := Common(r)
		h.shared = strings.TrimSuffix(cause+"; "+hint, "; ")
	}
	if r.Facts == nil {
		return h
	}
	f := *r.Facts
	h.Generation, h.Boot, h.Backend = f.Generation, bootState(f), backend(f)
	h.Run, h.Since = f.Meta["run"], instant(f.Meta["when"])
	h.Timers = append(h.Timers, timersOf(f)...)
	h.Tracked, h.Trackable = f.Tracked, f.Trackable
	if f.LastRevert != nil {
		h.LastRevert = f.LastRevert.When.UTC().Format(time.RFC3339)
	}
	if d := f.LastDrill; d != nil {
		h.LastDrill = &Drill{When: d.When.UTC().Format(time.RFC3339), Run: d.Run, Seconds: d.Late.Seconds(), Proved: d.Proved()}
	}
	if f.Owner != nil {
		h.Fleet = f.Owner.Fleet
	}
	if drifted, known := f.Drifted(); known && !drifted {
		h.Running = h.Digest
	} else if f.Running != "" {
		sum := sha256.Sum256([]byte(render.Canonical(f.Running)))
		h.Running = "sha256:" + hex.EncodeToString(sum[:])
	}
	if p := f.Pending; p != nil {
		h.deadline = now.Add(p.Left)
		h.Pending = &Pending{Run: p.Run, TX: p.TX, State: p.State, By: p.Who, From: p.From, Deadline: h.deadline.UTC().Format(time.RFC3339)}
	}
	if h.Outcome == "" {
		h.Outcome = stateOf(f)
	}
	if h.Outcome == "pending" && h.Hint == "" {
		run := ui.Shell(h.Pending.Run)
		h.Hint = fmt.Sprintf("fwpush confirm %s keeps what runs, fwpush revert %s takes it back", run, run)
	}
	return h
}

// removal is what takes hosts off; HOST stands for their names.
const removal = "fwpush remove HOST"

// LeftBehind is the status of a host that the fleet file does not name any more.
func (h Status) LeftBehind(fleet string) Status {
	const take = removal + " takes its rules off"
	switch {
	case h.Outcome == "absent":
		h.Hint = "nothing of fwpush is there any more; " + removal + " takes it off the list"
	case h.Fleet != "" && h.Fleet != fleet:
		h.Notes = append(h.Notes, "not named in the file, and of another fleet by now")
	case h.Outcome == "unreachable":
		h.Outcome = "left-behind"
		h.Hint = "when it can be reached, " + take
	case h.Fleet == fleet:
		h.Outcome = "left-behind"
		h.Hint = "name it in the file again, or " + take
	}
	h.shared = strings.TrimSuffix(strings.TrimPrefix(h.Error+"; "+h.Hint, "; "), "; ")
	h.Hint = removing(h.Hint, []string{h.Name})
	return h
}

// removing names hosts in a text about their removal.
func removing(text string, hosts []string) string {
	return strings.ReplaceAll(text, removal, "fwpush remove "+ui.Shell(inventory.Fold(hosts)))
}

func stateOf(f commit.Facts) string {
	drifted, known := f.Drifted()
	switch {
	case f.Pending != nil && f.Pending.Open:
		return "open"
	case f.Pending != nil && f.Pending.State == "reverting":
		return "stuck"
	case f.Pending != nil:
		return "pending"
	case f.Generation == 0 && f.Running == "":
		return "absent"
	case f.Generation == 0, drifted: // a table that no fleet confirmed is somebody's edit too
		return "drift"
	case !known && f.Running == "":
		return "drift"
	case f.Exclusive && len(f.Home)+len(f.HomeStuck) > 0: // home-made rules are back
		return "drift"
	}
	return "ok"
}

func bootState(f commit.Facts) string {
	switch {
	case f.Unit == "none" || f.Generation == 0:
		return "none"
	case f.Unit != "ok":
		return strings.Replace(f.Unit, "absent", "disabled", 1)
	case f.Boot != f.Rules:
		return "differs"
	}
	return "ok"
}

// backend is what filters on a host, or what would: the one of its confirmed rules,
// or on a host that has none the one it would get.
func backend(f commit.Facts) string {
	if c, _ := f.Choose(""); c.Backend == render.BackendIptables {
		// "iptables v1.8.9 (nf_tables)"
		return strings.Replace(f.Iptables, " v", " ", 1)
	}
	v, err := render.ParseVersion(f.NFT)
	if err != nil {
		return ""
	}
	return "nftables " + v.String()
}

// timersOf are the kinds of timers that a host has the tools for. Whether they
// work is proved in each apply.
func timersOf(f commit.Facts) []string {
	var kinds []string
	if slices.Contains(f.Tools, "at") {
		kinds = append(kinds, "at")
	}
	if f.Systemd && slices.Contains(f.Tools, "systemd-run") {
		kinds = append(kinds, "systemd")
	}
	if slices.Contains(f.Tools, "setsid") {
		kinds = append(kinds, "watchdog")
	}
	return kinds
}

// instant turns seconds since 1970, as a host tells them, into RFC 3339.
func instant(epoch string) string {
	n, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || n <= 0 || n >= 1<<33 {
		return ""
	}
	return time.Unix(n, 0).UTC().Format(time.RFC3339)
}
