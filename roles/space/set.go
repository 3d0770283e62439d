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
	var out Set[T]
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

// Equal tells whether two sets hold the same.
func (s Set[T]) Equal(o Set[T]) bool { return slices.Equal(s, o) }

// Has tells whether a point is in the set.
func (s Set[T]) Has(p T) bool {
	i := s.reaching(p)
	return i < len(s) && s[i].From.Compare(p) <= 0
}

// reaching is the index of the first range that ends at p or behind it.
func (s Set[T]) reaching(p T) int {
	return sort.Search(len(s), func(i int) bool { return p.Compare(s[i].To) <= 0 })
}

// Union is what is in one of the two.
func (s Set[T]) Union(o Set[T]) Set[T] {
	switch {
	case len(s) == 0:
		return o
	case len(o) == 0:
		return s
	}
	return Of(slices.Concat(s, o)...)
}

// And is what is in both.
func (s Set[T]) And(o Set[T]) Set[T] {
	if len(o) < len(s) {
		s, o = o, s
	}
	var out Set[T]
	for _, r := range s {
		for i := o.reaching(r.From); i < len(o) && o[i].From.Compare(r.To) <= 0; i++ {
			out = append(out, Range[T]{later(r.From, o[i].From), earlier(r.To, o[i].To)})
		}
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
	return !slices.ContainsFunc(o, func(r Range[T]) bool {
		i := s.reaching(r.To)
		return i == len(s) || s[i].From.Compare(r.From) > 0
	})
}

// Minus is what is in s and not in o.
func (s Set[T]) Minus(o Set[T]) Set[T] {
	var out Set[T]
	for _, r := range s {
		from, whole := r.From, true
		for i := o.reaching(r.From); i < len(o) && o[i].From.Compare(r.To) <= 0; i++ {
			if from.Compare(o[i].From) < 0 {
				out = append(out, Range[T]{from, o[i].From.Prev()})
			}
			if o[i].To.Compare(r.To) >= 0 {
				whole = false
				break
			}
			from = o[i].To.Next()
		}
		if whole {
			out = append(out, Range[T]{from, r.To})
		}
	}
	return out
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
