package plan

import (
	"fmt"

	"fwpush/internal/ui"
	"fwpush/inventory"
)

// Awaited reports keys of the fleet file that this version reads and checks and
// does not carry out. A verb that is about them must not run as if they were not
// there: a canary that is ignored is no canary. Logins are asked for by every verb
// that connects, changes by those that push rules.
func (f *File) Awaited(members []Member, changes bool) inventory.Problems {
	var found inventory.Problems
	seen := map[inventory.Place]bool{}
	tell := func(p inventory.Place, key, hint string) {
		if p.Line == 0 || seen[p] {
			return
		}
		seen[p] = true
		found = append(found, inventory.Problem{Severity: inventory.Error, Place: p, Msg: fmt.Sprintf("%s is not carried out yet", key), Hint: hint})
	}
	var jump inventory.Place
	var behind []string
	for _, m := range members {
		if m.Host.SSH.Jump != "" {
			if behind == nil {
				jump = m.Host.SSH.Place
			}
			behind = append(behind, m.Host.Name)
		}
		if !changes {
			continue
		}
		if m.Host.Mode.V == "exclusive" {
			tell(m.Host.Mode.Place, `mode = "exclusive"`, "take the rules that stand there away by hand")
		}
		if m.Host.Timers.V == 1 {
			tell(m.Host.Timers.Place, "timers = 1", "two timers are proved")
		}
	}
	if behind != nil {
		tell(jump, fmt.Sprintf("ssh.jump of %s (%s)", inventory.Fold(behind), ui.Count(len(behind), "host")),
			"run fwpush where hosts are reached directly, or leave these out with -x")
	}
	found.Sort()
	return f.Fleet.Annotate(found)
}

// Foretold are the same as notes, for check, which is about none of them: that a
// file is right does not say that it can be pushed.
func (f *File) Foretold(members []Member) inventory.Problems {
	notes := f.Awaited(members, true)
	for i := range notes {
		notes[i].Severity = inventory.Note
		notes[i].Msg += ": apply refuses it"
	}
	return notes
}
