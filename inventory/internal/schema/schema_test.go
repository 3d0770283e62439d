package schema

import (
	"strings"
	"testing"
)

// Whatever documents the file relies on this.
func TestTablesAreComplete(t *testing.T) {
	known := map[string]bool{}
	for _, table := range All() {
		if known[table.Name] {
			t.Errorf("table %q twice", table.Name)
		}
		known[table.Name] = true
	}
	used := map[string]bool{"": true}
	for _, table := range All() {
		seen := map[string]bool{}
		if table.Doc == "" {
			t.Errorf("[%s] has no doc", table.Name)
		}
		for _, k := range table.Keys {
			at := table.Name + "." + k.Name
			if seen[k.Name] {
				t.Errorf("%s twice", at)
			}
			seen[k.Name] = true
			within := k.Type == Sub || k.Type == Named || k.Type == List || k.Type == Tables
			switch {
			case k.Doc == "" || strings.Contains(k.Doc, "\n") || strings.HasSuffix(k.Doc, "."):
				t.Errorf("%s: doc %q", at, k.Doc)
			case k.Type == "":
				t.Errorf("%s has no type", at)
			case within != (k.Table != ""), within && !known[k.Table]:
				t.Errorf("%s: table %q", at, k.Table)
			case k.Min > k.Max:
				t.Errorf("%s: %d..%d", at, k.Min, k.Max)
			}
			used[k.Table] = true
		}
	}
	for name := range known {
		if !used[name] {
			t.Errorf("no key leads to table %q", name)
		}
	}
	// A caller may do with it what it likes.
	All()[0].Keys[0].Name = "spoilt"
	if All()[0].Keys[0].Name == "spoilt" {
		t.Error("All hands out its own memory")
	}
}

func TestNearest(t *testing.T) {
	for _, tt := range []struct{ table, key, want string }{
		{"rule in in", "alow", "allow"}, {"rule in in", "dney", "deny"}, {"rule in in", "form", "from"}, {"rule in out", "form", ""},
		{"hosts.NAME", "port", "ssh.port"}, {"hosts.NAME", "prot", "ssh.port"}, {"hosts.NAME", "usr", "ssh.user"},
		{"hosts.NAME", "adresses", "addresses"}, {"hosts.NAME", "adress", "ssh.address"},
		{"defaults", "adress", ""}, {"", "host", "hosts"}, {"", "prot", ""}, {"", "xyzzy", ""},
	} {
		if got := Kind(tt.table).Nearest(tt.key); got != tt.want {
			t.Errorf("%s in [%s]: %q, want %q", tt.key, tt.table, got, tt.want)
		}
	}
}
