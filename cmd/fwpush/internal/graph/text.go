package graph

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"fwpush/roles/reach"
)

// service is what an edge is about.
type service struct {
	reach.Service
	Part bool
}

// part marks a service that does not go between all of two parties.
const (
	part        = "*"
	partMeaning = "only for some of the addresses, hosts or interfaces"
)

func (s service) String() string {
	if s.Part {
		return s.Service.String() + part
	}
	return s.Service.String()
}

// services are what flows are about, each once: in part where none has it whole.
func services(flows []reach.Flow) []service {
	var list []service
	for _, f := range flows {
		for _, s := range f.Services {
			i := slices.IndexFunc(list, func(have service) bool { return have.Service == s })
			if i < 0 {
				list = append(list, service{s, f.Part})
				continue
			}
			list[i].Part = list[i].Part && f.Part
		}
	}
	return list
}

// most is how many services stand at an edge of a picture.
const most = 6

// label is what stands at an edge, each line of it.
func label(e reach.Edge) []string {
	var lines []string
	for _, s := range services(e.Flows) {
		lines = append(lines, s.String())
	}
	if len(lines) > most {
		lines = append(lines[:most-1], fmt.Sprintf("and %d more", len(lines)-most+1))
	}
	return lines
}

// caption says what the mark means, "" in a picture that has none.
func caption(edges []reach.Edge) string {
	inPart := func(e reach.Edge) bool {
		return slices.ContainsFunc(services(e.Flows), func(s service) bool { return s.Part })
	}
	if slices.ContainsFunc(edges, inPart) {
		return part + " " + partMeaning
	}
	return ""
}

// title is a node in two lines.
func title(n reach.Node) []string {
	if n.Hosts == 0 {
		return []string{n.Name}
	}
	s := "s"
	if n.Hosts == 1 {
		s = ""
	}
	return []string{n.Name, fmt.Sprintf("%d host%s", n.Hosts, s)}
}

// shown are the edges of a picture: what no rule of the file is behind (ping, an
// open outbound, management) is no news there, and the matrix has it.
func shown(g reach.Graph) []reach.Edge {
	var list []reach.Edge
	for _, e := range g.Edges {
		e.Flows = slices.DeleteFunc(slices.Clone(e.Flows), func(f reach.Flow) bool { return !f.ByRule })
		if len(e.Flows) > 0 {
			list = append(list, e)
		}
	}
	return list
}

// linked are the nodes that an edge of the picture has, and those of hosts.
func linked(g reach.Graph, edges []reach.Edge) []bool {
	in := make([]bool, len(g.Nodes))
	for i, n := range g.Nodes {
		in[i] = n.Hosts > 0 && !n.Aside
	}
	for _, e := range edges {
		in[e.From], in[e.To] = true, true
	}
	return in
}

// DOT writes the graph for graphviz.
func DOT(w io.Writer, g reach.Graph) error {
	_, err := io.WriteString(w, dot(g))
	return err
}

func dot(g reach.Graph) string {
	var b strings.Builder
	b.WriteString("digraph fleet {\n\trankdir=LR\n\tnode [fontname=\"sans-serif\" shape=ellipse]\n\tedge [fontname=\"sans-serif\" fontsize=10]\n")
	edges := shown(g)
	if text := caption(edges); text != "" {
		fmt.Fprintf(&b, "\tgraph [fontname=\"sans-serif\" fontsize=10 labelloc=b label=%s]\n", dotQuote([]string{text}))
	}
	in := linked(g, edges)
	for i, n := range g.Nodes {
		if in[i] {
			shape := ""
			if n.Hosts > 0 {
				shape = " shape=box style=rounded"
			}
			fmt.Fprintf(&b, "\tn%d [label=%s%s]\n", i, dotQuote(title(n)), shape)
		}
	}
	for _, e := range edges {
		fmt.Fprintf(&b, "\tn%d -> n%d [label=%s]\n", e.From, e.To, dotQuote(label(e)))
	}
	b.WriteString("}\n")
	return b.String()
}

// dotQuote writes lines as one string of the dot language.
func dotQuote(lines []string) string {
	escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ").Replace(strings.Join(lines, "\x00"))
	return `"` + strings.ReplaceAll(escaped, "\x00", `\n`) + `"`
}

// Mermaid writes the graph as a flowchart of mermaid.
func Mermaid(w io.Writer, g reach.Graph) error {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	edges := shown(g)
	in := linked(g, edges)
	for i, n := range g.Nodes {
		if in[i] {
			open, end := "([", "])"
			if n.Hosts > 0 {
				open, end = "[", "]"
			}
			fmt.Fprintf(&b, "    n%d%s%s%s\n", i, open, mermaidQuote(title(n)), end)
		}
	}
	for _, e := range edges {
		fmt.Fprintf(&b, "    n%d -->|%s| n%d\n", e.From, mermaidQuote(label(e)), e.To)
	}
	if text := caption(edges); text != "" {
		fmt.Fprintf(&b, "    caption[%s]\n    style caption fill:none,stroke:none\n", mermaidQuote([]string{text}))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// mermaidQuote writes lines as one quoted text; what would end it or be markup is
// said by its entity.
func mermaidQuote(lines []string) string {
	escaped := strings.NewReplacer(`#`, `#35;`, `&`, `#amp;`, `"`, `#quot;`, `<`, `#lt;`, `>`, `#gt;`, "`", "#96;").Replace(strings.Join(lines, "\x00"))
	return `"` + strings.ReplaceAll(escaped, "\x00", "<br/>") + `"`
}
