package ui_test

import (
	"strings"
	"testing"

	"fwpush/internal/ui"
	"fwpush/internal/vt"
)

// FuzzTerminal: text that was made safe is seen on a terminal as it is, and does nothing there.
func FuzzTerminal(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[2J\x1b[1;1H", "\x9b31m\u202e", "a\rb\b\x7f", "\ttab\n", "\u00e9\u0301漢", "\x1b]0;title\a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 300 {
			return
		}
		safe := ui.Safe(s)
		term := vt.New(5000, 3)
		if _, err := term.Write([]byte("> " + safe + "<")); err != nil || term.Err() != nil {
			t.Fatalf("%q does something on a terminal: %v, %v", safe, err, term.Err())
		}
		if line, _ := term.Cursor(); line != 0 {
			t.Fatalf("%q moves to line %d", safe, line)
		}
		if got, _, _ := strings.Cut(term.Screen(), "\n"); !strings.HasPrefix(got, "> ") || !strings.HasSuffix(got, "<") || len([]rune(safe)) == len(safe) && got != "> "+safe+"<" {
			t.Fatalf("%q is seen as %q", safe, got)
		}
	})
}
