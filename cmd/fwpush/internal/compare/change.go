package compare

import (
	"fmt"
	"slices"
	"strings"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
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
	kinds          string      // what kind of change it is, in few words
	adopts         []string    // home-made rules that would be taken away
	foreign        string      // base chains of others on the hooks that the rules use
}

// ChangeOf compares what a host told with what it shall run.
func ChangeOf(t rollout.Target, seen rollout.Observation, accept rollout.Risks, others Others) Change {
	c := Change{Result: seen.Result}
	if seen.Facts == nil || seen.Err != nil {
		return c
	}
	f := *seen.Facts
	c.foreign = foreignOf(t, f)
	verdict := t.Judge(f, accept)
	switch {
	case f.Pending != nil:
		c.Result.Result = unfinished(c.Result.Result)
		return c
	case verdict.Act == commit.Unchanged:
		c.Outcome = commit.OutcomeUnchanged
		return c
	case verdict.Act == commit.Refuse:
		c.Outcome, c.Stage, c.Err, c.Hint = commit.OutcomeFailed, commit.StageInspect, verdict.Err, verdict.Hint
		c.SayOnce()
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
	c.adopts = adoptsOf(t, f)
	c.kinds = kindsOf(t, f, c.rules.Changed)
	switch drifted, known := f.Drifted(); {
	case f.Generation == 0:
		c.Notes = append(c.Notes, "first push")
	case !known:
		c.Notes = append(c.Notes, "whether the rules were edited by hand cannot be told")
	case !drifted && !c.rules.Changed && len(c.adopts) == 0:
		c.Notes = append(c.Notes, "the same rules; the boot path would be repaired")
	}
	return c
}

// unfinished is the outcome of a host on which another run is under way.
func unfinished(r commit.Result) commit.Result {
	h := r.Facts.Pending
	r.Outcome, r.Stage = commit.OutcomeLocked, commit.StageInspect
	r.Err = fmt.Errorf("run %s of %s is not finished here (%s)", h.Run, h.Who, h.State)
	r.Hint = "wait, or look at it with fwpush status"
	return r
}

// kindsOf says in a word or two why a host would be changed.
func kindsOf(t rollout.Target, f commit.Facts, rules bool) string {
	var kinds []string
	candidate, _ := t.Fit(f)
	switch {
	case f.Generation == 0:
		kinds = append(kinds, "first push")
	case candidate.Text != "" && render.BackendOf(f.Rules) != render.BackendOf(candidate.Text):
		kinds = append(kinds, "backend change")
	case rules:
		kinds = append(kinds, "pending")
	}
	if drifted, _ := f.Drifted(); drifted {
		kinds = append(kinds, "drift")
	}
	if lines, _ := t.Adopts(f); len(lines) > 0 {
		kinds = append(kinds, "adoption")
	}
	if len(kinds) == 0 {
		kinds = append(kinds, "boot path")
	}
	return strings.Join(kinds, ", ")
}

// difference is what the file changes on a host, and what would be taken back of
// what was edited by hand.
func difference(t rollout.Target, f commit.Facts) (rules, undo render.Diff) {
	// Without rules that fit the host is refused, and nobody asks for its change.
	candidate, _ := t.Fit(f)
	return render.Compare(f.Rules, candidate), undone(f)
}

// undone is what would be taken back of what was edited by hand.
func undone(f commit.Facts) render.Diff {
	if drifted, _ := f.Drifted(); !drifted || f.Pending != nil {
		return render.Diff{}
	}
	return render.Drift(f.Running, f.Canon)
}

// DiffOf is the change that a host went through, for programs.
func DiffOf(t rollout.Target, f commit.Facts) string {
	rules, undo := difference(t, f)
	return rules.Text + undo.Text
}

// ByHand says what was edited by hand on a host and is gone, "" if nothing was.
func ByHand(f commit.Facts) string {
	undo := undone(f)
	if !undo.Changed {
		return ""
	}
	return fmt.Sprintf("the running rules were edited by hand: %s taken out, %s put back", ui.Count(undo.Removed, "line"), ui.Count(undo.Added, "line"))
}

// paintFlow shows at a glance what opens.
func paintFlow(c ui.Colour, line string) string {
	if strings.HasPrefix(line, "newly open") {
		return c.Yellow(line)
	}
	return line
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
func ChangedHosts(changes []Change) []report.Host {
	hosts := make([]report.Host, len(changes))
	for i, c := range changes {
		hosts[i] = report.HostOf(c.Result, c.diffText())
		hosts[i].Adopts = c.adopts
		if c.beside != "" {
			hosts[i].Notes = append(slices.Clip(hosts[i].Notes), c.beside)
		}
		for _, f := range c.flows {
			hosts[i].Meaning = append(hosts[i].Meaning, report.Flow{Kind: string(f.kind), Direction: string(f.direction), Services: f.what, Ends: f.ends})
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
