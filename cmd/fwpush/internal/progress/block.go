package progress

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// note is a line about hosts.
type note struct {
	hosts string
	n     int // of them
	what  string
	paint func(string) string
}

// line is the note in full, with the hosts in at most as many columns.
func (n note) line(columns int) string {
	hosts := n.hosts
	if n.n > 1 {
		hosts = fmt.Sprintf("%s (%d)", ui.Cut(hosts, columns), n.n)
	}
	return n.paint(hosts) + "  " + n.what
}

// frame is the block that shows a run on a terminal of that size: a line for each wave,
// then the hosts that want a look, as many as there is room for.
func (b *board) frame(colour ui.Colour, width, height int) []string {
	lines := b.waveLines(colour, width, height)
	room := max(0, height-1-len(lines))
	holding, troubled := b.holding(colour), b.troubled(colour)
	// What the group waits for may end in a revert and comes first, but leaves room.
	first := min(len(holding), max(1, room-len(troubled)), 5)
	notes := slices.Concat(holding[:first], troubled, holding[first:])
	hidden := 0
	if len(notes) > room && room > 0 {
		for _, n := range notes[room-1:] {
			hidden += n.n
		}
		notes = notes[:room-1]
	}
	for _, n := range notes[:min(room, len(notes))] {
		lines = append(lines, indent(width)+n.line(max(20, width/3)))
	}
	if hidden > 0 {
		lines = append(lines, fmt.Sprintf("%s… and %d more", indent(width), hidden))
	}
	return lines[:min(len(lines), max(0, height-1))]
}

// final is what stays on the screen once the run is over: every wave, and all of every
// trouble, since this is where it is told.
func (b *board) final(colour ui.Colour, width int) string {
	lines := b.waveLines(colour, width, 1<<16)
	for _, n := range b.troubled(colour) {
		lines = append(lines, indent(width)+n.line(len(n.hosts)))
	}
	return strings.Join(lines, "\n") + "\n"
}

func indent(width int) string { return strings.Repeat(" ", min(9, width/8)) }

// asking is the line of a run that changes nothing.
func (b *board) asking(colour ui.Colour) string {
	text := fmt.Sprintf("%s  %d/%d  %s", colour.Bold("asking"), b.count(over), len(b.seats), colour.Dim(clock(b.now().Sub(b.began))))
	late := b.those(func(s *seat) bool { return s.place < over })
	if len(late) <= 5 && b.now().Sub(b.began) >= patience {
		text += "  " + inventory.Fold(names(late))
	}
	return text
}

// patience is how long a host may take until its name is told.
const patience = 3 * time.Second

// clock is a time that has passed, as 0:19 or 1:02:03.
func clock(d time.Duration) string {
	s := int(d / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// holding is what the group under way waits for: hosts that are not in while others are,
// those that revert first in front. With all of them in it is the one that reverts first.
func (b *board) holding(colour ui.Colour) []note {
	flying := b.those((*seat).flying)
	some := func(at place) bool {
		return slices.ContainsFunc(flying, func(s *seat) bool { return s.place == at })
	}
	var late []*seat
	for _, s := range flying {
		long := b.now().Sub(s.since) >= patience
		if s.place >= applying && s.place < isIn && (long || some(isIn)) || s.place == connecting && long && some(ready) {
			late = append(late, s)
		}
	}
	if len(late) == 0 {
		if first := firstDeadline(flying); first != nil {
			late = append(late, first)
		}
	}
	slices.SortStableFunc(late, func(x, y *seat) int {
		if x.deadline.IsZero() != y.deadline.IsZero() {
			return cmp.Compare(btoi(x.deadline.IsZero()), btoi(y.deadline.IsZero()))
		}
		return x.deadline.Compare(y.deadline)
	})
	var notes []note
	for from, to := 0, 0; from < len(late); from = to {
		what := b.standing(late[from])
		for to < len(late) && b.standing(late[to]) == what {
			to++
		}
		notes = append(notes, note{inventory.Fold(names(late[from:to])), to - from, what, colour.Yellow})
	}
	return notes
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// standing is where a host under way is.
func (b *board) standing(s *seat) string {
	text := map[place]string{
		connecting: "connecting",
		ready:      "ready",
		applying:   "told to apply",
		applied:    "applied, not in yet",
		probing:    "applied, probes under way",
		isIn:       "applied, waiting for its group",
	}[s.place]
	if s.place == isIn && !b.waves[s.wave].soaking.IsZero() {
		text = "applied, soaking"
	}
	if s.deadline.IsZero() {
		return text + " for " + clock(b.now().Sub(s.since))
	}
	if left := s.deadline.Sub(b.now()).Round(time.Second); left > 0 {
		return fmt.Sprintf("%s (reverts %s, %ds)", text, report.Clock(s.deadline), int(left/time.Second))
	}
	return fmt.Sprintf("%s (was to revert %s)", text, report.Clock(s.deadline))
}

// troubled are the hosts that did not end as asked, the worst in front.
func (b *board) troubled(colour ui.Colour) []note {
	slices.SortStableFunc(b.troubles, func(x, y *trouble) int { return cmp.Compare(gravity(x.result), gravity(y.result)) })
	notes := make([]note, len(b.troubles))
	for i, t := range b.troubles {
		if t.hosts == "" {
			t.hosts, t.what = inventory.Fold(t.names), report.Trouble("", t.result)
			if len(t.names) > 1 {
				t.what = report.TroubleOfMany("", t.result)
			}
			t.what = ui.Safe(strings.TrimSpace(t.what))
		}
		notes[i] = note{t.hosts, len(t.names), t.what, report.Shade(colour, t.result.Outcome, true)}
	}
	return notes
}

func gravity(r rollout.Result) int {
	return slices.Index([]commit.Outcome{commit.OutcomeUnknown, commit.OutcomeFailed, commit.OutcomeReverted,
		commit.OutcomePending, commit.OutcomeConfirmed, commit.OutcomeLocked, commit.OutcomeUnreachable}, r.Outcome)
}
