package ui_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"fwpush/internal/ui"
)

func TestWriteJSON(t *testing.T) {
	var b bytes.Buffer
	v := map[string]string{"error": "a\x1b[0m\u009b\u202e\x7f\U000e0041 <b> → é"}
	if err := ui.WriteJSON(&b, v); err != nil {
		t.Fatal(err)
	}
	want := `{"error":"a\u001b[0m\u009b\u202e\u007f\udb40\udc41 <b> → é"}` + "\n"
	if b.String() != want {
		t.Errorf("got %s, want %s", b.String(), want)
	}
}

func FuzzWriteJSON(f *testing.F) {
	f.Add("\x1b\u009b\u202e\xff\\\"")
	f.Fuzz(func(t *testing.T, s string) {
		var b bytes.Buffer
		if err := ui.WriteJSON(&b, []string{s}); err != nil {
			t.Fatal(err)
		}
		line := strings.TrimSuffix(b.String(), "\n")
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%q can be acted on", line)
		}
		var back []string
		if err := json.Unmarshal(b.Bytes(), &back); err != nil {
			t.Fatal(err)
		}
		if utf8.ValidString(s) && back[0] != s {
			t.Fatalf("%q came back as %q", s, back[0])
		}
	})
}
