package commit

import "slices"

// Mode says what becomes of the rules on a host that somebody has made at home: those of
// iptables and nft that are neither ours nor a known manager's (scripts/homemade.sh has
// who these are).
type Mode string

const (
	// ModeSame leaves the host in the mode that it is in and takes nothing away.
	ModeSame Mode = ""
	// ModeCoexist leaves home-made rules where they are.
	ModeCoexist Mode = "coexist"
	// ModeExclusive takes them away in the commit, and again at each boot. A revert
	// puts them back as they were.
	ModeExclusive Mode = "exclusive"
)

func (m Mode) word() string {
	if m == ModeSame {
		return "same"
	}
	return string(m)
}

// on is the mode that a host will be in.
func (m Mode) on(f Facts) Mode {
	switch {
	case m != ModeSame:
		return m
	case f.Exclusive:
		return ModeExclusive
	}
	return ModeCoexist
}

// with adds to the parts of a program the one that knows home-made rules, if the mode
// asks for it: a host where nothing is looked for is not sent what looks for it.
func (m Mode) with(parts ...string) []string {
	if m != ModeExclusive {
		return parts
	}
	return append(slices.Clip(parts), "homemade")
}

// adopt puts the part that takes them away before the last part of a program.
func (m Mode) adopt(last string) []string {
	if m != ModeExclusive {
		return []string{last}
	}
	return []string{"adopt", last}
}

// Settled says whether the host is in this mode already, with nothing left to take away.
func (m Mode) Settled(f Facts) bool {
	switch m {
	case ModeCoexist:
		return !f.Exclusive
	case ModeExclusive:
		return f.Exclusive && len(f.Home)+len(f.HomeStuck) == 0
	}
	return true
}
