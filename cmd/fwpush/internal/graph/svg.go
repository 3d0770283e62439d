package graph

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strings"

	"fwpush/roles/reach"
)

// Sizes of the picture in pixels. The font is one of fixed width, so that the room
// that a text takes is known without measuring it.
const (
	rowHeight = 30
	glyph     = 7.3 // width of a letter of 12px
	padding   = 10
	gap       = 14 // between the nodes that get
)

// SVG writes the graph as a picture: at the right each node that gets something, and
// to it a row for each that sends, with the services on its arrow.
func SVG(w io.Writer, g reach.Graph) error {
	edges := shown(g)
	slices.SortStableFunc(edges, func(a, b reach.Edge) int { return a.To - b.To })
	from, middle, to := 0, 0, 0
	for _, e := range edges {
		from = max(from, len(g.Nodes[e.From].Name))
		middle = max(middle, len(strings.Join(label(e), ", ")))
		to = max(to, len(strings.Join(title(g.Nodes[e.To]), ", ")))
	}
	wide := func(letters int) int { return int(float64(letters)*glyph) + 2*padding }
	x1, x2 := padding+wide(from), padding+wide(from)+wide(middle)+3*padding
	var body strings.Builder
	y := padding
	for i := 0; i < len(edges); {
		n := i
		for n < len(edges) && edges[n].To == edges[i].To {
			n++
		}
		height := (n - i) * rowHeight
		box(&body, x2, y, wide(to), height-4, strings.Join(title(g.Nodes[edges[i].To]), ", "), "get")
		for ; i < n; i++ {
			mid := y + rowHeight/2 - 2
			box(&body, padding, y, wide(from), rowHeight-6, g.Nodes[edges[i].From].Name, "send")
			fmt.Fprintf(&body, `<line x1="%d" y1="%d" x2="%d" y2="%d" marker-end="url(#arrow)"/>`+"\n", x1, mid, x2-2, mid)
			fmt.Fprintf(&body, `<text class="what" x="%d" y="%d">%s</text>`+"\n", x1+padding, mid-3, escape(strings.Join(label(edges[i]), ", ")))
			y += rowHeight
		}
		y += gap
	}
	width := x2 + wide(to) + padding
	if text := caption(edges); text != "" {
		fmt.Fprintf(&body, `<text class="what" x="%d" y="%d">%s</text>`+"\n", padding, y+padding, escape(text))
		width, y = max(width, wide(len(text))), y+rowHeight
	}
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d">
<style>text { font: 12px monospace; } .what { font-size: 11px; } rect { fill: #eef3fa; stroke: #5b7083; } .get { fill: #e6f4ea; } line { stroke: #5b7083; }</style>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#5b7083"/></marker></defs>
<rect x="0" y="0" width="%[1]d" height="%[2]d" style="fill: white; stroke: none"/>
%[3]s</svg>
`, width, y, body.String())
	return err
}

func box(b *strings.Builder, x, y, width, height int, text, class string) {
	fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="4"/><text x="%d" y="%d">%s</text>`+"\n",
		class, x, y, width, height, x+padding, y+height/2+4, escape(text))
}

// escape makes text of a name, and drops what XML has no character for.
func escape(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, s))
}
