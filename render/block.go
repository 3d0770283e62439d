package render

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"fwpush/inventory"
)

// block is a set or a chain of the table.
type block struct {
	head  string // "chain input"
	lines []line
}

// line is one line of a block, without indentation, and where it comes from.
type line struct {
	text   string
	places []inventory.Place
}

func (b *block) add(lines ...line) {
	b.lines = append(b.lines, lines...)
}

// plain makes lines that no single place of the fleet file asks for.
func plain(texts ...string) []line {
	return placed(nil, texts...)
}

func placed(places []inventory.Place, texts ...string) []line {
	lines := make([]line, len(texts))
	for i, t := range texts {
		lines[i] = line{t, places}
	}
	return lines
}

// write is the only place where text is put together: one statement a line,
// because nft 1.0.6 refuses a chain written on one line, tabs as nft itself
// indents, and a line feed at the end of each.
func write(blocks []block) (string, map[int][]inventory.Place) {
	var b strings.Builder
	b.WriteString(header)
	b.WriteString("table " + tableName + " {\n")
	n := strings.Count(header, "\n") + 1
	places := map[int][]inventory.Place{}
	for i, bl := range blocks {
		if i > 0 {
			b.WriteString("\n")
			n++
		}
		b.WriteString("\t" + bl.head + " {\n")
		n++
		for _, l := range bl.lines {
			b.WriteString("\t\t" + l.text + "\n")
			n++
			if len(l.places) > 0 {
				places[n] = l.places
			}
		}
		b.WriteString("\t}\n")
		n++
	}
	b.WriteString("}\n")
	return b.String(), places
}

// passage is the lines of a chain in the making.
type passage struct {
	lines []line
	at    map[string]int
}

// say adds a line, unless it stands there already (two roles may allow the same):
// then that one gets its places too.
func (b *passage) say(l line) {
	i, seen := b.at[l.text]
	if seen {
		b.lines[i].places = mergePlaces(b.lines[i].places, l.places)
		return
	}
	if b.at == nil {
		b.at = map[string]int{}
	}
	b.at[l.text] = len(b.lines)
	b.lines = append(b.lines, l)
}

// quote adds raw text as it is, also what stands there already: what comes after may
// count on it.
func (b *passage) quote(texts []string, places []inventory.Place) {
	b.lines = append(b.lines, placed(places, texts...)...)
}

func mergePlaces(a, b []inventory.Place) []inventory.Place {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(x, y inventory.Place) int {
		return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Col, y.Col))
	})
	return slices.Compact(all)
}

// Annotated is Text with the places of the fleet file as comments at the ends
// of the lines, for people. nft reads it as the same ruleset.
func (r Ruleset) Annotated() string {
	return annotate(r.Text, r.Places)
}

// annotate aligns the comments as long as the lines are not too long for it.
func annotate(text string, places map[int][]inventory.Place) string {
	if len(places) == 0 {
		return text
	}
	const widest = 72
	lines := strings.SplitAfter(text, "\n")
	column := 0
	for i, l := range lines {
		if w := width(l); len(places[i+1]) > 0 && w <= widest {
			column = max(column, w)
		}
	}
	var b strings.Builder
	for i, l := range lines {
		note := placeNote(places[i+1])
		if note == "" {
			b.WriteString(l)
			continue
		}
		body := strings.TrimSuffix(l, "\n")
		b.WriteString(body + strings.Repeat(" ", max(0, column-width(body))) + "  # " + note + "\n")
	}
	return b.String()
}

// width is what a line takes on a terminal with tabs of eight columns.
func width(l string) int {
	n := 0
	for _, c := range strings.TrimSuffix(l, "\n") {
		if c == '\t' {
			n += 8 - n%8
			continue
		}
		n++
	}
	return n
}

// placeNote is "fleet.toml:14, fleet.toml:20". A file name is the user's own
// text: control characters in it are dropped, so that it stays a comment.
func placeNote(places []inventory.Place) string {
	var notes []string
	for _, p := range places {
		if p.File == "" || p.Line == 0 {
			continue
		}
		file := strings.Map(func(c rune) rune {
			if c < ' ' || c == 0x7f {
				return -1
			}
			return c
		}, p.File)
		notes = append(notes, file+":"+strconv.Itoa(p.Line))
	}
	return strings.Join(slices.Compact(notes), ", ")
}
