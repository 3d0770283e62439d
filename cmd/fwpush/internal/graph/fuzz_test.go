package graph_test

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"fwpush/cmd/fwpush/internal/graph"
	"fwpush/roles/reach"
)

// A quoted text of dot and one of mermaid: nothing in it ends it.
var (
	dotText     = regexp.MustCompile(`^\tn\d+( -> n\d+)? \[label="([^"\\]|\\.)*"[a-z =]*\]$`)
	mermaidText = regexp.MustCompile("^ {4}n\\d+(\\(\\[|\\[|)( -->\\|)?\"[^\"`]*\"(\\]\\)|\\]|\\| n\\d+)$|^flowchart LR$|^ {4}caption\\[\"[^\"]*\"\\]$|^ {4}style .*$")
)

// FuzzNames: whatever a node or a rule is called, the pictures are as many lines as with plain names, the
// drawing is well-formed XML that has the name as text, and no name ends its quotes.
func FuzzNames(f *testing.F) {
	f.Add(`set:"><script>alert(1)</script>`, "http")
	f.Add("a\\", `"];x["`)
	f.Add("é漢", "`#quot;|")
	f.Add("é<br/>&amp;", "\\n\\\"")
	with := func(node, rule string) reach.Graph {
		return reach.Graph{
			Nodes: []reach.Node{{Name: node, Hosts: 3}, {Name: "internet"}},
			Edges: []reach.Edge{{From: 1, To: 0, Flows: []reach.Flow{{Services: []reach.Service{{Name: rule, What: "tcp/80"}}, Rule: rule, ByRule: true}}}},
		}
	}
	f.Fuzz(func(t *testing.T, node, rule string) {
		if node == "" || rule == "" || strings.ContainsFunc(node+rule, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return // no fleet file has such names
		}
		g, plain := with(node, rule), with("node", "rule")
		for name, draws := range map[string]func(io.Writer, reach.Graph) error{"dot": graph.DOT, "mermaid": graph.Mermaid, "svg": graph.SVG} {
			got := draw(t, func(w io.Writer) error { return draws(w, g) })
			want := draw(t, func(w io.Writer) error { return draws(w, plain) })
			if name != "svg" && strings.Count(got, "\n") != strings.Count(want, "\n") {
				t.Fatalf("%s: %q\nis not as many lines as\n%q", name, got, want)
			}
			for line := range strings.SplitSeq(strings.TrimSuffix(got, "\n"), "\n") {
				if name == "dot" && strings.HasPrefix(line, "\tn") && strings.Contains(line, "label") && !dotText.MatchString(line) || name == "mermaid" && !mermaidText.MatchString(line) {
					t.Fatalf("%s: %q", name, line)
				}
			}
			if name != "svg" {
				continue
			}
			d := xml.NewDecoder(strings.NewReader(got))
			elements := 0
			for {
				token, err := d.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("%v in\n%s", err, got)
				}
				if start, ok := token.(xml.StartElement); ok {
					elements++
					if start.Name.Local == "script" {
						t.Fatal("a name is an element")
					}
				}
			}
			if elements != strings.Count(want, "<")-strings.Count(want, "</") {
				t.Fatalf("%d elements in\n%s", elements, got)
			}
		}
	})
}
