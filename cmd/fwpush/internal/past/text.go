package past

import (
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/commit"
	"fwpush/internal/journal"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// WriteHistory prints a table of runs. What they hold may come from files that were
// edited by hand: the table makes it safe.
func WriteHistory(w io.Writer, colour ui.Colour, runs []Entry) error {
	var table ui.Table
	table.Painted(colour.Dim, "RUN", "WHEN", "WHO", "COMMAND", "FLEET", "HOSTS", "EXIT")
	for _, r := range runs {
		exit := r.State
		if r.Exit != nil {
			exit = strconv.Itoa(*r.Exit)
		}
		table.Painted(r.shade(colour), r.Run, day(r.began), orDash(r.Who), orDash(r.Command), orDash(r.Fleet), orDash(r.counts()), exit)
	}
	return table.Write(w)
}

func (r Entry) shade(c ui.Colour) func(string) string {
	switch {
	case r.Exit != nil && *r.Exit == 0:
		return c.Green
	case r.Exit == nil && r.State != string(journal.Running), r.Exit != nil && (*r.Exit == 3 || *r.Exit == 5):
		return c.Red
	}
	return c.Yellow
}

// counts is how many hosts ended in which way, the good ones first.
func (r Entry) counts() string {
	var parts []string
	words := slices.Sorted(maps.Keys(r.Outcomes))
	for _, o := range report.OutcomeOrder() {
		if n := r.Outcomes[string(o)]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
		words = slices.DeleteFunc(words, func(word string) bool { return word == string(o) })
	}
	for _, word := range words { // of another version
		parts = append(parts, fmt.Sprintf("%d %s", r.Outcomes[word], word))
	}
	if r.NotEnded > 0 {
		parts = append(parts, fmt.Sprintf("%d not ended", r.NotEnded))
	}
	return strings.Join(parts, ", ")
}

// day is a time for people whose day matters, too.
func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// WriteRecord prints one run: what it was, its hosts, those with the same story in one
// row, and what to type next.
func WriteRecord(w io.Writer, colour ui.Colour, record journal.Record, typing report.Typing) error {
	r := RecordOf(record)
	var head ui.Table
	for _, row := range r.about() {
		head.Painted(colour.Dim, row[0], row[1])
	}
	if err := head.Write(w); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	var hosts ui.Table
	hosts.Painted(colour.Dim, "OUTCOME", "WAVE", "HOSTS", "RULES", "")
	for _, g := range r.fold() {
		h := g.Host
		hosts.Painted(report.Shade(colour, commit.Outcome(h.Outcome), h.Error != ""), h.word(), r.wave(h.Wave), fmt.Sprintf("%s (%d)", inventory.Fold(g.names), len(g.names)),
			h.rules(), h.story(len(g.names) == 1))
	}
	if err := hosts.Write(w); err != nil {
		return err
	}
	for _, line := range r.next(typing) {
		if _, err := fmt.Fprintln(w, ui.Safe(line)); err != nil {
			return err
		}
	}
	return nil
}

// about is what there is to say of a run as a whole.
func (r Record) about() [][2]string {
	who := r.Who
	if r.From != r.Who {
		who += ", from " + r.From
	}
	when := day(r.began)
	if !r.ended.IsZero() {
		when += ", took " + r.ended.Sub(r.began).Round(100*time.Millisecond).String()
	}
	rows := [][2]string{
		{"run", r.Run}, {"command", fmt.Sprintf("%s, fwpush %s, pid %d", r.Command, strings.TrimPrefix(r.Version, "fwpush "), r.PID)}, {"who", who}, {"when", when},
		{"fleet", r.Fleet + ", " + r.File}, {"digest", orDash(r.Digest)}, {"commit", orDash(r.Commit)},
	}
	var options []string
	for _, name := range slices.Sorted(maps.Keys(r.Options)) {
		for value := range strings.SplitSeq(r.Options[name], "\n") {
			options = append(options, name+"="+value)
		}
	}
	if len(options) > 0 {
		rows = append(rows, [2]string{"options", strings.Join(options, " ")})
	}
	for _, s := range r.Stopped {
		why := s.Why
		if len(s.Hosts) > 0 {
			why += ": " + inventory.Fold(s.Hosts)
		}
		rows = append(rows, [2]string{"stopped", why})
	}
	if r.Interrupts > 0 {
		rows = append(rows, [2]string{"interrupted", ui.Count(r.Interrupts, "time")})
	}
	for _, a := range r.Again {
		rows = append(rows, [2]string{"again", fmt.Sprintf("%s by %s", a.Command, a.Who)})
	}
	if n := r.Damaged + r.Lost; n > 0 {
		rows = append(rows, [2]string{"missing", ui.Count(n, "line") + " that could not be written or cannot be read"})
	}
	return append(rows, [2]string{"ended", r.end()})
}

func (r Record) end() string {
	switch {
	case r.Exit != nil && r.Line != "":
		return fmt.Sprintf("exit %d: %s", *r.Exit, r.Line)
	case r.Exit != nil:
		return fmt.Sprintf("exit %d", *r.Exit)
	case r.State == string(journal.Running):
		return "no, it is running"
	}
	return "no, interrupted: the controller died"
}

// tale is hosts with the same story, and that of the first of them.
type tale struct {
	Host
	names []string
}

// fold puts hosts with the same story together, in the order of the hosts.
func (r Record) fold() []tale {
	var groups []tale
	index := map[string]int{}
	for _, h := range r.Hosts {
		key := strings.Join([]string{h.word(), r.wave(h.Wave), h.rules(), h.story(false)}, "\x00")
		i, known := index[key]
		if !known {
			i = len(groups)
			index[key] = i
			groups = append(groups, tale{Host: h})
		}
		groups[i].names = append(groups[i].names, h.Name)
	}
	return groups
}

func (h Host) word() string {
	switch {
	case h.Outcome != "":
		return h.Outcome
	case h.Begun:
		return "in flight"
	}
	return "not begun"
}

func (r Record) wave(n int) string {
	for _, w := range r.Waves {
		if w.Number == n && w.Name != "" {
			return fmt.Sprintf("%d %s", n, w.Name)
		}
	}
	if n == 0 { // a run without waves
		return "-"
	}
	return strconv.Itoa(n)
}

// rules are the digests before and after; of a host that ended as it was, what it would
// have got does not matter.
func (h Host) rules() string {
	after := brief(h.Digest)
	if h.Remove {
		after = "none"
	}
	before := brief(h.Previous)
	switch {
	case h.Outcome != "" && !slices.Contains([]string{"confirmed", "pending", "unknown"}, h.Outcome):
		return orDash(before)
	case before == "":
		return "→ " + after
	}
	return before + " → " + after
}

// brief is a digest for people.
func brief(digest string) string {
	const shown = 4
	digest = strings.TrimPrefix(digest, "sha256:")
	if len(digest) <= shown {
		return digest
	}
	return digest[:shown] + "…"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// story is how it came to that. What is of one host alone, such as the port of a
// connection, is left out where there are more.
func (h Host) story(alone bool) string {
	var parts []string
	if h.Stage != "" {
		parts = append(parts, "at "+h.Stage)
	}
	for _, text := range []string{h.Error, h.Hint} {
		if text != "" {
			parts = append(parts, text)
		}
	}
	if p := h.Proof; p != nil {
		from := p.Client
		if at, err := netip.ParseAddrPort(from); err == nil && !alone {
			from = at.Addr().String()
		}
		proof := "a fresh connection from " + from
		if alone {
			proof += " to " + p.Server
		}
		if len(p.Through) > 0 {
			proof += " through " + strings.Join(p.Through, ", ")
		}
		proof += " with " + ui.Count(p.Timers, "timer") + " armed"
		if alone {
			proof += fmt.Sprintf(", %.0fs before the revert", p.Left)
		}
		parts = append(append(parts, proof), p.Probes...)
	}
	if h.Drift {
		parts = append(parts, "its rules were edited by hand before")
	}
	switch {
	case h.Outcome != "":
	case h.Decision != "":
		parts = append(parts, "decided to "+h.Decision)
	case h.Deadline != "" && alone:
		parts = append(parts, "applied, reverts by itself at "+h.Deadline)
	case h.Deadline != "":
		parts = append(parts, "applied, reverts by itself")
	}
	return strings.Join(append(parts, h.Notes...), "; ")
}

// next is what to type for hosts whose end is not known, and for those that a run of apply
// did not confirm.
func (r Record) next(typing report.Typing) []string {
	if r.State == string(journal.Running) {
		return nil
	}
	var decided, open []string
	left := false
	for _, h := range r.Hosts {
		waits := h.Outcome == "" && h.Begun || h.Outcome == "pending" || h.Outcome == "unknown"
		switch {
		case waits && h.Decision == journal.Commit:
			decided = append(decided, h.Name)
		case waits:
			open = append(open, h.Name)
		case h.Outcome != "confirmed" && h.Outcome != "unchanged":
			left = true
		}
	}
	var lines []string
	if len(decided) > 0 {
		lines = append(lines, "next: "+typing.OfRun("confirm", r.Run, "-l", inventory.Fold(decided)))
	}
	if len(open) > 0 {
		lines = append(lines, "next: "+typing.OfHosts("status", "-l", inventory.Fold(open)))
	}
	if left && r.Command == "apply" {
		lines = append(lines, "next: "+typing.OfRun("apply", "--resume", r.Run))
	}
	return lines
}
