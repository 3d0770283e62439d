package hostlist

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Fold writes host names as few patterns: web[01-11,13-20],db1. Each name is
// folded over one of its numbers; zeros before a number are kept. The result
// names exactly the given hosts, depends on nothing but the set of names, and
// is in natural order.
func Fold(names []string) string {
	names = slices.Clone(names)
	slices.SortFunc(names, Compare)
	names = slices.Compact(names)

	families := make(map[family][]member)
	for i, name := range names {
		for f, number := range numbersOf(name) {
			families[f] = append(families[f], member{i, number})
		}
	}
	order := make([]family, 0, len(families))
	for f, members := range families {
		if len(members) > 1 {
			order = append(order, f)
		}
	}
	// A name that could be folded in two ways goes where more of its like are.
	slices.SortFunc(order, func(a, b family) int {
		return cmp.Or(
			cmp.Compare(len(families[b]), len(families[a])),
			cmp.Compare(a.before, b.before), cmp.Compare(a.after, b.after),
		)
	})

	words := make(map[int]string) // by the first name a word stands for
	taken := make([]bool, len(names))
	for _, f := range order {
		free := slices.DeleteFunc(families[f], func(m member) bool { return taken[m.index] })
		if len(free) < 2 {
			continue
		}
		first := free[0].index
		for _, m := range free {
			taken[m.index] = true
			first = min(first, m.index)
		}
		words[first] = f.before + "[" + ranges(free) + "]" + f.after
	}
	var out []string
	for i, name := range names {
		if !taken[i] {
			out = append(out, name)
		} else if w, ok := words[i]; ok {
			out = append(out, w)
		}
	}
	return strings.Join(out, ",")
}

// family is what names have in common when one of their numbers is taken out.
type family struct{ before, after string }

// member is a name by its index, and its number as written.
type member struct {
	index  int
	number string
}

// numbersOf yields every number of a name with the family it is a member of.
func numbersOf(name string) func(yield func(family, string) bool) {
	return func(yield func(family, string) bool) {
		for i := 0; i < len(name); {
			n := digits(name[i:])
			if n > 0 && n <= maxDigits && !yield(family{name[:i], name[i+n:]}, name[i:i+n]) {
				return
			}
			i += max(n, 1)
		}
	}
}

// ranges writes numbers as 01-03,7. A range does not outgrow its zeros, 09-99,100 and not
// 09-100, which ClusterShell refuses.
func ranges(members []member) string {
	slices.SortFunc(members, func(a, b member) int {
		return cmp.Or(compareNumbers(a.number, b.number), cmp.Compare(len(a.number), len(b.number)))
	})
	var out []string
	for i := 0; i < len(members); {
		r := numbers{}
		first := members[i].number
		if first[0] == '0' && len(first) > 1 {
			r.width = len(first)
		}
		r.from, _ = strconv.Atoi(first) // at most maxDigits digits
		last := first
		for i++; i < len(members) && members[i].number == r.format(r.from+1) && (r.width == 0 || len(members[i].number) == r.width); i++ {
			r.from++
			last = members[i].number
		}
		if last != first {
			first += "-" + last
		}
		out = append(out, first)
	}
	return strings.Join(out, ",")
}
