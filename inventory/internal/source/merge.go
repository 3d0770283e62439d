package source

import "slices"

// Clash is a definition that two files make.
type Clash struct {
	Path          []string
	First, Second Span
}

// Absorb adds what another file defines to a top-level table: tables of the named
// kinds member by member, arrays of tables item by item, anything else if it is
// not there. What both define stays as it is and is returned. Keys that are but
// the other file's own business are passed over.
func (n *Node) Absorb(o *Node, kinds func(name string) bool, own ...string) []Clash {
	var clashes []Clash
	for _, kid := range o.Kids {
		mine := n.Kid(kid.Name)
		switch {
		case slices.Contains(own, kid.Name):
		case mine == nil:
			n.add(kid)
		case mine.Kind == Array && kid.Kind == Array && mine.tables && kid.tables:
			mine.Elems = append(mine.Elems, kid.Elems...)
		case mine.Kind == Table && kid.Kind == Table && kinds(kid.Name):
			for _, member := range kid.Kids {
				if first := mine.Kid(member.Name); first != nil {
					clashes = append(clashes, Clash{[]string{kid.Name, member.Name}, first.Key, member.Key})
					continue
				}
				mine.add(member)
			}
		default:
			clashes = append(clashes, Clash{[]string{kid.Name}, mine.Key, kid.Key})
		}
	}
	return clashes
}
