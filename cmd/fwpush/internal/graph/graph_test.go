package graph_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"fwpush/cmd/fwpush/internal/graph"
	"fwpush/inventory"
	"fwpush/roles/reach"
)

// hostile is a graph with names as no fleet file has them.
var hostile = reach.Graph{
	Nodes: []reach.Node{{Name: "role:web", Hosts: 3}, {Name: "role:db", Hosts: 1}, {Name: `set:"><script>alert(1)</script>` + "`#;"}, {Name: "internet"}},
	Edges: []reach.Edge{
		{From: 3, To: 0, Flows: []reach.Flow{
			{Services: []reach.Service{{Name: "http", What: "tcp/80"}, {Name: "", What: "tcp/8443"}}, Rule: "web", Place: inventory.Place{File: "fleet.toml", Line: 7, Col: 3}, ByRule: true, Limit: "6/min"},
			{Services: []reach.Service{{Name: "ping", What: "ping"}}, Rule: "ping"}}},
		{From: 0, To: 1, Flows: []reach.Flow{
			{Services: []reach.Service{{Name: "pg", What: "tcp/5432"}}, Within: []string{"pg", "postgres"}, Rule: "pg", Part: true, ByRule: true, Place: inventory.Place{File: "fleet.toml", Line: 9, Col: 3}},
			{Services: []reach.Service{{Name: "pg", What: "tcp/5432"}}, Rule: "pg-more", Part: true, ByRule: true}}},
		{From: 2, To: 1, Flows: []reach.Flow{{Services: []reach.Service{{Name: "ssh", What: "tcp/22"}}, Rule: `</script>"`, ByRule: true}}},
		{From: 0, To: 3, Flows: []reach.Flow{{Services: []reach.Service{{Name: "", What: "everything"}}, Rule: "outbound = accept"}}},
	},
}

func draw(t *testing.T, f func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDOT(t *testing.T) {
	got := draw(t, func(w io.Writer) error { return graph.DOT(w, hostile) })
	for _, want := range []string{
		`n0 [label="role:web\n3 hosts" shape=box style=rounded]`, `n3 -> n0 [label="http (tcp/80)\ntcp/8443"]`,
		`n0 -> n1 [label="pg (tcp/5432)*"]`, `label="* only for some of the addresses, hosts or interfaces"]`, `n2 [label="set:\"><script>`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, "ping") || strings.Contains(got, "everything") {
		t.Errorf("what goes without a rule is drawn:\n%s", got)
	}
}

func TestMermaid(t *testing.T) {
	got := draw(t, func(w io.Writer) error { return graph.Mermaid(w, hostile) })
	for _, want := range []string{"flowchart LR\n", `n0["role:web<br/>3 hosts"]`, `n3 -->|"http (tcp/80)<br/>tcp/8443"| n0`, `caption["* only for some of `, `#quot;#gt;#lt;script#gt;`, "#96;#35;;"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

// The picture is well-formed, and text in it is text.
func TestSVG(t *testing.T) {
	got := draw(t, func(w io.Writer) error { return graph.SVG(w, hostile) })
	d := xml.NewDecoder(strings.NewReader(got))
	var text strings.Builder
	elements := map[string]int{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			elements[token.Name.Local]++
		case xml.CharData:
			text.Write(token)
		}
	}
	if elements["svg"] != 1 || elements["script"] != 0 || !strings.Contains(text.String(), "<script>alert(1)</script>") || !strings.Contains(text.String(), "pg (tcp/5432)*\n") || !strings.Contains(text.String(), "* only for some of the addresses, hosts or interfaces") {
		t.Errorf("%v\n%s", elements, text.String())
	}
}

// A picture without the mark does not explain it.
func TestCaption(t *testing.T) {
	whole := reach.Graph{Nodes: hostile.Nodes, Edges: hostile.Edges[:1]}
	for name, f := range map[string]func(io.Writer, reach.Graph) error{"dot": graph.DOT, "mermaid": graph.Mermaid, "svg": graph.SVG} {
		if got := draw(t, func(w io.Writer) error { return f(w, whole) }); strings.Contains(got, "only for some") {
			t.Errorf("%s: a caption for nothing:\n%s", name, got)
		}
	}
}

// What stands aside is drawn for its arrows alone, and what a selection is about is
// drawn without any.
func TestAbout(t *testing.T) {
	got := draw(t, func(w io.Writer) error { return graph.Mermaid(w, hostile.About([]string{"role:db"})) })
	if strings.Contains(got, "internet") || strings.Count(got, "-->") != 2 || !strings.Contains(got, `n0 -->|"pg (tcp/5432)*"| n1`) {
		t.Errorf("got\n%s", got)
	}
	lonely := reach.Graph{Nodes: hostile.Nodes, Edges: []reach.Edge{{From: 0, To: 1, Flows: []reach.Flow{{Services: []reach.Service{{Name: "ping", What: "ping"}}}}}}}
	if got := draw(t, func(w io.Writer) error { return graph.Mermaid(w, lonely.About([]string{"role:db"})) }); !strings.Contains(got, "role:db") || strings.Contains(got, "role:web") {
		t.Errorf("got\n%s", got)
	}
}
