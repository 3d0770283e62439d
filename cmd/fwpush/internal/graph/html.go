package graph

import (
	_ "embed"
	"html/template"
	"io"
	"slices"
	"strings"

	"fwpush/roles/reach"
)

//go:embed page.html
var page string

var pageTemplate = template.Must(template.New("page").Parse(page))

// matrix is the page's table: a row for each node, and a cell for each other.
type matrix struct {
	Fleet, Part, PartMeaning string

	Nodes []reach.Node
	Rows  []row
}

type row struct {
	From  reach.Node
	Cells []cell
}

type cell struct {
	To       reach.Node
	Services []service
	Within   string // names of services, for the filter
	Flows    []reach.Flow
}

// HTML writes a page that needs nothing beside itself: the matrix of who may say what
// to whom, with the rule behind every cell, and a box to filter it.
func HTML(w io.Writer, fleet string, g reach.Graph) error {
	m := matrix{Fleet: fleet, Part: part, PartMeaning: partMeaning, Nodes: g.Nodes}
	for _, n := range g.Nodes {
		r := row{From: n}
		for _, to := range g.Nodes {
			r.Cells = append(r.Cells, cell{To: to})
		}
		m.Rows = append(m.Rows, r)
	}
	for _, e := range g.Edges {
		c := &m.Rows[e.From].Cells[e.To]
		c.Services, c.Flows = services(e.Flows), e.Flows
		var within []string
		for _, f := range e.Flows {
			within = append(within, f.Within...)
		}
		slices.Sort(within)
		c.Within = strings.Join(slices.Compact(within), " ")
	}
	return pageTemplate.Execute(w, m)
}
