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
)

// Change is packets that are decided otherwise.
type Change struct {
	Kind      Kind
	Direction roles.Direction
	Packets   space.Box
}

// ErrTooMuch is a change of which more would have to be compared than is worth
// waiting for. Nothing is known of what it opens and closes.
var ErrTooMuch = errors.New("more differs than can be worked out")

// effort bounds the work on one change, in comparisons: some seconds. The policy of
// before comes from a host, which may have made one that takes forever.
const effort = 300_000_000

// mostBoxes bounds the parts of a change that are told.
const mostBoxes = 5_000

// Diff is what differs between what two policies of a host do, opened first. How a
// refusal is told (a drop or a reject) and limits are no difference. The error is
// ErrTooMuch.
func Diff(before, after roles.Policy) ([]Change, error) {
	if before.Antispoof == after.Antispoof {
		// What comes in with a forged address of the host is dropped before all this
		// and after: to leave it out of every answer would say nothing.
		before.Antispoof, after.Antispoof = false, false
	}
	old, now := verdict.Bounded(before, effort), verdict.Bounded(after, effort)
	directions := [...]roles.Direction{roles.Input, roles.Output, roles.Forward}
	var found [len(directions)]map[Kind]space.Region
	for i, d := range directions {
		var err error
		if found[i], err = differ(d, old, now); err != nil {
			return nil, err
		}
	}
	var list []Change
	for _, k := range [...]Kind{Opened, Closed, Unclear} {
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
	touched, err := apart(verdict.Differing(d, old, now))
	if err != nil {
		return nil, err
	}
	if d == roles.Output {
		touched = touched.Without(slices.Concat(answers(old), answers(now)))
	}
	outcomes := old.Decide(d, touched)
	found := map[Kind]space.Region{}
	for _, was := range [...]inventory.Verdict{inventory.Accept, inventory.Drop, inventory.Reject, verdict.Undecided} {
		var packets space.Region
		for _, o := range verdict.Decided(outcomes, was) {
			packets = append(packets, o.Packets)
		}
		for _, is := range now.Decide(d, packets) {
			if k := kindOf(was, is.Verdict); k != "" {
				if found[k] = append(found[k], is.Packets); len(found[k]) > mostBoxes {
					return nil, ErrTooMuch
				}
			}
		}
	}
	if old.Exhausted() || now.Exhausted() {
		return nil, ErrTooMuch
	}
	return found, nil
}

// apart is a region without a packet twice.
func apart(r space.Region) (space.Region, error) {
	var out space.Region
	work := 0
	for _, b := range r {
		fresh := space.Region{b}
		for _, have := range out {
			fresh = fresh.Minus(have)
			if work += 1 + len(fresh); work > mostWork {
				return nil, ErrTooMuch
			}
		}
		if out = append(out, fresh...); len(out) > mostBoxes {
			return nil, ErrTooMuch
		}
	}
	return out, nil
}

// mostWork bounds how often the parts of a change are held against each other.
const mostWork = 500_000

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
