package ui_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"fwpush/internal/ui"
)

var update = flag.Bool("update", false, "write golden files")

// TestSafeControls shows what becomes of every control character there is.
func TestSafeControls(t *testing.T) {
	var b strings.Builder
	for r := rune(0); r < 0xa0; r++ {
		if r < 0x20 || r >= 0x7f {
			fmt.Fprintf(&b, "U+%04X %s\n", r, ui.Safe("a"+string(r)+"b"))
		}
	}
	golden(t, "testdata/controls.golden", b.String())
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s", path, got)
	}
}

func TestSafe(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "web01 answers", "web01 answers"},
		{"scripts", "Grüße 東京 мир", "Grüße 東京 мир"},
		{"window title", "\x1b]0;owned\x07", `\x1b]0;owned\x07`},
		{"C1 as UTF-8", "a\u009b2Jb", `a\xc2\x9b2Jb`},
		{"C1 as a byte", "a\x9b2Jb", `a\x9b2Jb`},
		{"overlong ESC", "\xc0\x9b", `\xc0\x9b`},
		{"surrogate", "\xed\xa0\x80", `\xed\xa0\x80`},
		{"cut short", "\xe2\x82", `\xe2\x82`},
		{"replacement character itself", "\ufffd", "\ufffd"},
		{"right-to-left override", "drop \u202etpecca", `drop \xe2\x80\xaetpecca`},
		{"isolate", "\u2066x\u2069", `\xe2\x81\xa6x\xe2\x81\xa9`},
		{"zero width", "we\u200bb", `we\xe2\x80\x8bb`},
		{"soft hyphen, byte order mark", "\u00ad\ufeff", `\xc2\xad\xef\xbb\xbf`},
		{"line and paragraph separator", "\u2028\u2029", `\xe2\x80\xa8\xe2\x80\xa9`},
		{"tag characters", "\U000e0041", `\xf3\xa0\x81\x81`},
		{"carriage return overwrites", "failed\rconfirmed", `failed\x0dconfirmed`},
		{"lines", "a\n\tb", `a\x0a\x09b`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ui.Safe(tt.in); got != tt.want {
				t.Errorf("Safe(%q) = %s, want %s", tt.in, got, tt.want)
			}
		})
	}
}

func TestSafeTextKeepsLinesOnly(t *testing.T) {
	if got, want := ui.SafeText("a\n\tb\r\x1b[31m"), "a\n\tb"+`\x0d\x1b[31m`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzSafe(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b[2J\x9b\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := ui.Safe(s)
		if !utf8.ValidString(got) {
			t.Fatalf("%q is not UTF-8", got)
		}
		if i := strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Fatalf("%q can be acted on at byte %d", got, i)
		}
		if ui.Safe(got) != got {
			t.Fatalf("%q is not stable", got)
		}
	})
}
