package inventory

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Print writes findings for people: the place and what is wrong, the line of
// the file, and a caret under what is meant, with the key it belongs to.
//
//	fleet.toml:12:8: port must be a number, not the string "22"
//	   12 | port = "22"
//	      |        ^^^^ hosts.web1.ssh.port
//
// A file may hold anything, so nothing of it reaches the terminal that is not
// printable. The error is that of the writer.
func (ps Problems) Print(w io.Writer) error {
	for _, p := range ps {
		if err := p.print(w); err != nil {
			return err
		}
	}
	return nil
}

func (p Problem) print(w io.Writer) error {
	var b strings.Builder
	if place := p.Place.String(); place != "" {
		b.WriteString(visible(place) + ": ")
	}
	switch p.Severity {
	case Warning:
		b.WriteString("warning: ")
	case Note:
		b.WriteString("note: ")
	}
	b.WriteString(visible(p.Msg))
	if p.Hint != "" {
		b.WriteString("; " + visible(p.Hint))
	}
	b.WriteByte('\n')
	if p.Source != "" && p.Place.Col > 0 {
		before, under, after := p.excerpt()
		fmt.Fprintf(&b, "%5d | %s%s%s\n", p.Place.Line, before, under, after)
		fmt.Fprintf(&b, "%5s | %s%s", "", spaces(before), strings.Repeat("^", max(1, width(under))))
		if p.Key != "" {
			b.WriteString(" " + visible(p.Key))
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// excerpt cuts the line at what is to be underlined, all of it made visible and
// short enough for a terminal.
func (p Problem) excerpt() (before, under, after string) {
	const room = 60 // characters on each side
	line := []rune(p.Source)
	from := min(p.Place.Col-1, len(line))
	to := min(from+max(p.Width, 1), len(line))
	start, end := 0, len(line)
	if len(line) > 2*room {
		start, end = max(0, from-room), min(len(line), to+room)
		if to-from > 2*room {
			to = from + 2*room
			end = to
		}
	}
	before, under, after = visible(string(line[start:from])), visible(string(line[from:to])), visible(string(line[to:end]))
	if start > 0 {
		before = "…" + before
	}
	if end < len(line) {
		after += "…"
	}
	return before, under, after
}

// spaces is a blank as wide as s.
func spaces(s string) string { return strings.Repeat(" ", width(s)) }

// wide are the scripts whose characters take two cells of a terminal (Unicode
// Standard Annex 11).
var wide = []*unicode.RangeTable{unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana}

// width is how many cells of a terminal printable text takes.
func width(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me): // stands on the character before it
		case unicode.In(r, wide...), r >= 0xff01 && r <= 0xff60, r >= 0x1f300 && r <= 0x1faff:
			n += 2
		default:
			n++
		}
	}
	return n
}

// visible replaces a tab by four spaces and what does not print, or changes
// the direction of what does, by its number.
func visible(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t':
			b.WriteString("    ")
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
