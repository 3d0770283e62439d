package space

import "slices"

// Names is a set of interfaces: those listed, or all but those. Of interfaces there
// are as many as one likes, so a set is said by what is in it or by what is not.
type Names struct {
	Except bool
	List   []string // sorted
}

// AnyName is every interface.
func AnyName() Names { return Names{Except: true} }

// NamesOf are the interfaces listed; none listed is none.
func NamesOf(names ...string) Names {
	list := slices.Sorted(slices.Values(names))
	return Names{List: slices.Compact(list)}
}

// Not are all the others.
func (n Names) Not() Names { return Names{!n.Except, n.List} }

// Empty tells whether no interface is in the set.
func (n Names) Empty() bool { return !n.Except && len(n.List) == 0 }

// Any tells whether all are.
func (n Names) Any() bool { return n.Except && len(n.List) == 0 }

// Has tells whether an interface is in the set.
func (n Names) Has(name string) bool {
	_, listed := slices.BinarySearch(n.List, name)
	return listed != n.Except
}

// And is what is in both.
func (n Names) And(o Names) Names {
	switch {
	case n.Except && o.Except:
		return Names{true, NamesOf(slices.Concat(n.List, o.List)...).List}
	case n.Except:
		n, o = o, n
	}
	var list []string
	for _, name := range n.List {
		if o.Has(name) {
			list = append(list, name)
		}
	}
	return Names{List: list}
}

// Minus is what is in n and not in o.
func (n Names) Minus(o Names) Names { return n.And(o.Not()) }

// Union is what is in one of the two.
func (n Names) Union(o Names) Names { return n.Not().And(o.Not()).Not() }

// Equal tells whether two sets hold the same.
func (n Names) Equal(o Names) bool { return n.Except == o.Except && slices.Equal(n.List, o.List) }
