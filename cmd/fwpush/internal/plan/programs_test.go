package plan

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fwpush/inventory"
)

// What a program says is a part of the fleet that a plan is bound to: said otherwise, the
// plan is stale; said in another order, or of things that are none of a fleet, it is not.
func TestAPlanIsBoundToWhatProgramsSay(t *testing.T) {
	dir := t.TempDir()
	fleet, program := filepath.Join(dir, "fleet.toml"), filepath.Join(dir, "hosts.sh")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	says := func(json string) { write(program, "#!/bin/sh\ncat <<'X'\n"+json+"\nX\n") }
	read := func() *File {
		t.Helper()
		f, err := Read(t.Context(), Source{Path: fleet, Programs: []string{program}}, nil)
		if err != nil || len(f.Problems.Errors()) > 0 {
			t.Fatal(err, f.Problems)
		}
		return f
	}
	write(fleet, "version = 1\n[management]\nfrom = [\"192.0.2.10\"]\n[roles.web]\nin = [{ allow = \"http\" }]\n")
	says(`{"_meta":{"hostvars":{"a":{"ansible_host":"192.0.2.1"},"b":{"ansible_host":"192.0.2.2"}}},"web":["a"]}`)
	f := read()
	if members, err := f.Choose(inventory.Selection{Roles: []string{"web"}}); err != nil || len(members) != 1 || len(members[0].Policy.In) != 1 {
		t.Fatalf("%+v, %v", members, err)
	}
	saved, err := f.Save("tool", "me")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		json  string
		stale bool
	}{
		{`{"web":{"hosts":["a"]},"_meta":{"hostvars":{"b":{"ansible_host":"192.0.2.2","uptime":7},"a":{"ansible_host":"192.0.2.1"}}}}`, false},
		{`{"web":{"hosts":["a"]},"_meta":{"hostvars":{"b":{"ansible_host":"192.0.2.3"},"a":{"ansible_host":"192.0.2.1"}}}}`, true},
		{`{"web":{"hosts":["a","b"]},"_meta":{"hostvars":{"b":{"ansible_host":"192.0.2.2"},"a":{"ansible_host":"192.0.2.1"}}}}`, true},
	} {
		says(tt.json)
		if moved := saved.Stale(read(), "tool"); (len(moved) > 0) != tt.stale {
			t.Errorf("%s: %v", tt.json, moved)
		}
	}
	without, err := Read(t.Context(), Source{Path: fleet}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if moved := saved.Stale(without, "tool"); len(moved) == 0 {
		t.Error("a plan that was made with a program goes without")
	}
	t.Chdir(dir)
	says(`{"_meta":{"hostvars":{"a":{"ansible_host":"192.0.2.1"},"b":{"ansible_host":"192.0.2.2"}}},"web":["a"]}`)
	f, err = Read(t.Context(), Source{Path: "fleet.toml", Programs: []string{"./hosts.sh"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if moved := saved.Stale(f, "tool"); len(moved) > 0 {
		t.Errorf("the same files by other paths: %v", moved)
	}
	for _, file := range f.Fleet.Files {
		if strings.HasSuffix(file, "hosts.sh") {
			return
		}
	}
	t.Errorf("the program is none of %q", f.Fleet.Files)
}
