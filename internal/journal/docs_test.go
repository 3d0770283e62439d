package journal

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// docs/journal.md names every event, and every field in the row of its event.
func TestTheFormatIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, row, _ := strings.Cut(name, "`")
			rows[name] = row
		}
	}
	for _, e := range []Event{Header{}, Host{}, Wave{}, Applying{}, Applied{}, Proved{}, Extended{}, Decision{}, Stopped{}, Interrupted{}, Ended{}, Again{}, lost{}, Done{}} {
		row, ok := rows[e.kind()]
		if !ok {
			t.Errorf("no row for event %s", e.kind())
		}
		for _, field := range fields(reflect.TypeOf(e)) {
			if !strings.Contains(row, "`"+field+"`") {
				t.Errorf("event %s: field %s is not in its row", e.kind(), field)
			}
		}
		if _, _, err := decode([]byte(`{"event":"` + e.kind() + `"}`)); err != nil {
			t.Error(err)
		}
		if _, read, _ := decode([]byte(`{"event":"` + e.kind() + `"}`)); read == nil {
			t.Errorf("event %s is written, and not read", e.kind())
		}
	}
}

// fields are the names in JSON of a type and of what it holds.
func fields(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		names = append(names, name)
		inner := f.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner.PkgPath() == t.PkgPath() && inner != t {
			names = append(names, fields(inner)...)
		}
	}
	return names
}
