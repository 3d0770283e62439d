package ui

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Safe returns s with everything a terminal could act on escaped: each byte of
// what is not printable UTF-8 becomes \xNN. That is C0 and C1 controls, DEL,
// bidirectional controls and other invisible characters, and bytes that are no
// UTF-8 at all. Printable characters of every script stay as they are. The
// result is one line.
func Safe(s string) string { return escape(s, "") }

// SafeText is Safe for text of several lines: line feeds and tabs stay.
func SafeText(s string) string { return escape(s, "\n\t") }

func escape(s, kept string) string {
	if isSafe(s, kept) {
		return s
	}
	var b strings.Builder
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		if safeRune(r, size, kept) {
			b.WriteString(s[:size])
		} else {
			for i := range size {
				fmt.Fprintf(&b, `\x%02x`, s[i])
			}
		}
		s = s[size:]
	}
	return b.String()
}

func isSafe(s, kept string) bool {
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		if !safeRune(r, size, kept) {
			return false
		}
		s = s[size:]
	}
	return true
}

// safeRune takes what unicode.IsPrint takes: letters, marks, numbers,
// punctuation, symbols and the ASCII space. Format characters (category Cf, the
// bidirectional controls among them) and every other space are not in it.
func safeRune(r rune, size int, kept string) bool {
	if r == utf8.RuneError && size == 1 {
		return false
	}
	return unicode.IsPrint(r) || strings.ContainsRune(kept, r)
}
