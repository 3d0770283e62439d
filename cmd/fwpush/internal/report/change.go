package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/render"
)

// Change is what an apply would do to one host.
type Change struct {
	rollout.Result             // with the outcome of a diff
	Fingerprint    string      // of the host as it was seen, where it would be changed
	rules          render.Diff // from the confirmed rules to the candidate
	undo           render.Diff // what was edited by hand, as it would be taken back
	flows          []flow      // what the change of the rules opens and closes
	beside         string      // what to know of hosts that are not selected
}

// ChangeOf compares what a host told with what it shall run.
func ChangeOf(t rollout.Target, seen rollout.Observation, accept rollout.Risks, others Others) Change {
	c := Change{Result: seen.Result}
	if seen.Facts == nil || seen.Err != nil {
		return c
	}
	f := *seen.Facts
	verdict := t.Judge(f, accept)
	switch {
	case f.Pending != nil:
		c.Outcome, c.Stage = commit.OutcomeLocked, commit.StageInspect
		c.Err = fmt.Errorf("run %s of %s is not finished here (%s)", f.Pending.Run, f.Pending.Who, f.Pending.State)
		c.Hint = "wait, or look at it with fwpush status"
		return c
	case verdict.Act == commit.Unchanged:
		c.Outcome = commit.OutcomeUnchanged
		return c
	case verdict.Act == commit.Refuse:
		c.Outcome, c.Stage, c.Err, c.Hint = commit.OutcomeFailed, commit.StageInspect, verdict.Err, verdict.Hint
		return c
	}
	c.Outcome, c.Fingerprint = rollout.OutcomeChanged, rollout.Fingerprint(f)
	c.rules, c.undo = difference(t, f)
	if c.rules.Changed {
		var err error
		if c.flows, c.beside, err = flowsOf(t, f, others); err != nil {
			c.Notes = append(c.Notes, err.Error())
		}
	}
	switch drifted, known := f.Drifted(); {
	case f.Generation == 0:
		c.Notes = append(c.Notes, "first push")
	case !known:
		c.Notes = append(c.Notes, "whether the rules were edited by hand cannot be told")
	case !drifted && !c.rules.Changed:
		c.Notes = append(c.Notes, "the same rules; the boot path would be repaired")
	}
	return c
}

// difference is what the file changes on a host, and what would be taken back of
// what was edited by hand.
func difference(t rollout.Target, f commit.Facts) (rules, undo render.Diff) {
	if drifted, _ := f.Drifted(); drifted && f.Pending == nil {
		undo = render.Drift(f.Running, f.Canon)
	}
	// Without rules that fit the host is refused, and nobody asks for its change.
	candidate, _ := t.Fit(f)
	return render.Compare(f.Rules, candidate), undo
}

// DiffOf is the change that a host went through, for programs, and for people
// what of it was edited by hand and is gone, "" if nothing was.
func DiffOf(t rollout.Target, f commit.Facts) (text, byHand string) {
	rules, undo := difference(t, f)
	if undo.Changed {
		byHand = fmt.Sprintf("the running rules were edited by hand: %s taken out, %s put back", ui.Count(undo.Removed, "line"), ui.Count(undo.Added, "line"))
	}
	return rules.Text + undo.Text, byHand
}

// group is hosts that an apply would do the same to.
type group struct {
	Change
	names    []string
	previous string // their digests before and after; "" where they differ
	digest   string
}

// fold puts hosts with the same change into one group, in the order of the
// hosts.
func fold(changes []Change) []group {
	var groups []group
	index := map[string]int{}
	for _, c := range changes {
		cause, hint := common(c.Result)
		key := strings.Join([]string{string(c.Outcome), c.rules.Annotated(), c.undo.Text, strings.Join(c.Notes, "\n"), cause, hint, fmt.Sprint(c.flows), c.beside}, "\x00")
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
	return groups
}

// WriteChanges prints the changes of a fleet, each change once. Rules and
// errors may come from hosts: all of it is made safe.
func WriteChanges(w io.Writer, colour ui.Colour, changes []Change) error {
	var out strings.Builder
	seen := map[string]bool{} // changes of rules already shown
	for _, g := range fold(changes) {
		hosts := fmt.Sprintf("%s (%d)", inventory.Fold(g.names), len(g.names))
		switch g.Outcome {
		case rollout.OutcomeChanged:
			fmt.Fprintf(&out, "%s %s   %s\n", colour.Yellow("●"), colour.Bold(hosts), ui.Safe(g.headline(seen)))
			for _, l := range flowLines(g.flows, inventory.Fold(g.names)) {
				fmt.Fprintf(&out, "  %s\n", paintFlow(colour, ui.Safe(l)))
			}
			if g.beside != "" {
				fmt.Fprintf(&out, "  %s\n", colour.Yellow(ui.Safe(g.beside)))
			}
			if text := g.rules.Annotated(); text != "" && !(g.Drift && seen[text]) {
				seen[text] = true
				writeDiff(&out, colour, text, "")
			}
			writeDiff(&out, colour, g.undo.Text, "# in no role")
		case commit.OutcomeUnchanged:
			fmt.Fprintf(&out, "%s %s   %s\n", colour.Dim("○"), hosts, colour.Dim("no change"))
		default:
			text := troubleOfMany(hosts, g.Result)
			if len(g.names) == 1 {
				text = Trouble(hosts, g.Result)
			}
			fmt.Fprintf(&out, "%s %s\n", colour.Red("✗"), ui.Safe(text))
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// paintFlow shows at a glance what opens.
func paintFlow(c ui.Colour, line string) string {
	if strings.HasPrefix(line, "newly open") {
		return c.Yellow(line)
	}
	return line
}

// headline is what stands beside the hosts of a change.
func (g group) headline(seen map[string]bool) string {
	parts := []string{fmt.Sprintf("+%d -%d", g.rules.Added+g.undo.Added, g.rules.Removed+g.undo.Removed)}
	if g.digest != "" && g.previous != "" {
		parts = append(parts, short(g.previous)+" → "+strings.TrimPrefix(short(g.digest), "sha256:"))
	} else if g.digest != "" {
		parts = append(parts, "→ "+short(g.digest))
	}
	parts = append(parts, g.Notes...)
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

// short is a digest for people.
func short(digest string) string {
	const shown = len("sha256:") + 4
	if len(digest) <= shown {
		return digest
	}
	return digest[:shown] + "…"
}

// writeDiff indents a diff and colours it. remark stands beside each line that
// would be taken away.
func writeDiff(out *strings.Builder, colour ui.Colour, text, remark string) {
	for line := range strings.Lines(text) {
		line = ui.Safe(strings.TrimSuffix(line, "\n"))
		switch {
		case strings.HasPrefix(line, "+"):
			line = colour.Green(line)
		case strings.HasPrefix(line, "-") && remark != "":
			line = colour.Red(fmt.Sprintf("%-44s %s", line, remark))
		case strings.HasPrefix(line, "-"):
			line = colour.Red(line)
		case strings.HasPrefix(line, "@@"):
			line = colour.Bold(line)
		}
		out.WriteString("  " + line + "\n")
	}
}

// diffText is the change of a host for programs: what the file changes, then
// what would be taken back of what was edited by hand.
func (c Change) diffText() string { return c.rules.Text + c.undo.Text }

// ChangedHosts are the hosts of a diff for programs.
func ChangedHosts(changes []Change) []Host {
	hosts := make([]Host, len(changes))
	for i, c := range changes {
		hosts[i] = HostOf(c.Result, c.diffText())
		if c.beside != "" {
			hosts[i].Notes = append(slices.Clip(hosts[i].Notes), c.beside)
		}
		for _, f := range c.flows {
			hosts[i].Meaning = append(hosts[i].Meaning, Flow{string(f.kind), string(f.direction), f.what, f.ends})
		}
	}
	return hosts
}

// Outcomes are the results of changes, for the exit code.
func Outcomes(changes []Change) []rollout.Result {
	results := make([]rollout.Result, len(changes))
	for i, c := range changes {
		results[i] = c.Result
	}
	return results
}
