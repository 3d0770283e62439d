package source

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var positions = cmpopts.IgnoreUnexported(Span{})

func TestFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		text   string
		faults []Fault
		left   []string // keys left at the top
	}{
		"table twice": {
			"[a]\nx = 1\n[b]\n\n[a]\ny = 2\n[c]\n",
			[]Fault{{Span: Span{Line: 5, Col: 2, Width: 1}, Path: []string{"a"}, First: Span{Line: 1, Col: 2, Width: 1}}},
			[]string{"a", "b", "c"},
		},
		"key twice, each again": {
			"[t.u]\nx = 1\nx = \"\"\"\n1\"\"\"\nx = [\n1]\ny = 1\n",
			[]Fault{
				{Span: Span{Line: 3, Col: 1, Width: 1}, Path: []string{"t", "u", "x"}, First: Span{Line: 2, Col: 1, Width: 1}},
				{Span: Span{Line: 5, Col: 1, Width: 1}, Path: []string{"t", "u", "x"}, First: Span{Line: 2, Col: 1, Width: 1}},
			},
			[]string{"t"},
		},
		"key twice in an inline table": {
			"t = { x = 1, x = 2, y = 3, x = 4 }\n",
			[]Fault{
				{Span: Span{Line: 1, Col: 14, Width: 1}, Path: []string{"t", "x"}, First: Span{Line: 1, Col: 7, Width: 1}},
				{Span: Span{Line: 1, Col: 28, Width: 1}, Path: []string{"t", "x"}, First: Span{Line: 1, Col: 7, Width: 1}},
			},
			[]string{"t"},
		},
		"key over a table the parser would lose it in": {
			"a.b = 1\na = 2\n",
			[]Fault{{Span: Span{Line: 2, Col: 1, Width: 1}, Path: []string{"a"}, First: Span{Line: 1, Col: 1, Width: 1}}},
			[]string{"a"},
		},
		"header into an inline table": {
			"[h]\na = {x = 1}\n[h.a.b]\ny = 2\n[c]\n",
			[]Fault{{Span: Span{Line: 3, Col: 4, Width: 1}, Path: []string{"h", "a"}, First: Span{Line: 2, Col: 1, Width: 1}}},
			[]string{"h", "c"},
		},
		"dotted key into an inline table": {
			"a = {x = 1}\na.y = [\n2]\nb = 3\n",
			[]Fault{{Span: Span{Line: 2, Col: 1, Width: 1}, Path: []string{"a"}, First: Span{Line: 1, Col: 1, Width: 1}}},
			[]string{"a", "b"},
		},
		"dotted key into a table with a header": {
			"[h.a]\nx = 1\n[h]\na.y = 2\nb = 3\n",
			[]Fault{{Span: Span{Line: 4, Col: 1, Width: 1}, Path: []string{"h", "a"}, First: Span{Line: 1, Col: 4, Width: 1}}},
			[]string{"h"},
		},
		"header of a table that dotted keys made": {
			"a.x = 1\n[a]\ny = 2\n[b]\n",
			[]Fault{{Span: Span{Line: 2, Col: 2, Width: 1}, Path: []string{"a"}, First: Span{Line: 1, Col: 1, Width: 1}}},
			[]string{"a", "b"},
		},
		"header into a number": {
			"a = 1\n[a.b]\n[b]\n",
			[]Fault{{Span: Span{Line: 2, Col: 2, Width: 1}, Path: []string{"a"}, First: Span{Line: 1, Col: 1, Width: 1}}},
			[]string{"a", "b"},
		},
		"dotted key into an array of tables": {
			"[[a]]\nx = 1\n[b]\nc.d = 1\n[b.c]\n",
			[]Fault{{Span: Span{Line: 5, Col: 4, Width: 1}, Path: []string{"b", "c"}, First: Span{Line: 4, Col: 1, Width: 1}}},
			[]string{"a", "b"},
		},
		"tables below those that dotted keys made": {
			"a.x = 1\na.z.u = 1\n[a.y]\n[a.z.v]\n[[b]]\n[b.c]\n[[b]]\n[b.c]\n",
			nil,
			[]string{"a", "b"},
		},
		"syntax error, and what stands before it": {
			"a = 1\na = 2\nb = dorp\na = 3\n",
			[]Fault{
				{Span: Span{Line: 2, Col: 1, Width: 1}, Path: []string{"a"}, First: Span{Line: 1, Col: 1, Width: 1}},
				{Span: Span{Line: 3, Col: 5, Width: 4}, Msg: `expected value but found "dorp" instead`},
			},
			nil,
		},
		"columns are characters": {
			"# c\r\n\"üü\" = x\r\n",
			[]Fault{{Span: Span{Line: 2, Col: 8, Width: 1}, Msg: `expected value but found "x" instead`}},
			nil,
		},
		"secret in a syntax error": {
			"password = hunter2\n",
			[]Fault{{Span: Span{Line: 1, Col: 12, Width: 6}, Msg: "syntax error"}},
			nil,
		},
		"TOML 1.1": {
			"a = {b = 1,\n c = 2}\nd = { e = 1, }\nf = \"\\x41\\e\"\n",
			[]Fault{
				{Span: Span{Line: 1, Col: 5, Width: 1}, Msg: "an inline table stands on one line and has no comma after its last key"},
				{Span: Span{Line: 3, Col: 5, Width: 1}, Msg: "an inline table stands on one line and has no comma after its last key"},
				{Span: Span{Line: 4, Col: 6, Width: 2}, Msg: `\x is not an escape of TOML 1.0`},
				{Span: Span{Line: 4, Col: 10, Width: 2}, Msg: `\e is not an escape of TOML 1.0`},
			},
			[]string{"a", "d", "f"},
		},
		"unterminated": {
			"a = [1,\n2\n",
			[]Fault{{Span: Span{Line: 2, Col: 2, Width: 1}, Msg: "expected a comma (',') or array terminator (']'), but got end of file"}},
			nil,
		},
		"an inline table that is open": {
			"a = [{b = 1\n",
			[]Fault{{Span: Span{Line: 1, Col: 12, Width: 1}, Msg: "expected a comma or an inline table terminator '}', but got end of file instead"}},
			nil,
		},
		"two byte order marks": {
			"\ufeff\ufeffa = 1\n",
			[]Fault{{Span: Span{Line: 1, Col: 1, Width: 1}, Msg: "the file begins with two byte order marks"}},
			nil,
		},
		"a carriage return alone": {
			"a = 1\rb = 2\n",
			[]Fault{{Span: Span{Line: 1, Col: 6, Width: 1}, Msg: "control character U+000D is not allowed"}},
			nil,
		},
		"two carriage returns at a line end": {
			"a = '''x\r\r\ny'''\nb = 1\r\n",
			[]Fault{{Span: Span{Line: 1, Col: 9, Width: 1}, Msg: "control character U+000D is not allowed"}},
			nil,
		},
		"brackets": {
			"a = " + strings.Repeat("[", 1<<20),
			[]Fault{{Span: Span{Line: 1, Col: 37, Width: 1}, Msg: "nested too deep"}},
			nil,
		},
		"dots": {
			"[" + strings.Repeat("a.", 1<<20) + "a]",
			[]Fault{{Span: Span{Line: 1, Col: 2, Width: 1}, Msg: "nested too deep"}},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			doc, faults := Read("", tt.text)
			if diff := cmp.Diff(tt.faults, faults, positions); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			var left []string
			if doc.Root != nil {
				for _, k := range doc.Root.Kids {
					left = append(left, k.Name)
				}
			}
			if diff := cmp.Diff(tt.left, left); diff != "" {
				t.Errorf("keys left (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLineHidesSecrets(t *testing.T) {
	doc, _ := Read("", "a = 1\r\nssh = { Sudo_Password = \"hünter2\", port = 22 }\n[hosts.tokens]\n\"API-token\"='x'\n")
	for line, want := range map[int]string{
		0: "", 1: "a = 1",
		2: "ssh = { Sudo_Password = **********************",
		3: "[hosts.tokens]", 4: "\"API-token\"=***", 5: "", 6: "",
	} {
		if got := doc.Line(line); got != want {
			t.Errorf("line %d is %q, want %q", line, got, want)
		}
	}
	for name, text := range map[string]string{
		"a list":                "password = [\n\"hunter2\",\n]\na = 1\n",
		"a list that is open":   "password = [\n\"hunter2\",\na = 1\n",
		"several lines":         "password = \"\"\"\nhunter2\n\"\"\"\n",
		"a string that is open": "password = '''\nhunter2\n",
		"no TOML at all":        "password: hunter2\n",
		"an escape in the key":  "\"pass\\u0077ord\" = \"hunter2\"\n",
		"a table":               "ssh = { secret = { a = [\"x\", \"hunter2\"] }, b = 1 }\n",
		"short names":           "pw = \"hunter2\"\nsudo_pass = \"hunter2\"\n[a]\nbecome-pass = 'hunter2'\n",
		"a URL":                 "probe = [ { http = \"https://u:hunter2@example.org/x\" } ]\n",
		"no good URL":           "http = 'https://u:h unter2:hunter2@example.org'\n",
		"behind a mistake":      "a = = 1\ntoken = \"hunter2\"\n",
	} {
		doc, faults := Read("", text)
		for n := range strings.Count(text, "\n") {
			if got := doc.Line(n + 1); strings.Contains(got, "hunter2") {
				t.Errorf("%s: line %d is shown as %q", name, n+1, got)
			}
		}
		for _, f := range faults {
			if strings.Contains(f.Msg, "hunter2") {
				t.Errorf("%s: %s", name, f.Msg)
			}
		}
	}
	doc, _ = Read("", "compass = 1\nbypass = 2 # pass\n[hosts.pass]\n")
	for n, want := range []string{"compass = 1", "bypass = 2 # pass", "[hosts.pass]"} {
		if got := doc.Line(n + 1); got != want {
			t.Errorf("%q is shown as %q", want, got)
		}
	}
}

func TestChar(t *testing.T) {
	text := `a = "ü\u0041\t\"x"` + "\nb = 'q\"'\nc = \"\"\"x\ny\"\"\"\nd = \"\"\"\r\nä\\\\\r\n b\\  \r\n\r\n  c\"\"\"\"\ne = '''\n\\a\r\n 'ü'''\n"
	doc, _ := Read("", text)
	for _, tt := range []struct {
		key  string
		i    int
		want Span
	}{
		{"a", 0, Span{Line: 1, Col: 6, Width: 1}},
		{"a", 2, Span{Line: 1, Col: 7, Width: 6}},
		{"a", 3, Span{Line: 1, Col: 13, Width: 2}},
		{"a", 4, Span{Line: 1, Col: 15, Width: 2}},
		{"a", 5, Span{Line: 1, Col: 17, Width: 1}},
		{"b", 1, Span{Line: 2, Col: 7, Width: 1}},
		{"c", 0, Span{Line: 3, Col: 8, Width: 1}},
		{"c", 1, Span{Line: 3, Col: 9, Width: 1}},
		{"c", 2, Span{Line: 4, Col: 1, Width: 1}},
		{"d", 2, Span{Line: 6, Col: 2, Width: 2}},
		{"d", 5, Span{Line: 7, Col: 2, Width: 1}},
		{"d", 6, Span{Line: 9, Col: 3, Width: 1}},
		{"d", 7, Span{Line: 9, Col: 4, Width: 1}},
		{"e", 1, Span{Line: 11, Col: 2, Width: 1}},
		{"e", 5, Span{Line: 12, Col: 3, Width: 1}},
	} {
		if diff := cmp.Diff(tt.want, doc.Char(doc.Root.Kid(tt.key), tt.i), positions); diff != "" {
			t.Errorf("byte %d of %s (-want +got):\n%s", tt.i, tt.key, diff)
		}
	}
}

// Nothing that fits into a file may take time that grows faster than the file:
// the time per byte is the same for a text four times as long.
func BenchmarkLargeTexts(b *testing.B) {
	for _, size := range []int{1 << 18, 1 << 20} {
		for name, text := range largeTexts(size) {
			b.Run(fmt.Sprintf("%s/%dk", name, size>>10), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					Read("", text)
				}
			})
		}
	}
}

func largeTexts(size int) map[string]string {
	fill := func(unit func(i int) string) string {
		var b strings.Builder
		for i := 0; b.Len() < size; i++ {
			b.WriteString(unit(i))
		}
		return b.String()
	}
	num := func(i int) string { return strings.Repeat("x", 1+i%3) + "_" + string(rune('a'+i%26)) + strconv.Itoa(i) }
	return map[string]string{
		"keys":            fill(func(i int) string { return num(i) + "=1\n" }),
		"one line":        "a={" + fill(func(i int) string { return num(i) + "=1," }) + "z=1}",
		"quoted keys":     "a={" + fill(func(i int) string { return `"\x41` + num(i) + `"=1,` }) + "z=1}",
		"duplicates":      fill(func(int) string { return "a=1\n" }),
		"tables twice":    fill(func(int) string { return "[a]\n" }),
		"array of tables": fill(func(int) string { return "[[a]]\n" }),
		"array":           "a=[" + fill(func(int) string { return "1,\n" }) + "]",
		"string":          `a="` + fill(func(int) string { return `\u00fc` }) + `"`,
	}
}
