package plan

import (
	"fmt"

	"fwpush/inventory"
)

// Awaited reports keys of the fleet file that this version reads and checks and
// does not carry out. A verb that pushes rules must not run as if they were not there:
// a timer that is left out against the file's word is one the host does without.
func (f *File) Awaited(members []Member) inventory.Problems {
	var found inventory.Problems
	seen := map[inventory.Place]bool{}
	tell := func(p inventory.Place, key, hint string) {
		if p.Line == 0 || seen[p] {
			return
		}
		seen[p] = true
		found = append(found, inventory.Problem{Severity: inventory.Error, Place: p, Msg: fmt.Sprintf("%s is not carried out yet", key), Hint: hint})
	}
	for _, m := range members {
		if m.Host.Timers.V == 1 {
			tell(m.Host.Timers.Place, "timers = 1", "two timers are proved")
		}
	}
	found.Sort()
	return f.Fleet.Annotate(found)
}

// Foretold are the same as notes, for check, which is about none of them: that a
// file is right does not say that it can be pushed.
func (f *File) Foretold(members []Member) inventory.Problems {
	notes := f.Awaited(members)
	for i := range notes {
		notes[i].Severity = inventory.Note
		notes[i].Msg += ": apply refuses it"
	}
	return notes
}
