package inventory

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// TOML writes a value as a fleet file has it, on one line: a string, a number, true or
// false, a list or a table of such. What is none of these becomes an empty string, which
// no key takes. Nothing in it is a control character.
func TOML(v any) string {
	switch v := v.(type) {
	case string:
		return quoted(v)
	case bool, int, int64, uint16:
		return fmt.Sprint(v)
	case json.Number:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return strconv.FormatInt(n, 10)
		}
		f, err := v.Float64()
		if err != nil || math.IsInf(f, 0) {
			return quoted(string(v))
		}
		text := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		return TOML(list)
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = TOML(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		if len(v) == 0 {
			return "{}"
		}
		var items []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			items = append(items, TOMLKey(key)+" = "+TOML(v[key]))
		}
		return "{ " + strings.Join(items, ", ") + " }"
	}
	return `""`
}

// TOMLKey writes a key, or the part of one between two dots.
func TOMLKey(s string) string {
	if s != "" && strings.Trim(s, bareKey) == "" {
		return s
	}
	return quoted(s)
}

const bareKey = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

// quoted is a basic string. What is read of a fleet file has no control characters, but
// this does not rely on it: the text may go to a terminal.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
