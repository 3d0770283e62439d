//go:build !fwpushtest

// Test builds have another shortest window than the page tells.

package inventory_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"fwpush/inventory"
)

var update = flag.Bool("update", false, "write docs/policy.md anew")

// The reference of docs/policy.md is made of the table that Parse goes by.
func TestPolicyReference(t *testing.T) {
	const path, begin, end = "../docs/policy.md", "-update -->\n", "<!-- /keys -->"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(page), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the keys", path)
	}
	want := head + begin + reference() + end + tail
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(page) {
		t.Errorf("%s does not say what the schema says; go test ./inventory -run TestPolicyReference -update", path)
	}
}

func reference() string {
	var b strings.Builder
	for _, table := range inventory.Schema() {
		title := "`[" + table.Name + "]`"
		switch {
		case table.Name == "":
			title = "The top level"
		case table.Name == "raw" || table.Name == "tests":
			title = "`[[" + table.Name + "]]`"
		case strings.HasPrefix(table.Name, "rule"), table.Name == "probe":
			title = "A " + table.Name
		case strings.HasPrefix(table.Name, "entry"):
			title = "An " + table.Name
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s.\n\n| key | value | default | meaning |\n|---|---|---|---|\n", title, upperFirst(table.Doc))
		for _, k := range table.Keys {
			if k.Refused != "" {
				continue
			}
			def := "`" + k.Default + "`"
			if k.Required {
				def = "required"
			} else if k.Default == "" {
				def = ""
			}
			value := string(k.Type)
			if a := k.Allowed(); len(k.Values) > 0 || k.Max != 0 {
				value = a
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Name, cell(value), def, cell(k.Doc))
		}
	}
	return b.String() + "\n"
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
