package hostlist

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// FuzzParse: a pattern names the hosts that it names when its brackets are written out.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"web[01-20],role:x", "r[1,3-4]n*", "all", "[", "a]b", "group:", "*,**[00-07]", "web[0-00]", "r[1-2]n[9-10]*,web1"} {
		f.Add(seed, "web07")
		f.Add(seed, "r1n10")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		terms, err := Parse(pattern)
		if err != nil {
			if len(err.Error()) > 2000 || strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("error %q", err)
			}
			return
		}
		if len(name) > 300 || strings.ContainsFunc(name, func(r rune) bool { return !nameRune(r) }) {
			return // no host has it
		}
		for _, term := range terms {
			want, known := writtenOut(term, name)
			if got := term.Match(name); known && got != want {
				t.Errorf("%q names %q: %t, want %t", term.Text, name, got, want)
			}
		}
	})
}

// writtenOut decides by an expression that has each number of a range in it. Ranges of many are not
// written out.
func writtenOut(term Term, name string) (matches, known bool) {
	if term.Role != "" || term.Group != "" {
		return false, true
	}
	if term.Text == "all" {
		return true, true
	}
	var b strings.Builder
	b.WriteString("^")
	for rest := term.Text; rest != ""; {
		switch c := rest[0]; c {
		case '*':
			b.WriteString(".*")
			rest = rest[1:]
		case '[':
			inside, after, _ := strings.Cut(rest[1:], "]")
			rest = after
			var numbers []string
			for item := range strings.SplitSeq(inside, ",") {
				from, to, ok := strings.Cut(strings.TrimSpace(item), "-")
				if !ok {
					to = from
				}
				first, _ := strconv.Atoi(from)
				last, _ := strconv.Atoi(to)
				if last-first > 500 {
					return false, false
				}
				for n := first; n <= last; n++ {
					width := 0
					if len(from) > 1 && from[0] == '0' {
						width = len(from)
					}
					numbers = append(numbers, fmt.Sprintf("%0*d", width, n))
				}
			}
			b.WriteString("(" + strings.Join(numbers, "|") + ")")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
			rest = rest[1:]
		}
	}
	if b.Len() > 10_000 {
		return false, false
	}
	e, err := regexp.Compile(b.String() + "$")
	return err == nil && e.MatchString(name), err == nil
}

// FuzzFold: folded names stand for the same names and for none that is near them.
func FuzzFold(f *testing.F) {
	f.Add("web1 web2 web3 web09 web10 db1")
	f.Add("a1b1 a1b2 a2b1 a2b2 a01 a1")
	f.Add("n999999999 n1000000000 n0 n00 n000")
	f.Add("web1.example.net web2.example.net -x 7 8")
	f.Fuzz(func(t *testing.T, list string) {
		names := strings.Fields(list)
		if len(names) > 100 || slices.ContainsFunc(names, func(n string) bool {
			return n == "all" || strings.ContainsFunc(n, func(r rune) bool { return !nameRune(r) })
		}) {
			return // not names of hosts
		}
		folded := Fold(names)
		slices.Reverse(names)
		if other := Fold(names); other != folded {
			t.Fatalf("%q in another order: %q", folded, other)
		}
		if len(names) == 0 {
			return
		}
		terms, err := Parse(folded)
		if err != nil {
			t.Fatalf("%q: %v", folded, err)
		}
		is := func(name string) bool {
			return slices.ContainsFunc(terms, func(term Term) bool { return term.Match(name) })
		}
		for _, n := range names {
			if !is(n) {
				t.Fatalf("%q lacks %q", folded, n)
			}
			for _, near := range neighbours(n) {
				if is(near) != slices.Contains(names, near) {
					t.Fatalf("%q of %q: %q", folded, names, near)
				}
			}
		}
	})
}

// neighbours are names with one number changed a little.
func neighbours(name string) (list []string) {
	for f, number := range numbersOf(name) {
		n, _ := strconv.Atoi(number)
		for _, other := range []string{strconv.Itoa(n + 1), strconv.Itoa(max(n-1, 0)), fmt.Sprintf("%0*d", len(number), n+1), "0" + number, strings.TrimPrefix(number, "0")} {
			list = append(list, f.before+other+f.after)
		}
	}
	return append(list, name+"0", name+"x", "x"+name)
}
