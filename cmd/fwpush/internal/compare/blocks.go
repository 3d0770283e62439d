package compare

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// group is hosts that an apply would do the same to.
type group struct {
	Change
	names    []string
	previous string // their digests before and after; "" where they differ
	digest   string
}

// fold puts hosts with the same change into one group. Changes come first, then what
// went wrong, then hosts that stay as they are; in each the largest group, and of
// equal ones that with the first host.
func fold(changes []Change) []group {
	var groups []group
	index := map[string]int{}
	for _, c := range changes {
		cause, hint := report.Common(c.Result)
		key := strings.Join([]string{string(c.Outcome), c.rules.Annotated(), c.undo.Text, strings.Join(c.Notes, "\n"), cause, hint, fmt.Sprint(c.flows), c.beside, strings.Join(c.adopts, "\n")}, "\x00")
		i, known := index[key]
		if !known {
			i = len(groups)
			index[key] = i
			groups = append(groups, group{Change: c, previous: c.Previous, digest: c.Digest})
		}
		g := &groups[i]
		g.names = append(g.names, c.Name)
		if g.previous != c.Previous || g.digest != c.Digest {
			g.previous, g.digest = "", ""
		}
	}
	slices.SortStableFunc(groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(len(b.names), len(a.names)))
	})
	return groups
}

// rank is where a group stands among others.
func (g group) rank() int {
	switch g.Outcome {
	case rollout.OutcomeChanged:
		return 0
	case commit.OutcomeUnchanged:
		return 2
	}
	return 1
}

// hosts are the names of a group, and how many.
func (g group) hosts() string { return fmt.Sprintf("%s (%d)", inventory.Fold(g.names), len(g.names)) }

// WriteChanges prints the changes of a fleet, each change once. Rules and
// errors may come from hosts: all of it is made safe.
func WriteChanges(w io.Writer, colour ui.Colour, changes []Change) error {
	var out strings.Builder
	seen := map[string]bool{} // changes of rules already shown
	for _, g := range fold(changes) {
		hosts := g.hosts()
		switch g.Outcome {
		case rollout.OutcomeChanged:
			fmt.Fprintf(&out, "%s %s   %s\n", colour.Yellow("●"), colour.Bold(hosts), ui.Safe(g.headline(seen)))
			for _, l := range flowLines(g.flows, inventory.Fold(g.names)) {
				fmt.Fprintf(&out, "  %s\n", paintFlow(colour, ui.Safe(l)))
			}
			if g.beside != "" {
				fmt.Fprintf(&out, "  %s\n", colour.Yellow(ui.Safe(g.beside)))
			}
			if text := g.rules.Annotated(); text != "" && !seen[text] {
				seen[text] = true
				writeDiff(&out, colour, text, "")
			}
			writeDiff(&out, colour, g.undo.Text, "# in no role")
			writeAdopted(&out, colour, g.adopts)
		case commit.OutcomeUnchanged:
			fmt.Fprintf(&out, "%s %s   %s\n", colour.Dim("○"), hosts, colour.Dim(ui.Safe(strings.Join(append([]string{"no change"}, g.Notes...), "   "))))
		default:
			g.writeTrouble(&out, colour)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// writeTrouble says what went wrong with the hosts of a group.
func (g group) writeTrouble(out *strings.Builder, colour ui.Colour) {
	text := report.TroubleOfMany(g.hosts(), g.Result)
	if len(g.names) == 1 {
		text = report.Trouble(g.hosts(), g.Result)
	}
	fmt.Fprintf(out, "%s %s\n", colour.Red("✗"), ui.Safe(text))
}

// headline is what stands beside the hosts of a change.
func (g group) headline(seen map[string]bool) string {
	parts := []string{g.lines()}
	if g.digest != "" && g.previous != "" {
		parts = append(parts, short(g.previous)+" → "+strings.TrimPrefix(short(g.digest), "sha256:"))
	} else if g.digest != "" {
		parts = append(parts, "→ "+short(g.digest))
	}
	parts = append(parts, g.Notes...)
	if !g.Drift && g.rules.Changed && seen[g.rules.Annotated()] {
		parts = append(parts, "the same change as above")
	}
	if g.Drift {
		what := "its running ruleset was edited by hand (drift):"
		if len(g.names) > 1 {
			what = "the running rulesets were edited by hand (drift):"
		}
		switch {
		case !g.rules.Changed:
			what = "no change in the file, but " + what
		case seen[g.rules.Annotated()]:
			what = "same, and " + what
		default:
			what = "and " + what
		}
		parts = append(parts, what)
	}
	return strings.Join(parts, "   ")
}
