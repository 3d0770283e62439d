package render

import (
	"fmt"
	"strings"
)

// maxListing bounds the listing of a host: 100,000 prefixes are 2 MiB.
const maxListing = 32 << 20

// blanks are what nft indents with. A carriage return is not among them: nft
// writes none and reads none.
const blanks = " \t"

// scanner walks through the lines of a listing. A host wrote it, so nothing is
// taken for granted: each step either moves on or fails.
type scanner struct {
	rest string
	n    int // 1-based number of the line that next returned
}

func (s *scanner) next() (string, bool) {
	if s.rest == "" {
		return "", false
	}
	var l string
	l, s.rest, _ = strings.Cut(s.rest, "\n")
	s.n++
	return l, true
}

// statement is the next line that is not blank, together with the lines it
// goes on in: an open quote (nft lets a comment hold a line feed) or an open
// brace. A line that opens a block of its own does not go on.
func (s *scanner) statement() (string, bool, error) {
	for {
		l, ok := s.next()
		if !ok {
			return "", false, nil
		}
		if strings.Trim(l, blanks) == "" {
			continue
		}
		if isOpening(l) || strings.Trim(l, blanks) == "}" {
			return strings.Trim(l, blanks), true, nil
		}
		return s.complete(l)
	}
}

func (s *scanner) complete(l string) (string, bool, error) {
	first := s.n
	var b strings.Builder
	depth, quoted := 0, false
	for {
		b.WriteString(l)
		if depth, quoted = balance(l, depth, quoted); depth < 0 {
			return "", false, s.odd(l)
		}
		if depth == 0 && !quoted {
			return strings.Trim(b.String(), blanks), true, nil
		}
		more, ok := s.next()
		if !ok {
			return "", false, fmt.Errorf("line %d: the statement that begins here does not end", first)
		}
		b.WriteString("\n")
		l = more
	}
}

// balance carries the depth of braces and the state of quotes over a line.
func balance(l string, depth int, quoted bool) (int, bool) {
	for i := 0; i < len(l) && depth >= 0; i++ {
		switch {
		case l[i] == '"':
			quoted = !quoted
		case quoted:
		case l[i] == '{':
			depth++
		case l[i] == '}':
			depth--
		}
	}
	return depth, quoted
}

// isOpening reports whether a line opens a block: a word or more, then "{" at
// the end. "elements = {" does not, it is one statement over several lines.
func isOpening(l string) bool {
	head, ok := strings.CutSuffix(strings.Trim(l, blanks), " {")
	return ok && !strings.ContainsAny(head, `{}"=@`)
}

func (s *scanner) odd(l string) error {
	return fmt.Errorf("line %d: %.80q is not understood", s.n, strings.Trim(l, blanks))
}
