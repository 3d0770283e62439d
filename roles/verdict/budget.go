package verdict

import (
	"fwpush/roles"
	"fwpush/roles/space"
)

// Bounded is an engine that gives up when the budget is spent, which it may share with
// another: for a policy that somebody else has made, who may have made one that takes
// forever. The unit is one range compared with others. What the engine has not come to
// by then is Undecided.
func Bounded(p roles.Policy, budget *int) *Engine { return Lists{}.Engine(p, budget) }

// making is what it costs to write a range down: it is there until the end, and memory
// is scarcer than time.
const making = 4

// spend takes work off the budget, and tells whether anything is left of it.
func (e *Engine) spend(work int) bool {
	if e.budget == nil {
		return true
	}
	*e.budget -= work
	return *e.budget > 0
}

// Exhausted tells whether a bounded engine has given up.
func (e *Engine) Exhausted() bool { return e.budget != nil && *e.budget <= 0 }

// cut is what packets have in common with a match and what they have not, as far as
// the budget goes: false if it is spent.
func (e *Engine) cut(packets space.Region, m space.Box) (both, rest space.Region, ok bool) {
	for i, b := range packets {
		if !e.spend(b.Work(m)) {
			return nil, nil, false
		}
		switch {
		case b.Meets(m):
			if both == nil {
				rest = append(make(space.Region, 0, len(packets)+8), packets[:i]...) // of thousands most are left as they are
			}
			common, left, made := b.Cut(m)
			both, rest = append(both, common), append(rest, left...)
			if !e.spend(made * making) {
				return nil, nil, false
			}
		case both != nil:
			rest = append(rest, b)
		}
	}
	if both == nil { // as with most steps
		return nil, packets, true
	}
	return both, rest, true
}
