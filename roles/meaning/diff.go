package meaning

import (
	"errors"
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
	Rewrite Kind = "rewrite" // raw text decides, before and now, and it is another text
)

// Change is packets that are decided otherwise.
type Change struct {
	Kind      Kind
	Direction roles.Direction
	Packets   space.Box
}

// errTooMuch is a change of which more would have to be compared than is worth
// waiting for. Nothing is known of what it opens and closes.
var errTooMuch = errors.New("more differs than can be worked out")

// effort bounds the work on one change: about a second, and a quarter of a gigabyte. The
// policy of before comes from a host, which may have made one that takes forever.
const effort = 20_000_000

// mostBoxes bounds the parts of a change that are told.
const mostBoxes = 5_000

// Diff is what differs between what two policies of a host do, opened first. How a
// refusal is told (a drop or a reject) and limits are no difference. The error is that
// more differs than can be worked out.
func Diff(before, after roles.Policy) ([]Change, error) {
	if before.Antispoof == after.Antispoof {
		// What comes in with a forged address of the host is dropped before all this
		// and after: to leave it out of every answer would say nothing.
		before.Antispoof, after.Antispoof = false, false
	}
	budget := effort
	old, now := verdict.Bounded(before, &budget), verdict.Bounded(after, &budget)
	directions := roles.Directions
	var found [len(directions)]map[Kind]space.Region
	for i, d := range directions {
		var err error
		if found[i], err = differ(d, old, now); err != nil {
			return nil, err
		}
	}
	var list []Change
	for _, k := range [...]Kind{Opened, Closed, Unclear, Rewrite} {
		for i, d := range directions {
			for _, b := range found[i][k].Simple() {
				list = append(list, Change{k, d, b})
			}
		}
	}
	return list, nil
}

// differ are the packets of a chain that are decided otherwise. Only those are asked
// about that something speaks of that the two do not have in common: of thousands of
// rules, those that a change has touched.
func differ(d roles.Direction, old, now *verdict.Engine) (map[Kind]space.Region, error) {
	touched, ok := verdict.Differing(d, old, now, mostBoxes)
	if !ok {
		return nil, errTooMuch
	}
	if d == roles.Output {
		touched = touched.Without(slices.Concat(answers(old), answers(now)))
	}
	rewritten := verdict.Rewritten(d, old, now)
	outcomes := old.Decide(d, touched)
	found := map[Kind]space.Region{}
	for _, was := range [...]inventory.Verdict{inventory.Accept, inventory.Drop, inventory.Reject, verdict.Undecided} {
		var packets space.Region
		for _, o := range verdict.Decided(outcomes, was) {
			packets = append(packets, o.Packets)
		}
		for _, is := range now.Decide(d, packets) {
			k := kindOf(was, is.Verdict)
			if rewritten && was == verdict.Undecided && is.Verdict == verdict.Undecided {
				k = Rewrite
			}
			if k != "" {
				if found[k] = append(found[k], is.Packets); len(found[k]) > mostBoxes {
					return nil, errTooMuch
				}
			}
		}
	}
	if old.Exhausted() || now.Exhausted() {
		return nil, errTooMuch
	}
	return found, nil
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
	var ports []space.Range[space.Port]
	for _, port := range e.Policy().Management.Ports {
		ports = append(ports, space.One(space.Port(port))...)
	}
	for _, v6 := range [...]bool{false, true} {
		b := space.All(v6)
		b.Key, b.SrcPort = space.ProtoKeys(space.TCP), space.Of(ports...)
		if !b.Empty() {
			out = append(out, b)
		}
	}
	return out
}
