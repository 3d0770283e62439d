package rollout

import (
	"fmt"

	"fwpush/internal/commit"
)

// bootNote is said where a boot does not load what is confirmed: each time that rules
// are brought to a host that has nothing to load them, and of any look at a host whose
// last boot could not.
func (t Target) bootNote(f commit.Facts) string {
	pushes := !t.Candidate.Remove && (t.Candidate.Rules.Text != "" || t.Past != nil)
	drifted, known := f.Drifted()
	switch {
	case f.FellBack && f.Pending == nil && (drifted || !known || f.Boot != f.Rules):
		what := "what runs are the rules before them"
		if f.Running == "" {
			what = "nor did the ones before them, and no rules of fwpush run"
		}
		return "the confirmed rules did not load at the last boot; " + what + "; the journal or the console of the host says why"
	case f.Unit == "none" && pushes:
		return fmt.Sprintf("not persistent: the host has neither systemd nor OpenRC, so a boot loads no rules of fwpush; have it run before the network (rc.local, inittab): %s",
			f.BootCommand(t.Candidate.Want))
	}
	return ""
}
