package hostlist

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	// maxPattern bounds a pattern in bytes. The folded names of a thousand
	// hosts without a number in common are shorter.
	maxPattern = 64 << 10
	// maxDigits bounds the digits of a number in brackets; longer numbers in
	// names are letters to us.
	maxDigits = 9
)

// Term is one alternative of a pattern.
type Term struct {
	Text  string // as written
	Role  string // the name after "role:", "" for other terms
	Group string // the name after "group:"

	tokens []token
}

// token matches a piece of a name: a literal, any text, or a number.
type token struct {
	literal string
	star    bool
	numbers []numbers
}

// numbers is from-to as written in brackets. Width is the number of digits each
// is padded to with zeros, 0 for none.
type numbers struct {
	from, to, width int
}

const usage = "a pattern is a host, role:web, group:staging, web[01-20], web*, a comma list of these, or all"

// Parse reads a pattern.
func Parse(pattern string) ([]Term, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("pattern of %d bytes is too long, at most %d", len(pattern), maxPattern)
	}
	var terms []Term
	for _, text := range split(pattern) {
		t, err := parseTerm(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("pattern %.100q: %w; %s", pattern, err, usage)
		}
		terms = append(terms, t)
	}
	return terms, nil
}

// split cuts at the commas outside of brackets.
func split(s string) []string {
	var parts []string
	start, open := 0, false
	for i := range len(s) {
		switch {
		case s[i] == '[':
			open = true
		case s[i] == ']':
			open = false
		case s[i] == ',' && !open:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

func parseTerm(s string) (Term, error) {
	t := Term{Text: s}
	switch kind, name, ok := strings.Cut(s, ":"); {
	case s == "":
		return t, fmt.Errorf("a name is missing")
	case s == "all":
		t.tokens = []token{{star: true}}
		return t, nil
	case ok && (kind == "role" || kind == "group"):
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			return t, fmt.Errorf("%.40q is not the name of a %s", name, kind)
		}
		if t.Role = name; kind == "group" {
			t.Role, t.Group = "", name
		}
		return t, nil
	case ok:
		return t, fmt.Errorf("%.40q is not known before a colon", kind)
	}
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool { return !nameRune(r) })
		switch {
		case n < 0:
			n = len(s)
			fallthrough
		case n > 0:
			t.tokens = append(t.tokens, token{literal: s[:n]})
			s = s[n:]
		case s[0] == '*':
			t.tokens = append(t.tokens, token{star: true})
			s = strings.TrimLeft(s, "*")
		case s[0] == '[':
			inside, rest, ok := strings.Cut(s[1:], "]")
			if !ok {
				return t, fmt.Errorf(`a "[" is not closed`)
			}
			list, err := parseNumbers(inside)
			if err != nil {
				return t, err
			}
			t.tokens = append(t.tokens, token{numbers: list})
			s = rest
		default:
			return t, fmt.Errorf("%q has no meaning", []rune(s)[0])
		}
	}
	return t, nil
}

func nameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
}

// parseNumbers reads what stands in brackets: 1,3,05-07.
func parseNumbers(s string) ([]numbers, error) {
	var list []numbers
	for item := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(item), "-")
		if !isRange {
			to = from
		}
		for _, n := range []string{from, to} {
			if n == "" || digits(n) != len(n) {
				inside := fmt.Sprintf("%.40q", s) // it may hold what a terminal acts on
				return nil, fmt.Errorf("[%s] holds numbers and ranges such as 01-20, not %.40q", inside[1:len(inside)-1], item)
			}
			if len(n) > maxDigits {
				return nil, fmt.Errorf("%.40q has more than %d digits", n, maxDigits)
			}
		}
		n := numbers{}
		n.from, _ = strconv.Atoi(from) // digits only, and few
		n.to, _ = strconv.Atoi(to)
		if from[0] == '0' && len(from) > 1 {
			n.width = len(from)
		}
		if n.to < n.from {
			return nil, fmt.Errorf("range %s ends before it starts", strings.TrimSpace(item))
		}
		if n.format(n.to) != to {
			return nil, fmt.Errorf("range %s: write %s as %q", strings.TrimSpace(item), to, n.format(n.to))
		}
		list = append(list, n)
	}
	return list, nil
}

func (n numbers) format(i int) string { return fmt.Sprintf("%0*d", n.width, i) }

// Match reports whether the term names a host. A term for a role or a group names
// none.
func (t Term) Match(name string) bool {
	if t.Role != "" || t.Group != "" {
		return false
	}
	// at[i] tells whether the tokens so far can end before name[i]. Working
	// through all ends at once keeps "*a*a*a*b" from taking forever.
	at := make([]bool, len(name)+1)
	at[0] = true
	for _, tok := range t.tokens {
		next := make([]bool, len(name)+1)
		for i, ok := range at {
			if ok {
				tok.ends(name, i, next)
			}
		}
		at = next
	}
	return at[len(name)]
}

// ends marks where the token can end if it starts at name[i].
func (tok token) ends(name string, i int, next []bool) {
	switch {
	case tok.star:
		for ; i <= len(name); i++ {
			next[i] = true
		}
	case tok.numbers != nil:
		most := min(digits(name[i:]), maxDigits)
		for n := 1; n <= most; n++ {
			if tok.has(name[i : i+n]) {
				next[i+n] = true
			}
		}
	case strings.HasPrefix(name[i:], tok.literal):
		next[i+len(tok.literal)] = true
	}
}

func (tok token) has(number string) bool {
	v, _ := strconv.Atoi(number) // at most maxDigits digits
	for _, n := range tok.numbers {
		if n.from <= v && v <= n.to && n.format(v) == number {
			return true
		}
	}
	return false
}
