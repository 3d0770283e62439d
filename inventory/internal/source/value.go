package source

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// value scans what stands right of an equals sign or inside an array.
func (s *scanner) value(n *Node, depth int) bool {
	start := s.pos
	n.Val = s.span(start, start)
	if depth > maxDepth {
		return s.deep(n.Val)
	}
	var ok bool
	switch s.peek() {
	case '"':
		if ok = strings.HasPrefix(s.text[start:], `"""`); ok {
			ok = s.multiline(`"""`)
		} else {
			ok = s.basicString()
		}
	case '\'':
		if ok = strings.HasPrefix(s.text[start:], `'''`); ok {
			ok = s.multiline(`'''`)
		} else {
			ok = s.literalString()
		}
	case '[':
		ok = s.array(n, depth)
	case '{':
		ok = s.inline(n, depth)
	default:
		ok = s.word()
	}
	if ok {
		s.stretch(&n.Val, s.pos)
	}
	if n.Key.Line == 0 {
		n.Key = n.Val
	}
	return ok
}

// word scans a number, a boolean or a date; a date may have a space in it.
func (s *scanner) word() bool {
	start := s.pos
	for s.pos < len(s.text) && !strings.ContainsRune(",]}#\n", rune(s.text[s.pos])) {
		s.pos++
	}
	s.pos = start + len(strings.TrimRight(s.text[start:s.pos], " \t"))
	return s.pos > start
}

func (s *scanner) array(n *Node, depth int) bool {
	s.pos++
	for {
		s.blank()
		if s.accept(']') {
			return true
		}
		e := &Node{Name: n.Name, parent: n.parent}
		n.Elems = append(n.Elems, e)
		if !s.value(e, depth+1) {
			return false
		}
		if s.blank(); !s.accept(',') {
			return s.accept(']')
		}
	}
}

// inline scans an inline table. The parser takes line ends and a last comma in
// it, which TOML 1.0 does not and other readers of the file refuse.
func (s *scanner) inline(n *Node, depth int) bool {
	open := n.Val
	s.pos++
	said, comma := -1, false // said: which fault it is
	newer := func() {
		if said < 0 {
			s.stretch(&open, open.off+1)
			said = len(s.faults)
			s.faults = append(s.faults, Fault{Span: open, Msg: "an inline table stands on one line and has no comma after its last key"})
		}
	}
	for {
		start := s.pos
		if s.blank(); strings.ContainsAny(s.text[start:s.pos], "#\n") {
			newer()
		}
		if s.accept('}') {
			if comma {
				newer()
			}
			return true
		}
		if !s.keyValue(n, true, depth) {
			return false
		}
		start = s.pos
		if s.blank(); strings.ContainsAny(s.text[start:s.pos], "#\n") {
			newer()
		}
		if comma = s.accept(','); !comma && s.peek() != '}' {
			if said >= 0 && s.pos == len(s.text) { // it was never meant to go on
				s.faults = slices.Delete(s.faults, said, said+1)
			}
			return false
		}
	}
}

func (s *scanner) literalString() bool {
	i := strings.IndexAny(s.text[s.pos+1:], "'\n")
	if i < 0 || s.text[s.pos+1+i] == '\n' {
		return false
	}
	s.pos += 1 + i + 1
	return true
}

func (s *scanner) basicString() bool {
	for i := s.pos + 1; i < len(s.text); i++ {
		switch s.text[i] {
		case '\\':
			s.escape(i)
			i++
		case '\n':
			return false
		case '"':
			s.pos = i + 1
			return true
		}
	}
	return false
}

// multiline scans a string between three quotes; up to two more of them may
// stand before the closing three.
func (s *scanner) multiline(quotes string) bool {
	for i := s.pos + 3; i < len(s.text); i++ {
		if s.text[i] == '\\' && quotes == `"""` {
			s.escape(i)
			i++
			continue
		}
		if !strings.HasPrefix(s.text[i:], quotes) {
			continue
		}
		i += 3
		for n := 0; n < 2 && i < len(s.text) && s.text[i] == quotes[0]; n++ {
			i++
		}
		s.pos = i
		return true
	}
	return false
}

// escape refuses the escapes that came with TOML 1.1, \e and \xHH.
func (s *scanner) escape(i int) {
	if i+1 < len(s.text) && (s.text[i+1] == 'e' || s.text[i+1] == 'x') {
		s.faults = append(s.faults, Fault{
			Span: s.span(i, i+2), Msg: `\` + s.text[i+1:i+2] + ` is not an escape of TOML 1.0`,
		})
	}
}

// unescape returns what a basic string on one line says.
func unescape(raw string) (string, bool) {
	var b strings.Builder
	for raw != "" {
		r, n, ok := char(raw)
		if !ok {
			return "", false
		}
		b.WriteRune(r)
		raw = raw[n:]
	}
	return b.String(), true
}

// char decodes the first character of a basic string and tells how many bytes
// it takes there.
func char(raw string) (r rune, n int, ok bool) {
	if raw[0] != '\\' {
		r, n = utf8.DecodeRuneInString(raw)
		return r, n, true
	}
	if len(raw) < 2 {
		return 0, 0, false
	}
	if i := strings.IndexByte(`btnfre"\`, raw[1]); i >= 0 {
		return rune("\b\t\n\f\r\x1b\"\\"[i]), 2, true
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[raw[1]]
	if digits == 0 || len(raw) < 2+digits {
		return 0, 0, false
	}
	v, err := strconv.ParseUint(raw[2:2+digits], 16, 32)
	return rune(v), 2 + digits, err == nil && utf8.ValidRune(rune(v))
}

// Char returns where the i-th byte of a string's value was written.
func (d *Doc) Char(n *Node, i int) Span {
	raw := d.text[n.Val.off:n.Val.end]
	if n.Kind != String || len(raw) < 2 {
		return n.Val
	}
	quote, basic := 1, raw[0] == '"'
	if strings.HasPrefix(raw, `"""`) || strings.HasPrefix(raw, `'''`) {
		quote = 3
	}
	at, end := quote, len(raw)-quote
	if quote == 3 && raw[at] == '\n' {
		at++ // is no part of the value
	}
	for at < end {
		r, size := utf8.DecodeRuneInString(raw[at:end])
		if basic && r == '\\' {
			if line := strings.TrimLeft(raw[at+1:end], " \t"); strings.HasPrefix(line, "\n") {
				at = end - len(strings.TrimLeft(line, " \t\n"))
				continue
			}
			var ok bool
			if r, size, ok = char(raw[at:end]); !ok {
				return n.Val
			}
		}
		if i -= utf8.RuneLen(r); i < 0 {
			return d.piece(n.Val.off+at, n.Val.off+at+size)
		}
		at += size
	}
	return n.Val
}

// piece is the span of text[off:end].
func (d *Doc) piece(off, end int) Span {
	line, begins := slices.BinarySearch(d.starts, off)
	if begins {
		line++
	}
	start := d.starts[line-1]
	sp := Span{File: d.file, Line: line, Col: 1 + utf8.RuneCountInString(d.text[start:off]), off: off}
	newScanner(d.file, d.text).stretch(&sp, end)
	return sp
}

// SpanAt returns the key or value that begins at a place, one character if
// none does.
func (d *Doc) SpanAt(line, col int) Span {
	raw := d.raw(line)
	s := newScanner(d.file, raw)
	for range col - 1 {
		_, n := utf8.DecodeRuneInString(raw[s.pos:])
		s.pos += n
	}
	sp := Span{File: d.file, Line: line, Col: col, off: s.pos}
	switch {
	case s.pos == len(raw):
	case strings.IndexByte(`"'[{`, raw[s.pos]) < 0:
		for bare(s.peek()) {
			s.pos++
		}
	case !s.value(new(Node), 0):
		s.pos = len(raw) // it goes on in the next line
	}
	s.stretch(&sp, s.pos)
	return sp
}
