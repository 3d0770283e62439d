package source

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the parts of a key and the nesting of values. A fleet file
// needs six; without a bound a file of brackets ends the parser by overflowing
// its stack, which no recover can catch.
const maxDepth = 32

// scanner walks TOML text and notes where everything stands. It judges only
// what the parser does not (duplicates by place, what is newer than TOML 1.0)
// and stops at what it cannot read: the parser has the words for that.
type scanner struct {
	file string
	text string
	pos  int

	mark, line, col int // where mark stands; moves forward with the scan

	root    *Node
	faults  []Fault
	tooDeep bool

	blanks [][2]int // byte ranges of definitions that are not to be parsed
}

func newScanner(file, text string) *scanner {
	return &scanner{file: file, text: text, line: 1, col: 1, root: &Node{explicit: true}}
}

// span describes text[off:end]. It is cheap for growing off.
func (s *scanner) span(off, end int) Span {
	if off < s.mark {
		s.mark, s.line, s.col = 0, 1, 1
	}
	for ; s.mark < off; s.mark++ {
		switch b := s.text[s.mark]; {
		case b == '\n':
			s.line, s.col = s.line+1, 1
		case utf8.RuneStart(b):
			s.col++
		}
	}
	sp := Span{File: s.file, Line: s.line, Col: s.col, off: off}
	s.stretch(&sp, end)
	return sp
}

// stretch sets where a span ends; its width is what of it is on its first line.
func (s *scanner) stretch(sp *Span, end int) {
	first := s.text[sp.off:end]
	if i := strings.IndexByte(first, '\n'); i >= 0 {
		first = first[:i]
	}
	sp.end, sp.Width = end, max(utf8.RuneCountInString(first), 1)
}

func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner) accept(c byte) bool {
	if s.pos < len(s.text) && s.text[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) spaces() {
	for s.peek() == ' ' || s.peek() == '\t' {
		s.pos++
	}
}

// blank skips spaces, line ends and comments.
func (s *scanner) blank() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n':
			s.pos++
		case '#':
			s.comment()
		default:
			return
		}
	}
}

func (s *scanner) comment() {
	if i := strings.IndexByte(s.text[s.pos:], '\n'); i >= 0 {
		s.pos += i
	} else {
		s.pos = len(s.text)
	}
}

// document scans the whole text and reports whether it could.
func (s *scanner) document() bool {
	cur, dropped := s.root, -1 // dropped: where a table that is left out begins
	for {
		s.blank()
		if s.pos == len(s.text) || s.peek() == '[' {
			if dropped >= 0 {
				s.blanks = append(s.blanks, [2]int{dropped, s.pos})
				dropped = -1
			}
			if s.pos == len(s.text) {
				return true
			}
			start := s.pos
			table, again, ok := s.header()
			if !ok {
				return false
			}
			if cur = table; again {
				dropped = start
			}
		} else if !s.keyValue(cur, false, 0) {
			return false
		}
		s.spaces()
		if s.peek() == '#' {
			s.comment()
		}
		if s.pos < len(s.text) && !s.accept('\n') {
			return false
		}
	}
}

// part is one name of a dotted key.
type part struct {
	name string
	span Span
}

// key scans a dotted key.
func (s *scanner) key() ([]part, bool) {
	var parts []part
	for {
		s.spaces()
		start, name, ok := s.pos, "", true
		at := s.span(start, start)
		switch s.peek() {
		case '"':
			if ok = s.basicString(); ok {
				name, ok = unescape(s.text[start+1 : s.pos-1])
			}
		case '\'':
			if ok = s.literalString(); ok {
				name = s.text[start+1 : s.pos-1]
			}
		default:
			for s.pos < len(s.text) && bare(s.text[s.pos]) {
				s.pos++
			}
			name = s.text[start:s.pos]
			ok = name != ""
		}
		if !ok {
			return nil, false
		}
		s.stretch(&at, s.pos)
		parts = append(parts, part{name, at})
		if len(parts) > maxDepth {
			return nil, s.deep(parts[0].span)
		}
		s.spaces()
		if !s.accept('.') {
			return parts, true
		}
	}
}

// deep records that the file is nested beyond maxDepth; it returns false.
func (s *scanner) deep(at Span) bool {
	s.tooDeep = true
	s.faults = append(s.faults, Fault{Span: at, Msg: "nested too deep"})
	return false
}

// down goes from a table along the parts of a dotted key, into the last element
// of an array of tables. Closed is where it may not go on: a value, which ends
// where it is written, and for a key, not a header, also a table that has a
// header of its own; at is the part that leads there. TOML 1.0 refuses both, the
// parser does not always.
func (n *Node) down(parts []part, key bool) (table, closed *Node, at Span) {
	for _, p := range parts {
		kid := n.byName[p.name]
		switch {
		case kid == nil:
			kid = &Node{Name: p.name, Key: p.span, Val: p.span, dotted: key}
			n.add(kid)
		case kid.tables && !key:
			kid = kid.Elems[len(kid.Elems)-1]
		case kid.tables, kid.value, key && !kid.dotted:
			return n, kid, p.span
		}
		n = kid
	}
	return n, nil, Span{}
}

// header scans [a.b] or [[a.b]] and returns the table it opens. Again says
// that the table was defined before.
func (s *scanner) header() (table *Node, again, ok bool) {
	s.pos++
	array := s.accept('[')
	parts, ok := s.key()
	if !ok || !s.accept(']') || array && !s.accept(']') {
		return nil, false, false
	}
	last := parts[len(parts)-1]
	n, closed, at := s.root.down(parts[:len(parts)-1], false)
	table = &Node{Name: last.name, Key: last.span, Val: last.span, explicit: true, parent: n}
	if closed != nil {
		s.duplicate(&Node{Name: closed.Name, Key: at, parent: closed.parent}, closed)
		return table, true, true
	}
	kid := n.byName[last.name]
	switch {
	case array && kid == nil:
		n.add(&Node{Name: last.name, Key: last.span, Val: last.span, tables: true, Elems: []*Node{table}})
	case array && kid.tables:
		kid.Elems = append(kid.Elems, table)
	case kid == nil:
		n.add(table)
	case kid.explicit || array || kid.tables || kid.dotted:
		s.duplicate(table, kid)
		return table, true, true
	default:
		kid.Key, kid.Val, kid.explicit = last.span, last.span, true
		return kid, false, true
	}
	return table, false, true
}

// duplicate records that n is another definition of first.
func (s *scanner) duplicate(n, first *Node) {
	path := []string{n.Name}
	for p := n.parent; p != s.root; p = p.parent {
		path = append(path, p.Name)
	}
	slices.Reverse(path)
	s.faults = append(s.faults, Fault{Span: n.Key, Path: path, First: first.Key})
}

// keyValue scans key = value into a table.
func (s *scanner) keyValue(table *Node, inline bool, depth int) bool {
	start := s.pos
	parts, ok := s.key()
	if !ok || !s.accept('=') {
		return false
	}
	s.spaces()
	last := parts[len(parts)-1]
	table, first, at := table.down(parts[:len(parts)-1], true)
	n := &Node{Name: last.name, Key: last.span, explicit: true, value: true, parent: table}
	if first != nil {
		s.duplicate(&Node{Name: first.Name, Key: at, parent: first.parent}, first)
	} else if first = table.byName[last.name]; first == nil {
		table.add(n)
	} else {
		s.duplicate(n, first)
	}
	ok = s.value(n, depth+1)
	if first != nil {
		end := s.pos
		if s.spaces(); inline && s.accept(',') {
			// With its comma, or the table would have two in a row.
			end, s.pos = s.pos, s.pos-1
		}
		s.blanks = append(s.blanks, [2]int{start, end})
	}
	return ok
}

// blanked returns the text with every later definition replaced by spaces, all
// other bytes where they were.
func (s *scanner) blanked() string {
	if len(s.blanks) == 0 {
		return s.text
	}
	b := []byte(s.text)
	for _, r := range s.blanks {
		for i := r[0]; i < r[1]; i++ {
			if b[i] != '\n' {
				b[i] = ' '
			}
		}
	}
	return string(b)
}

func bare(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}
