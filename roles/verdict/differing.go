package verdict

import (
	"slices"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
)

// Differing are packets that hold all those which two policies of a host decide
// otherwise: what the steps of a chain match that stand in one of the two only. A
// packet that no such step matches meets the same steps in both.
func Differing(d roles.Direction, old, now *Engine) space.Region {
	was, is := old.steps(d), now.steps(d)
	var out space.Region
	for _, pair := range [...][2][]step{{was, is}, {is, was}} {
		other := index(pair[1])
		for _, s := range pair[0] {
			if !other.has(s) {
				out = append(out, s.match...)
			}
		}
	}
	return out
}

// steps are those a packet of a chain may meet.
func (e *Engine) steps(d roles.Direction) []step {
	list := e.chains[d]
	if d == roles.Output {
		return list
	}
	for _, s := range e.nat[d] { // what it sends on meets other chains
		if s.nat != nil {
			list = slices.Concat(list, []step{s}, e.chains[roles.Forward], e.chains[roles.Input])
		}
	}
	return list
}

// known finds steps that do the same.
type known map[signature][]step

// signature is the same for steps that do the same, and seldom for others.
type signature struct {
	verdict inventory.Verdict
	boxes   int
	key     space.Key
	keys    int
	sources int
}

func sign(s step) signature {
	sig := signature{verdict: s.verdict, boxes: len(s.match)}
	if len(s.match) > 0 {
		b := s.match[0]
		sig.key, sig.keys, sig.sources = b.Key[0].From, len(b.Key), len(b.Src)
	}
	return sig
}

func index(steps []step) known {
	k := known{}
	for _, s := range steps {
		k[sign(s)] = append(k[sign(s)], s)
	}
	return k
}

func (k known) has(s step) bool {
	return slices.ContainsFunc(k[sign(s)], func(o step) bool {
		return slices.EqualFunc(s.match, o.match, space.Box.Equal) && sameNAT(s.nat, o.nat)
	})
}

func sameNAT(a, b *roles.NAT) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Kind == b.Kind && a.ToAddr == b.ToAddr && a.ToPort == b.ToPort
}
