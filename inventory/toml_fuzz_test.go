package inventory

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// FuzzTOML: what is written for a fleet file is read back as the same, by the library that decides
// what TOML is, and by nothing as anything else.
func FuzzTOML(f *testing.F) {
	f.Add("key", "value", "1")
	f.Add("a.b \"c\"", "\x1b]0;x\a \u202e \\ \"\"\" \n[hosts.x]", "-0.5e3")
	f.Add("", "\U0010ffff\x7f\u0085", "1e400")
	f.Fuzz(func(t *testing.T, key, value, number string) {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return // JSON and TOML have none
		}
		list := []any{value, true, map[string]any{key: value}}
		text := TOMLKey(key) + " = " + TOML(map[string]any{key: list, "n": json.Number(number)})
		if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != utf8.RuneError }) && utf8.ValidString(number) {
			t.Fatalf("control characters: %q", text)
		}
		if !utf8.ValidString(number) {
			return
		}
		var got map[string]map[string]any
		if _, err := toml.Decode(text, &got); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if key == "n" {
			return
		}
		back, ok := got[key][key].([]any)
		if len(got) != 1 || len(got[key]) != 2 || !ok || len(back) != 3 || back[0] != value || back[1] != true {
			t.Fatalf("%q became %q", list, got)
		}
		if inner, ok := back[2].(map[string]any); !ok || inner[key] != value {
			t.Fatalf("%q became %q", list, got)
		}
	})
}
