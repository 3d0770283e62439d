package source

import "time"

// Kind is the TOML type of a value.
type Kind int

const (
	Table Kind = iota
	Array
	String
	Integer
	Float
	Bool
	Time // a date, a time or both
)

// Span is a piece of one line of the text. Line and Col count from 1; Col and
// Width count characters. A value of several lines is told by its first line.
type Span struct {
	File             string // the name that Read was given
	Line, Col, Width int

	off, end int // bytes of the whole piece, all its lines included
}

// Node is a value and where it stands.
type Node struct {
	Name string // its key; for an element of an array the key of the array
	Key  Span   // where Name stands; for an element of an array the same as Val
	Val  Span   // where the value stands; for a table with a header its name there

	Kind  Kind
	Value any     // string, int64, float64, bool or time.Time; nil for Table and Array
	Kids  []*Node // members of a table, in the order of the file
	Elems []*Node // elements of an array

	parent   *Node // the table it is a member of
	byName   map[string]*Node
	explicit bool // written as a header or a key, not only implied by a longer one
	tables   bool // an array written as [[name]]
	value    bool // right of an equals sign: an inline table ends where it is written
	dotted   bool // a table that only dotted keys have made
}

// Kid returns the member of a table by name, nil if there is none.
func (n *Node) Kid(name string) *Node {
	if n == nil {
		return nil
	}
	return n.byName[name]
}

// Text returns the value of a String, "" for other kinds and for no node.
func (n *Node) Text() string {
	if n == nil {
		return ""
	}
	s, _ := n.Value.(string)
	return s
}

func (n *Node) add(kid *Node) {
	if n.byName == nil {
		n.byName = make(map[string]*Node)
	}
	kid.parent = n
	n.byName[kid.Name] = kid
	n.Kids = append(n.Kids, kid)
}

// bind gives every node its value and reports whether the parser and the
// scanner saw the same tree.
func (n *Node) bind(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		n.Kind = Table
		if len(v) != len(n.Kids) || n.Elems != nil {
			return false
		}
		for _, kid := range n.Kids {
			if value, ok := v[kid.Name]; !ok || !kid.bind(value) {
				return false
			}
		}
		return true
	case []map[string]any:
		n.Kind = Array
		return bindElems(n, v)
	case []any:
		n.Kind = Array
		return bindElems(n, v)
	case string:
		n.Kind = String
	case int64:
		n.Kind = Integer
	case float64:
		n.Kind = Float
	case bool:
		n.Kind = Bool
	case time.Time:
		n.Kind = Time
	default:
		return false
	}
	n.Value = v
	return n.Kids == nil && n.Elems == nil
}

func bindElems[T any](n *Node, values []T) bool {
	if len(values) != len(n.Elems) || n.Kids != nil {
		return false
	}
	for i, e := range n.Elems {
		if !e.bind(values[i]) {
			return false
		}
	}
	return true
}
