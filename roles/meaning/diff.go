package meaning

import (
	"slices"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
	"fwpush/roles/verdict"
)

// Kind is how packets are decided otherwise.
type Kind string

const (
	Opened  Kind = "opened"  // refused before, accepted now
	Closed  Kind = "closed"  // accepted before, refused now
	Unclear Kind = "unclear" // raw text decides, before or now
)

// Change is packets that are decided otherwise.
type Change struct {
	Kind      Kind
	Direction roles.Direction
	Packets   space.Box
}

// Diff is what differs between what two policies of a host do, opened first. How a
// refusal is told (a drop or a reject) and limits are no difference.
func Diff(before, after roles.Policy) []Change {
	if before.Antispoof == after.Antispoof {
		// What comes in with a forged address of the host is dropped before all this
		// and after: to leave it out of every answer would say nothing.
		before.Antispoof, after.Antispoof = false, false
	}
	old, now := verdict.New(before), verdict.New(after)
	var list []Change
	for _, k := range [...]Kind{Opened, Closed, Unclear} {
		for _, d := range [...]roles.Direction{roles.Input, roles.Output, roles.Forward} {
			for _, b := range differ(k, d, old, now).Simple() {
				list = append(list, Change{k, d, b})
			}
		}
	}
	return list
}

// differ are the packets of a chain that a change of one kind is about. Only those
// are asked about that something speaks of that the two do not have in common: of
// thousands of rules, those that a change has touched.
func differ(k Kind, d roles.Direction, old, now *verdict.Engine) space.Region {
	var touched space.Region // without a packet twice
	for _, b := range verdict.Differing(d, old, now) {
		touched = append(touched, space.Region{b}.Without(touched)...)
	}
	if len(touched) == 0 {
		return nil
	}
	if d == roles.Output {
		touched = touched.Without(slices.Concat(answers(old), answers(now)))
	}
	var out space.Region
	for _, was := range old.Decide(d, touched) {
		for _, is := range now.Decide(d, space.Region{was.Packets}) {
			if kindOf(was.Verdict, is.Verdict) == k {
				out = append(out, is.Packets)
			}
		}
	}
	return out
}

func kindOf(was, is inventory.Verdict) Kind {
	switch {
	case (was == verdict.Undecided) != (is == verdict.Undecided):
		return Unclear
	case was != inventory.Accept && is == inventory.Accept:
		return Opened
	case was == inventory.Accept && is != inventory.Accept:
		return Closed
	}
	return ""
}

// answers are what sshd says to management: the other half of what comes in, and not
// worth a second word.
func answers(e *verdict.Engine) space.Region {
	var out space.Region
	for _, port := range e.Policy().Management.Ports {
		for _, v6 := range [...]bool{false, true} {
			b := space.All(v6)
			b.Key, b.SrcPort = space.ProtoKeys(space.TCP), space.One(space.Port(port))
			out = append(out, b)
		}
	}
	return out
}
