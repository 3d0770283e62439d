package source

import (
	"slices"
	"unicode/utf8"
)

// Point is a line and a column of a text, both counted from 1.
type Point struct{ Line, Col int }

// Step leads from a value to one inside: to a member of a table by its name, or to
// an item of an array by its index.
type Step struct {
	Name  string
	Index int // -1 for a member of a table
}

// Paths returns the steps that lead to what stands at each place; of what lies in
// one another to the innermost. A place that no key or value holds is not among them.
// It looks at the text once, however many places there are.
func (d *Doc) Paths(places []Point) map[Point][]Step {
	found := map[Point][]Step{}
	if d == nil || d.Root == nil || len(places) == 0 {
		return found
	}
	type located struct {
		off int
		Point
	}
	var list []located
	for _, p := range places {
		raw := d.raw(p.Line)
		if p.Line < 1 || p.Line > len(d.starts) {
			continue
		}
		off := 0
		for range p.Col - 1 {
			_, n := utf8.DecodeRuneInString(raw[off:])
			off += n
		}
		list = append(list, located{d.starts[p.Line-1] + off, p})
	}
	slices.SortFunc(list, func(a, b located) int { return a.off - b.off })

	var path []Step
	mark := func(sp Span) {
		i, _ := slices.BinarySearchFunc(list, sp.off, func(l located, off int) int { return l.off - off })
		for ; i < len(list) && (list[i].off < sp.end || list[i].off == sp.off); i++ {
			found[list[i].Point] = slices.Clone(path)
		}
	}
	var walk func(n *Node)
	visit := func(n *Node, step Step) {
		if n.Key.File != d.file {
			return // another file's, absorbed
		}
		path = append(path, step)
		mark(n.Key)
		mark(n.Val)
		walk(n)
		path = path[:len(path)-1]
	}
	walk = func(n *Node) {
		for _, kid := range n.Kids {
			visit(kid, Step{kid.Name, -1})
		}
		for i, e := range n.Elems {
			visit(e, Step{"", i})
		}
	}
	walk(d.Root)
	return found
}
