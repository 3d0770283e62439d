package rollout

import (
	"fmt"

	"fwpush/internal/commit"
	"fwpush/render"
)

// mode is what becomes of the home-made rules of a host. Who goes back to what was
// confirmed before, or wants to be rid of fwpush, takes nothing of others away.
func (t Target) mode() commit.Mode {
	if t.Past != nil || t.Candidate.Remove {
		return commit.ModeSame
	}
	return commit.Mode(t.Host.Mode.V)
}

// Adopts are the home-made rules that an apply would take away, "" if none; more is how
// many are not among them.
func (t Target) Adopts(f commit.Facts) (lines []string, more int) {
	if t.mode() != commit.ModeExclusive {
		return nil, 0
	}
	return f.Home, max(0, f.HomeLines-len(f.Home))
}

// unadoptable says why home-made rules must stay, and so the host as it is.
func (t Target) unadoptable(f commit.Facts, rules render.Ruleset) *commit.Verdict {
	if t.mode() != commit.ModeExclusive {
		return nil
	}
	switch {
	case len(f.HomeStuck) > 0:
		return &commit.Verdict{Err: fmt.Errorf("the host's home-made rules cannot be taken away and put back: %.200q", f.HomeStuck[0]),
			Hint: `mend that on the host, or keep them: mode = "coexist"`}
	case f.HomeFwd && !rules.Forwards():
		return &commit.Verdict{Err: fmt.Errorf("the host forwards packets, its home-made rules say which ones, and those of the fleet file do not"),
			Hint: "write forward rules for it, or turn forwarding off on the host: sysctl net.ipv4.ip_forward=0"}
	}
	return nil
}

// adoptionNote is what to know of home-made rules beside a change.
func (t Target) adoptionNote(f commit.Facts) string {
	const kept = "/var/lib/fwpush/adopted"
	switch lines, more := t.Adopts(f); {
	case t.Candidate.Remove && f.Exclusive:
		return "the home-made rules that were here before are not put back; they are kept in " + kept
	case t.Past == nil && !t.Candidate.Remove && t.mode() == commit.ModeCoexist && f.Exclusive:
		return "a boot takes home-made rules away no more; those of before are kept in " + kept
	case len(lines) > 0 && f.Exclusive:
		return fmt.Sprintf("home-made rules are back (%s): something on the host loads them after fwpush", count(len(lines)+more))
	case len(lines) > 0:
		return fmt.Sprintf("takes the home-made rules away (%s); a revert puts them back", count(len(lines)+more))
	}
	return ""
}

func count(lines int) string {
	if lines == 1 {
		return "1 line"
	}
	return fmt.Sprintf("%d lines", lines)
}
