package ui

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Table lays out rows in columns. Cells are made safe for a terminal as they
// are added.
type Table struct {
	rows []tableRow
}

type tableRow struct {
	cells []string
	paint func(string) string
}

// Row adds a line.
func (t *Table) Row(cells ...string) { t.Painted(nil, cells...) }

// Painted adds a line whose first cell is coloured by paint, if that is not nil.
func (t *Table) Painted(paint func(string) string, cells ...string) {
	safe := make([]string, len(cells))
	for i, c := range cells {
		safe[i] = Safe(c)
	}
	t.rows = append(t.rows, tableRow{cells: safe, paint: paint})
}

// Write writes the lines, each cell as wide as the widest of its column. No
// line ends in spaces.
func (t *Table) Write(w io.Writer) error {
	var widths []int
	for _, r := range t.rows {
		for i, c := range r.cells {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	var b strings.Builder
	for _, r := range t.rows {
		last := len(r.cells) - 1
		for last > 0 && r.cells[last] == "" {
			last--
		}
		for i := 0; i <= last; i++ {
			text := r.cells[i]
			pad := widths[i] - utf8.RuneCountInString(text)
			if i == 0 && r.paint != nil {
				text = r.paint(text)
			}
			b.WriteString(text)
			if i < last {
				b.WriteString(strings.Repeat(" ", pad+2))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}
