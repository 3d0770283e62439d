package source

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// keys lists what was written as a key or header, in order of the file, as the
// parser does.
func keys(root *Node) [][]string {
	type found struct {
		off  int
		path []string
	}
	var all []found
	var walk func(n *Node, path []string)
	walk = func(n *Node, path []string) {
		if n.explicit && len(path) > 0 {
			all = append(all, found{n.Key.off, path})
		}
		for _, k := range n.Kids {
			walk(k, append(slices.Clip(path), k.Name))
		}
		for _, e := range n.Elems {
			walk(e, path)
		}
	}
	walk(root, nil)
	slices.SortFunc(all, func(a, b found) int { return a.off - b.off })
	var out [][]string
	for _, f := range all {
		out = append(out, f.path)
	}
	return out
}

// agree fails unless the places of a document are those of its values: the keys
// are the parser's, the text under a key decodes to its name, and the text
// under a value decodes to it. With lax the text may have duplicates which the
// parser lets pass, as it does for `a.b = 1` followed by `a = 2`.
func agree(t interface {
	Fatalf(string, ...any)
	Helper()
}, text string, lax bool) {
	t.Helper()
	var values map[string]any
	md, err := toml.Decode(text, &values)
	if err != nil {
		return
	}
	doc, faults := Read("", text)
	for _, f := range faults {
		if f.Msg == "nested too deep" || f.Path != nil && lax {
			return
		}
		if f.Path != nil {
			t.Fatalf("duplicate %q in a text without any\n%q", f.Path, text)
		}
	}
	if doc.Root == nil {
		t.Fatalf("the parser takes what the scanner does not: %+v\n%q", faults, text)
	}
	var want [][]string
	for _, k := range md.Keys() {
		want = append(want, k)
	}
	if diff := cmp.Diff(want, keys(doc.Root)); diff != "" {
		t.Fatalf("keys differ (-parser +scanner):\n%s\n%q", diff, text)
	}
	var walk func(n *Node)
	walk = func(n *Node) {
		if n.Key.Line > 0 && n.Key != n.Val {
			checkSpan(t, doc, n.Key)
			if got := decodeOne(doc.text[n.Key.off:n.Key.end]+" = 1", ""); got != n.Name {
				t.Fatalf("key %q stands at %+v, where %q is written\n%q", n.Name, n.Key, got, text)
			}
		}
		if n.Kind != Table && n.Kind != Array {
			checkSpan(t, doc, n.Val)
			got := decodeOne("x = "+doc.text[n.Val.off:n.Val.end], "x")
			if !reflect.DeepEqual(got, n.Value) && got == got { // NaN
				t.Fatalf("value %#v stands at %+v, where %#v is written\n%q", n.Value, n.Val, got, text)
			}
		}
		for _, k := range n.Kids {
			walk(k)
		}
		for _, e := range n.Elems {
			walk(e)
		}
	}
	walk(doc.Root)
}

// checkSpan fails unless Line, Col and Width say what the byte range says.
func checkSpan(t interface {
	Fatalf(string, ...any)
	Helper()
}, doc *Doc, sp Span) {
	t.Helper()
	if sp.Line < 1 || sp.Line > len(doc.starts) {
		t.Fatalf("span %+v has no line", sp)
	}
	line := []rune(doc.raw(sp.Line))
	if sp.Col < 1 || sp.Width < 1 || sp.Col-1+sp.Width > len(line) {
		t.Fatalf("span %+v is outside of line %q", sp, string(line))
	}
	under := string(line[sp.Col-1 : sp.Col-1+sp.Width])
	whole, _, _ := strings.Cut(strings.ReplaceAll(doc.text[sp.off:sp.end], "\r", ""), "\n")
	if under != whole {
		t.Fatalf("span %+v underlines %q, its bytes are %q", sp, under, whole)
	}
}

func decodeOne(text, key string) any {
	var m map[string]any
	if _, err := toml.Decode(text, &m); err != nil {
		return fmt.Errorf("%w in %q", err, text)
	}
	for k, v := range m {
		if key == "" {
			return k
		}
		return v
	}
	return nil
}

// document draws TOML text: headers, dotted and quoted keys, every kind of
// value, comments, and either line end. Keys are numbered, so that most
// documents have no duplicate.
func document(t *rapid.T) string {
	n := 0
	name := func() string {
		n++
		return fmt.Sprintf(rapid.SampledFrom([]string{
			"k%d", "%d", "K-%d_", `"q %d"`, `'l"%d'`, `"ü\u00fc\t%d"`, `"a.b%d"`,
		}).Draw(t, "key"), n)
	}
	key := func() string {
		k := name()
		for range rapid.IntRange(0, 2).Draw(t, "dots") {
			k += rapid.SampledFrom([]string{".", " . "}).Draw(t, "dot") + name()
		}
		return k
	}
	space := func() string { return rapid.SampledFrom([]string{"", " ", "\t", "  "}).Draw(t, "space") }
	var value func(depth int) string
	list := func(depth int, item func() string, gap func() string) string {
		s := gap()
		for i := range rapid.IntRange(0, 3).Draw(t, "items") {
			if i > 0 {
				s += "," + gap()
			}
			s += item() + gap()
		}
		return s
	}
	value = func(depth int) string {
		kinds := 14
		if depth > 2 {
			kinds = 12
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return rapid.SampledFrom([]string{"0", "-17", "0xdead_beef", "0o755", "1_000"}).Draw(t, "int")
		case 1:
			return rapid.SampledFrom([]string{"1.5", "-2e10", "inf", "+inf", "nan"}).Draw(t, "float")
		case 2:
			return rapid.SampledFrom([]string{"true", "false"}).Draw(t, "bool")
		case 3:
			return rapid.SampledFrom([]string{
				"1979-05-27", "1979-05-27 07:32:00", "1979-05-27T07:32:00.5Z", "07:32:00",
			}).Draw(t, "time")
		case 4, 5:
			return `"` + rapid.StringMatching(`([a-z #=\[\]{},.'ü漢]|\\n|\\"|\\\\|\\u00e9|\\t)*`).Draw(t, "basic") + `"`
		case 6, 7:
			return `'` + rapid.StringMatching(`[a-z #=\[\]{},."\\ü漢]*`).Draw(t, "literal") + `'`
		case 8:
			return `"""` + rapid.StringMatching(`(\n)?([a-z#=ü]|\n|\\"|""[a-z]|\\\n +|\\\\)*"{0,2}`).Draw(t, "multi") + `"""`
		case 9:
			return `'''` + rapid.StringMatching(`(\n)?([a-z#=\\ü]|\n|''[a-z])*'{0,2}`).Draw(t, "rawmulti") + `'''`
		case 10, 11:
			return "[]"
		case 12:
			gap := func() string {
				return space() + rapid.SampledFrom([]string{"", "\n", "# c ]\n", "\n\n"}).Draw(t, "gap") + space()
			}
			return "[" + list(depth, func() string { return value(depth + 1) }, gap) + "]"
		default:
			return "{" + list(depth, func() string {
				return key() + space() + "=" + space() + value(depth+1)
			}, space) + "}"
		}
	}
	var b strings.Builder
	if rapid.Bool().Draw(t, "bom") {
		b.WriteString("\ufeff")
	}
	var arrays, tables []string
	for range rapid.IntRange(0, 12).Draw(t, "lines") {
		b.WriteString(space())
		switch rapid.IntRange(0, 7).Draw(t, "line") {
		case 0:
			h := key()
			tables = append(tables, h)
			b.WriteString("[" + h + "]")
		case 1:
			h := key()
			if len(arrays) > 0 && rapid.Bool().Draw(t, "next") {
				h = rapid.SampledFrom(arrays).Draw(t, "array")
			}
			arrays = append(arrays, h)
			b.WriteString("[[" + h + "]]")
		case 2:
			if all := slices.Concat(tables, arrays); len(all) > 0 {
				b.WriteString("[" + rapid.SampledFrom(all).Draw(t, "parent") + "." + key() + "]")
			}
		case 3:
			b.WriteString("# [comment] = \"x")
		default:
			b.WriteString(key() + space() + "=" + space() + value(0))
		}
		b.WriteString(space() + rapid.SampledFrom([]string{"", " # c", "#"}).Draw(t, "comment") + "\n")
	}
	text := b.String()
	if rapid.Bool().Draw(t, "crlf") {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

func TestPlacesAgreeWithParser(t *testing.T) {
	valid := 0
	rapid.Check(t, func(t *rapid.T) {
		text := document(t)
		if _, err := toml.Decode(text, new(map[string]any)); err == nil {
			valid++
		}
		agree(t, text, false)
	})
	if valid < 60 {
		t.Errorf("only %d documents were valid TOML: the generator tests nothing", valid)
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"version = 1\n[hosts.web1]\nroles = [\"web\"]\n",
		"a.b = { c = [ 1, { d = 'x' } ], \"e f\" = \"\"\"\r\n y\\\r\n z\"\"\"\"\" }\r\n",
		"[[t]]\nx=1\n[t.u]\n[[t]]\n[t.u]\n[[t.v]]\n",
		"\ufeff# c\n'ü' = 1979-05-27 07:32:00 # c\n",
		"a = 1\na = 2\n[b]\n[b]\nc = 1\n[b.d]\n", "a = {b=1,\nb=2,}", "a=" + strings.Repeat("[", 100),
		"a.b = 1\na = 2\n", "a = \"\\e\\x41\"", "x = [[{a=1},{a=2}],[{a.b=3}]]", "p = \"", "= 1", "[a", "\"\"\"a\"\"\"=1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return // Read does not take it
		}
		doc, faults := Read("", text)
		for _, fault := range faults {
			if fault.Line < 1 || fault.Col < 1 || fault.Width < 1 {
				t.Fatalf("fault without a place: %+v", fault)
			}
			if fault.Path == nil && fault.Msg == "" {
				t.Fatalf("fault without words: %+v", fault)
			}
			doc.Line(fault.Line)
		}
		agree(t, text, true)
	})
}
