package verdict

import (
	"slices"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
)

// Differing are packets that hold all those which two policies of a host decide
// otherwise: what the steps of a chain match that stand in one of the two only, in
// boxes without a packet in common. A packet that no such step matches meets the same
// steps in both. It is false if the budget is spent, or there are more than most boxes.
func Differing(d roles.Direction, old, now *Engine, most int) (space.Region, bool) {
	was, is := old.steps(d), now.steps(d)
	var out space.Region
	for _, pair := range [...][2][]step{{was, is}, {is, was}} {
		other := index(pair[1])
		for _, s := range pair[0] {
			if other.has(s, now) {
				continue
			}
			for _, b := range s.match {
				fresh := space.Region{b}
				for _, have := range out {
					_, rest, ok := now.cut(fresh, have)
					if !ok {
						return nil, false
					}
					if fresh = rest; len(fresh) == 0 {
						break
					}
				}
				if out = append(out, fresh...); len(out) > most {
					return nil, false
				}
			}
		}
	}
	return out, !old.Exhausted() && !now.Exhausted()
}

// steps are those a packet of a chain may meet.
func (e *Engine) steps(d roles.Direction) []step {
	list := e.chains[d]
	if nat := e.nat[d]; len(nat) > 0 { // what it sends on meets other chains
		list = slices.Concat(list, nat, e.chains[roles.Forward], e.chains[roles.Input])
	}
	return list
}

// Rewritten tells whether the raw text of a chain is another in two policies.
func Rewritten(d roles.Direction, old, now *Engine) bool {
	return !slices.EqualFunc(old.written(d), now.written(d), sameText)
}

// written is the raw text that a packet of a chain may meet, in the order of the chain.
func (e *Engine) written(d roles.Direction) []*roles.Raw {
	var list []*roles.Raw
	for _, s := range e.steps(d) {
		if s.raw != nil {
			list = append(list, s.raw)
		}
	}
	return list
}

// known finds steps that do the same.
type known map[signature][]step

// signature is the same for steps that do the same, and seldom for others. Steps of one
// stage may stand in any order, but for raw text, which stands at two places.
type signature struct {
	stage   Stage
	at      string
	verdict inventory.Verdict
	boxes   int
	key     space.Key
	keys    int
	sources int
}

func sign(s step) signature {
	sig := signature{stage: s.stage, verdict: s.verdict, boxes: len(s.match)}
	if s.raw != nil {
		sig.at = s.raw.At
	}
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

// has finds a step that does the same. The work comes off a budget: thousands of steps
// may be made to look alike.
func (k known) has(s step, budget *Engine) bool {
	size := 1
	for _, b := range s.match {
		size += len(b.Key) + len(b.Src) + len(b.Dst)
	}
	return slices.ContainsFunc(k[sign(s)], func(o step) bool {
		return budget.spend(1+size/8) && slices.EqualFunc(s.match, o.match, space.Box.Equal) && sameNAT(s.nat, o.nat) && sameRaw(s.raw, o.raw)
	})
}

func sameNAT(a, b *roles.NAT) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Kind == b.Kind && a.ToAddr == b.ToAddr && a.ToPort == b.ToPort
}

func sameRaw(a, b *roles.Raw) bool {
	if a == nil || b == nil {
		return a == b
	}
	return sameText(a, b)
}

func sameText(a, b *roles.Raw) bool {
	return slices.Equal(a.Nft, b.Nft) && slices.Equal(a.IPv4, b.IPv4) && slices.Equal(a.IPv6, b.IPv6)
}
