package space

import (
	"hash/maphash"
	"slices"
)

// Box is a product: packets whose every part is in the set for it.
type Box struct {
	Src, Dst Addrs
	Key      Keys
	SrcPort  Ports // of protocols without ports it says nothing
	In, Out  Names
}

// All is every packet of a family.
func All(v6 bool) Box {
	return Box{Everyone(v6), Everyone(v6), AllKeys(), AllPorts(), AnyName(), AnyName()}
}

// V6 tells the family of a box that is not empty.
func (b Box) V6() bool { return len(b.Src) > 0 && b.Src[0].From.Is6() }

// Empty tells whether no packet is in the box.
func (b Box) Empty() bool {
	return b.Key.Empty() || b.Src.Empty() || b.Dst.Empty() || b.SrcPort.Empty() || b.In.Empty() || b.Out.Empty()
}

// Meets tells whether a packet is in both.
func (b Box) Meets(o Box) bool {
	return b.Key.Meets(o.Key) && b.Src.Meets(o.Src) && b.Dst.Meets(o.Dst) && b.SrcPort.Meets(o.SrcPort) &&
		!b.In.And(o.In).Empty() && !b.Out.And(o.Out).Empty()
}

// Work is how many ranges and names have to be looked at to hold two boxes against each
// other.
func (b Box) Work(o Box) int {
	if !b.Key.Meets(o.Key) {
		return 1 + len(b.Key)
	}
	return 1 + len(b.Key) + b.Src.work(o.Src) + b.Dst.work(o.Dst) + len(b.In.List) + len(o.In.List) + len(b.Out.List) + len(o.Out.List)
}

// And is what is in both.
func (b Box) And(o Box) Box {
	return Box{b.Src.And(o.Src), b.Dst.And(o.Dst), b.Key.And(o.Key), b.SrcPort.And(o.SrcPort), b.In.And(o.In), b.Out.And(o.Out)}
}

// Minus is what is in b and not in o, in boxes without a packet in common.
func (b Box) Minus(o Box) Region {
	_, rest, _ := b.Cut(o)
	return rest
}

// Cut is And, Minus, and how many boxes, ranges and names had to be written down for
// them.
func (b Box) Cut(o Box) (both Box, rest Region, made int) {
	if !b.Meets(o) {
		return Box{}, Region{b}, 0
	}
	// Each part that o lacks goes with all of the parts not yet looked at; what is
	// left has that part in common with o.
	keep := func(r Box) {
		if !r.Empty() {
			rest = append(rest, r)
		}
	}
	r := b
	r.Key = split(&b.Key, o.Key, &made)
	keep(r)
	r = b
	r.Src = split(&b.Src, o.Src, &made)
	keep(r)
	r = b
	r.Dst = split(&b.Dst, o.Dst, &made)
	keep(r)
	r = b
	r.In = b.In.Minus(o.In)
	b.In = b.In.And(o.In)
	keep(r)
	r = b
	r.Out = b.Out.Minus(o.Out)
	b.Out = b.Out.And(o.Out)
	keep(r)
	made += len(b.In.List) + len(b.Out.List)
	r = b
	r.SrcPort = split(&b.SrcPort, o.SrcPort, &made)
	keep(r)
	return b, rest, made + 1 + len(rest)
}

// split leaves in s what is in o too, and returns the rest. It adds the ranges it had
// to write down to made.
func split[T Point[T]](s *Set[T], o Set[T], made *int) Set[T] {
	both, rest := s.And(o), s.Minus(o)
	for _, part := range [...]Set[T]{both, rest} {
		if !part.is(*s) && !part.is(o) {
			*made += len(part)
		}
	}
	*s = both
	return rest
}

// Equal tells whether two boxes hold the same packets, unless both are empty.
func (b Box) Equal(o Box) bool {
	return b.Key.Equal(o.Key) && b.Src.Equal(o.Src) && b.Dst.Equal(o.Dst) && b.SrcPort.Equal(o.SrcPort) && b.In.Equal(o.In) && b.Out.Equal(o.Out)
}

// join is the union of two boxes that differ in one part at most.
func (b Box) join(o Box) (Box, bool) {
	differ := 0
	other := func(same bool) bool {
		if !same {
			differ++
		}
		return differ > 1
	}
	// Most boxes differ in several parts: no more are looked at than it takes to know.
	if other(b.Key.Equal(o.Key)) || other(b.Src.Equal(o.Src)) || other(b.Dst.Equal(o.Dst)) ||
		other(b.SrcPort.Equal(o.SrcPort)) || other(b.In.Equal(o.In)) || other(b.Out.Equal(o.Out)) {
		return Box{}, false
	}
	return Box{b.Src.Union(o.Src), b.Dst.Union(o.Dst), b.Key.Union(o.Key), b.SrcPort.Union(o.SrcPort), b.In.Union(o.In), b.Out.Union(o.Out)}, true
}

// Region is a set of packets: a union of boxes that are not empty.
type Region []Box

// Minus is what is in r and not in the box.
func (r Region) Minus(o Box) Region {
	var out Region
	for _, b := range r {
		out = append(out, b.Minus(o)...)
	}
	return out
}

// Without is what is in r and in none of the boxes of o.
func (r Region) Without(o Region) Region {
	for _, b := range o {
		if len(r) == 0 {
			return nil
		}
		r = r.Minus(b)
	}
	return r
}

// Meets tells whether a packet is in both.
func (r Region) Meets(o Region) bool {
	return slices.ContainsFunc(r, func(b Box) bool { return slices.ContainsFunc(o, b.Meets) })
}

// And is what is in r and in the box.
func (r Region) And(o Box) Region {
	var out Region
	for _, b := range r {
		if b.Meets(o) {
			out = append(out, b.And(o))
		}
	}
	return out
}

// Simple is the same region in fewer boxes, for people to read: boxes that differ
// in one part only become one.
func (r Region) Simple() Region {
	out := append(Region(nil), r...)
	seed := maphash.MakeSeed()
	marks := make([]mark, len(out))
	for i, b := range out {
		marks[i] = markOf(seed, b)
	}
	for again := true; again; {
		again = false
		for i := 0; i < len(out); i++ {
			left := i + 1
			for j := i + 1; j < len(out); j++ {
				if marks[i].near(marks[j]) && out[i].V6() == out[j].V6() {
					if both, ok := out[i].join(out[j]); ok {
						out[i], marks[i] = both, markOf(seed, both)
						again = true
						continue
					}
				}
				if left < j {
					out[left], marks[left] = out[j], marks[j]
				}
				left++
			}
			out, marks = out[:left], marks[:left]
		}
	}
	return out
}

// mark is a digest of each part of a box that may be long: of thousands of boxes with
// thousands of addresses most pairs differ, and far behind the first address.
type mark [3]uint64

func markOf(seed maphash.Seed, b Box) mark {
	return mark{digest(seed, b.Key), digest(seed, b.Src), digest(seed, b.Dst)}
}

func digest[T Point[T]](seed maphash.Seed, s Set[T]) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, r := range s {
		maphash.WriteComparable(&h, r)
	}
	return h.Sum64()
}

// near tells whether boxes may differ in one part at most.
func (m mark) near(o mark) bool {
	differ := 0
	for i := range m {
		if m[i] != o[i] {
			differ++
		}
	}
	return differ <= 1
}
