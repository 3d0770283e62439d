package space

import (
	"slices"
	"sort"
)

// Point is something ordered that has neighbours. Next and Prev are asked within a
// range only, so what they are at the ends does not matter.
type Point[T any] interface {
	comparable
	Compare(T) int
	Next() T
	Prev() T
}

// Range is closed.
type Range[T Point[T]] struct{ From, To T }

// Set is ranges in order that neither overlap nor touch. The zero Set is empty.
// Sets are values: no operation changes one.
type Set[T Point[T]] []Range[T]

// Of is the set of ranges that come in any order and may overlap.
func Of[T Point[T]](ranges ...Range[T]) Set[T] {
	list := slices.Clone(ranges)
	slices.SortFunc(list, func(a, b Range[T]) int { return a.From.Compare(b.From) })
	out := list[:0] // never ahead of what is read
	for _, r := range list {
		n := len(out)
		// A range that starts where the last one ends, or right behind.
		if n > 0 && (r.From.Compare(out[n-1].To) <= 0 || r.From.Prev() == out[n-1].To) {
			if r.To.Compare(out[n-1].To) > 0 {
				out[n-1].To = r.To
			}
			continue
		}
		out = append(out, r)
	}
	return out
}

// One is the set of a single point.
func One[T Point[T]](p T) Set[T] { return Set[T]{{p, p}} }

// Empty tells whether nothing is in the set.
func (s Set[T]) Empty() bool { return len(s) == 0 }

// is tells whether two sets are one in memory, as those are that many rules name: the
// answer is then known without a look at their ranges.
func (s Set[T]) is(o Set[T]) bool {
	return len(s) == len(o) && (len(s) == 0 || &s[0] == &o[0])
}

// work is how many ranges have to be looked at to hold two sets against each other.
func (s Set[T]) work(o Set[T]) int {
	if s.is(o) || len(s) == 1 || len(o) == 1 {
		return 1
	}
	return len(s) + len(o)
}

// Equal tells whether two sets hold the same.
func (s Set[T]) Equal(o Set[T]) bool { return s.is(o) || slices.Equal(s, o) }

// Has tells whether a point is in the set.
func (s Set[T]) Has(p T) bool {
	i := s.reaching(p)
	return i < len(s) && s[i].From.Compare(p) <= 0
}

// reaching is the index of the first range that ends at p or behind it.
func (s Set[T]) reaching(p T) int {
	return sort.Search(len(s), func(i int) bool { return p.Compare(s[i].To) <= 0 })
}

// within are the ranges that have a point of r.
func (s Set[T]) within(r Range[T]) Set[T] {
	i := s.reaching(r.From)
	n := sort.Search(len(s)-i, func(n int) bool { return s[i+n].From.Compare(r.To) > 0 })
	return s[i : i+n : i+n]
}

// Union is what is in one of the two.
func (s Set[T]) Union(o Set[T]) Set[T] {
	switch {
	case s.Covers(o):
		return s
	case o.Covers(s):
		return o
	}
	return Of(slices.Concat(s, o)...)
}

// And is what is in both: one of the two themselves if that is all of it, so that a
// long set is not there many times.
func (s Set[T]) And(o Set[T]) Set[T] {
	switch {
	case s.Covers(o):
		return o
	case o.Covers(s):
		return s
	case len(o) < len(s):
		s, o = o, s
	}
	var out Set[T]
	for _, r := range s {
		common := o.within(r)
		if len(common) == 0 {
			continue
		}
		first, last := common[0], common[len(common)-1]
		if len(s) == 1 && r.From.Compare(first.From) <= 0 && last.To.Compare(r.To) <= 0 {
			return common
		}
		n := len(out)
		out = append(out, common...)
		out[n].From = later(r.From, first.From)
		out[len(out)-1].To = earlier(r.To, last.To)
	}
	return out
}

// Meets tells whether And is not empty.
func (s Set[T]) Meets(o Set[T]) bool {
	if len(o) < len(s) {
		s, o = o, s
	}
	return slices.ContainsFunc(s, func(r Range[T]) bool {
		i := o.reaching(r.From)
		return i < len(o) && o[i].From.Compare(r.To) <= 0
	})
}

// Covers tells whether all of o is in s.
func (s Set[T]) Covers(o Set[T]) bool {
	switch {
	case len(o) == 0 || s.is(o):
		return true
	case len(s) == 1: // of a prefix or of all it takes no look at each range
		return s[0].From.Compare(o[0].From) <= 0 && o[len(o)-1].To.Compare(s[0].To) <= 0
	}
	return !slices.ContainsFunc(o, func(r Range[T]) bool {
		i := s.reaching(r.To)
		return i == len(s) || s[i].From.Compare(r.From) > 0
	})
}

// Minus is what is in s and not in o: s itself if nothing of it is in o.
func (s Set[T]) Minus(o Set[T]) Set[T] {
	switch {
	case o.Covers(s):
		return nil
	case !s.Meets(o):
		return s
	}
	o = o.within(Range[T]{s[0].From, s[len(s)-1].To})
	out := make(Set[T], 0, len(s)+len(o)) // each range of o cuts one in two at most
	for len(s) > 0 {
		if len(o) == 0 {
			out = append(out, s...)
			break
		}
		before := s.reaching(o[0].From)
		out = append(out, s[:before]...)
		if s = s[before:]; len(s) == 0 {
			break
		}
		cuts := o.within(s[0])
		if len(cuts) == 0 { // o[0] lies before it
			o = o[o.reaching(s[0].From):]
			continue
		}
		out = append(out, s[0].without(cuts)...)
		s, o = s[1:], o[o.reaching(s[0].To):]
	}
	return out
}

// without is what is in the range and not in those of o, which all meet it.
func (r Range[T]) without(o Set[T]) []Range[T] {
	var out []Range[T]
	for _, cut := range o {
		if r.From.Compare(cut.From) < 0 {
			out = append(out, Range[T]{r.From, cut.From.Prev()})
		}
		if cut.To.Compare(r.To) >= 0 {
			return out
		}
		r.From = cut.To.Next()
	}
	return append(out, r)
}

func later[T Point[T]](a, b T) T {
	if a.Compare(b) > 0 {
		return a
	}
	return b
}

func earlier[T Point[T]](a, b T) T {
	if a.Compare(b) < 0 {
		return a
	}
	return b
}
