package hostlist

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCompare(t *testing.T) {
	want := []string{"db1", "web", "web01", "web1", "web2", "web2-1", "web2-10", "web2a", "web10", "web10.b", "web18446744073709551616", "webs"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, Compare)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestCompareIsAnOrder(t *testing.T) {
	name := rapid.StringMatching(`[a-b0-2.-]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := name.Draw(t, "a"), name.Draw(t, "b"), name.Draw(t, "c")
		if Compare(a, b) != -Compare(b, a) || (Compare(a, b) == 0) != (a == b) {
			t.Fatalf("%q and %q: %d and %d", a, b, Compare(a, b), Compare(b, a))
		}
		if Compare(a, b) <= 0 && Compare(b, c) <= 0 && Compare(a, c) > 0 {
			t.Fatalf("%q <= %q <= %q, but the first is greater than the last", a, b, c)
		}
	})
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		yes, no []string
	}{
		{"web1", []string{"web1"}, []string{"web10", "aweb1", "web", "web01"}},
		{"web[01-20]", []string{"web01", "web09", "web20"}, []string{"web1", "web00", "web21", "web001"}},
		{"web[1-20]", []string{"web1", "web20"}, []string{"web01", "web0", "web21"}},
		{"web[08-011]", nil, nil},
		{"web[08-11]", []string{"web08", "web10", "web11"}, []string{"web8", "web011"}},
		{"web[1,3,5-7].example.net", []string{"web3.example.net", "web6.example.net"}, []string{"web2.example.net", "web3"}},
		{"r[1-2]n[01-10]", []string{"r1n01", "r2n10"}, []string{"r3n01", "r1n1", "r1n011"}},
		{"web*", []string{"web", "web1", "webs.example.net"}, []string{"wweb", "db1"}},
		{"*.lan", []string{"a.lan", "a.b.lan"}, []string{"a.lan.net", "lan"}},
		{"w*b[1-2]*", []string{"web1", "wb2.x", "wabb12"}, []string{"web3", "web"}},
		{"a1,b[1,2], c*", []string{"a1", "b2", "cat"}, []string{"a2", "b3", "d"}},
		{"all", []string{"a", "web01.example.net"}, nil},
		{"role:web", nil, []string{"web", "role", "a"}},
	} {
		terms, err := Parse(tt.pattern)
		if tt.yes == nil && tt.no == nil {
			if err == nil {
				t.Errorf("%s: taken, want an error", tt.pattern)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
		}
		match := func(name string) bool {
			return slices.ContainsFunc(terms, func(term Term) bool { return term.Match(name) })
		}
		for _, name := range tt.yes {
			if !match(name) {
				t.Errorf("%s does not match %s", tt.pattern, name)
			}
		}
		for _, name := range tt.no {
			if match(name) {
				t.Errorf("%s matches %s", tt.pattern, name)
			}
		}
	}
}

func TestParseErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                         `a name is missing`,
		"web1,,web2":               `a name is missing`,
		"web[1-3":                  `a "[" is not closed`,
		"web1]":                    `']' has no meaning`,
		"^web.*$":                  `'^' has no meaning`,
		"web(1|2)":                 `'(' has no meaning`,
		"web[20-1]":                `range 20-1 ends before it starts`,
		"web[01-5]":                `range 01-5: write 5 as "05"`,
		"web[]":                    `[] holds numbers and ranges such as 01-20, not ""`,
		"web[a-c]":                 `[a-c] holds numbers and ranges such as 01-20, not "a-c"`,
		"web[1-2-3]":               `[1-2-3] holds numbers and ranges such as 01-20, not "1-2-3"`,
		"web[1234567890]":          `"1234567890" has more than 9 digits`,
		"group:":                   `"" is not the name of a group`,
		"role:":                    `"" is not the name of a role`,
		"role:web*":                `"web*" is not the name of a role`,
		"host:web1":                `"host" is not known before a colon`,
		"web\x1b[1":                `'\x1b' has no meaning`,
		strings.Repeat("a", 1e5):   `pattern of 100000 bytes is too long, at most 65536`,
		"web[\x1b[2J]":             `[\x1b[2J] holds numbers`,
		"web[1, \t3-2]":            `range 3-2 ends before it starts`,
		"web1, \u202eweb[1,3-2,7]": `'\u202e' has no meaning`,
	} {
		_, err := Parse(pattern)
		if err == nil {
			t.Errorf("%q is taken, want %s", pattern, want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", pattern, err, want)
		} else if strings.ContainsAny(err.Error(), "\x1b\u202e\t") {
			t.Errorf("%q: the error holds control characters: %q", pattern, err)
		}
	}
}

func TestMatchTakesNoExponentialTime(t *testing.T) {
	terms, err := Parse(strings.Repeat("*a", 2000) + "b")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if terms[0].Match(strings.Repeat("a", 250)) {
		t.Error("matches")
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %s", d)
	}
}

func TestFold(t *testing.T) {
	web := func(skip ...int) []string {
		var names []string
		for i := 20; i > 0; i-- {
			if !slices.Contains(skip, i) {
				names = append(names, fmt.Sprintf("web%02d", i))
			}
		}
		return names
	}
	for want, names := range map[string][]string{
		"":                        nil,
		"web1":                    {"web1", "web1"},
		"web[01-20]":              web(),
		"web[01-11,13-20]":        web(12),
		"db1,web[07,14]":          {"web14", "db1", "web07"},
		"web[8-11]":               {"web10", "web9", "web11", "web8"},
		"web[08-11]":              {"web10", "web09", "web11", "web08"},
		"web[1,01,2]":             {"web01", "web1", "web2"},
		"web[0-1,10]":             {"web0", "web10", "web1"},
		"web[09-99,100-101]":      slices.Concat(seq("web%02d", 9, 99), []string{"web100", "web101"}),
		"web[1-3].dc1":            {"web1.dc1", "web2.dc1", "web3.dc1"},
		"web[1-3].dc1,web1.dc2":   {"web1.dc1", "web2.dc1", "web3.dc1", "web1.dc2"},
		"n1234567890,n1234567891": {"n1234567890", "n1234567891"},
		"bastion,db,web":          {"web", "db", "bastion"},
	} {
		if got := Fold(names); got != want {
			t.Errorf("Fold(%q) = %s, want %s", names, got, want)
		}
	}
}

func seq(format string, from, to int) []string {
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprintf(format, i))
	}
	return out
}

// expand writes out every name a folded list stands for.
func expand(t *rapid.T, folded string) []string {
	var out []string
	if folded == "" {
		return out
	}
	for _, word := range split(folded) {
		before, rest, ok := strings.Cut(word, "[")
		if !ok {
			out = append(out, word)
			continue
		}
		inside, after, _ := strings.Cut(rest, "]")
		for item := range strings.SplitSeq(inside, ",") {
			from, to, isRange := strings.Cut(item, "-")
			if !isRange {
				to = from
			}
			a, b := 0, 0
			if _, err := fmt.Sscanf(from+" "+to, "%d %d", &a, &b); err != nil {
				t.Fatalf("%s: %v", folded, err)
			}
			for ; a <= b; a++ {
				n := fmt.Sprint(a)
				if from[0] == '0' {
					n = fmt.Sprintf("%0*d", len(from), a)
				}
				out = append(out, before+n+after)
			}
		}
	}
	return out
}

func TestFoldRoundTrip(t *testing.T) {
	name := rapid.StringMatching(`(web|db|r[0-3]n)?[0-1]?[0-9]{0,2}(-[0-9])?(\.lan[12])?`).
		Filter(func(s string) bool { return s != "" })
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(name, 0, 40).Draw(t, "names")
		folded := Fold(names)
		want := slices.Compact(slices.Sorted(slices.Values(names)))
		if got := slices.Sorted(slices.Values(expand(t, folded))); !slices.Equal(got, want) {
			t.Fatalf("%s stands for %q, want %q", folded, got, want)
		}
		slices.Reverse(names)
		if again := Fold(names); again != folded {
			t.Fatalf("order matters: %s and %s", folded, again)
		}
		if len(names) == 0 {
			return
		}
		terms, err := Parse(folded)
		if err != nil {
			t.Fatalf("%s is no pattern: %v", folded, err)
		}
		probe := name.Draw(t, "probe")
		hit := slices.ContainsFunc(terms, func(term Term) bool { return term.Match(probe) })
		if hit != slices.Contains(names, probe) {
			t.Fatalf("%s matches %s: %v", folded, probe, hit)
		}
	})
}
