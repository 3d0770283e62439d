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
			{Services: "tcp/80, tcp/443", Rule: "web", Place: inventory.Place{File: "fleet.toml", Line: 7, Col: 3}, ByRule: true, Limit: "6/min"},
			{Services: "ping", Rule: "ping"}}},
		{From: 0, To: 1, Flows: []reach.Flow{{Services: "tcp/5432", Rule: "pg", Part: true, ByRule: true, Place: inventory.Place{File: "fleet.toml", Line: 9, Col: 3}}}},
		{From: 2, To: 1, Flows: []reach.Flow{{Services: "tcp/22", Rule: `</script>"`, ByRule: true}}},
		{From: 0, To: 3, Flows: []reach.Flow{{Services: "everything", Rule: "outbound = accept"}}},
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
		`n0 [label="role:web\n3 hosts" shape=box style=rounded]`, `n3 -> n0 [label="tcp/80\ntcp/443"]`,
		`n0 -> n1 [label="tcp/5432 (some)"]`, `n2 [label="set:\"><script>`,
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
	for _, want := range []string{"flowchart LR\n", `n0["role:web<br/>3 hosts"]`, `n3 -->|"tcp/80<br/>tcp/443"| n0`, `#quot;#gt;#lt;script#gt;`, "#96;#35;;"} {
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
	if elements["svg"] != 1 || elements["script"] != 0 || !strings.Contains(text.String(), "<script>alert(1)</script>") || !strings.Contains(text.String(), "tcp/443") {
		t.Errorf("%v\n%s", elements, text.String())
	}
}
