package ui

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Width is how many columns a line takes on a terminal, what Colour adds not counted.
// Where terminals differ it is the larger number.
func Width(line string) int {
	columns := 0
	for line != "" {
		if sgr := paintAt(line); sgr > 0 {
			line = line[sgr:]
			continue
		}
		r, size := utf8.DecodeRuneInString(line)
		columns += runeWidth(r)
		line = line[size:]
	}
	return columns
}

// Cut is a line of at most that many columns. One that was longer ends in "…", with the
// colour that it was in.
func Cut(line string, columns int) string {
	if Width(line) <= columns {
		return line
	}
	var b strings.Builder
	painted := false
	for left := columns - 1; line != ""; { // one is for the dots
		if sgr := paintAt(line); sgr > 0 {
			b.WriteString(line[:sgr])
			painted = line[:sgr] != "\x1b[0m"
			line = line[sgr:]
			continue
		}
		r, size := utf8.DecodeRuneInString(line)
		if left -= runeWidth(r); left < 0 {
			break
		}
		b.WriteString(line[:size])
		line = line[size:]
	}
	b.WriteString("…")
	if painted {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}

// paintAt is the length of what Colour has put at the start of a line, 0 if there is none.
func paintAt(line string) int {
	if !strings.HasPrefix(line, "\x1b[") {
		return 0
	}
	return strings.IndexByte(line, 'm') + 1
}

// runeWidth goes by Unicode's East Asian Width (UAX #11). Marks stand on the character
// before them; the one that asks for an emoji makes that wide.
func runeWidth(r rune) int {
	switch {
	case r < 0x7f:
		return 1
	case r == '\ufe0f':
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
