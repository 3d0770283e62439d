package compare

import (
	"fmt"
	"io"
	"strings"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
)

// WriteStat prints the changes of a fleet, each in one line, and what they come to. A host
// that could not be compared says why, or nobody would know what to do about it.
func WriteStat(w io.Writer, colour ui.Colour, changes []Change) error {
	var table ui.Table
	var trouble strings.Builder
	var sum tally
	for _, g := range fold(changes) {
		switch g.Outcome {
		case rollout.OutcomeChanged:
			table.Painted(colour.Yellow, "● "+g.hosts(), g.lines(), g.kinds)
			sum.add(g)
		case commit.OutcomeUnchanged:
			table.Painted(colour.Dim, "○ "+g.hosts(), "", "no change")
			sum.same += len(g.names)
		default:
			g.writeTrouble(&trouble, colour)
			sum.apart += len(g.names)
		}
	}
	if err := table.Write(w); err != nil {
		return err
	}
	_, err := fmt.Fprint(w, trouble.String(), sum, "\n")
	return err
}

// lines is how many an apply would add and take away.
func (g group) lines() string {
	return fmt.Sprintf("+%d -%d", g.rules.Added+g.undo.Added, g.rules.Removed+g.undo.Removed)
}

// tally is what the changes of a fleet come to. Lines are counted once for a change,
// however many hosts have it.
type tally struct {
	changes, changed, same, apart, added, removed int
}

func (t *tally) add(g group) {
	t.changes++
	t.changed += len(g.names)
	t.added += g.rules.Added + g.undo.Added
	t.removed += g.rules.Removed + g.undo.Removed
}

func (t tally) String() string {
	parts := []string{fmt.Sprintf("%s on %s, +%d -%d", ui.Count(t.changes, "change"), ui.Count(t.changed, "host"), t.added, t.removed)}
	if t.same > 0 {
		parts = append(parts, ui.Count(t.same, "host")+" unchanged")
	}
	if t.apart > 0 {
		parts = append(parts, ui.Count(t.apart, "host")+" not compared")
	}
	return "total: " + strings.Join(parts, "; ")
}
