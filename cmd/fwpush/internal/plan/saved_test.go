package plan

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestWriteSpares is what --out must not take the place of: a plan is renamed over what
// is there, and /dev/null is too easily named.
func TestWriteSpares(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	s := Saved{Schema: savedSchema, File: "/f/fleet.toml", Digest: "sha256:1", Hosts: []SavedHost{}}
	for name, text := range map[string]string{"fleet.toml": "version = 1\n", "empty": "", "text.json": "{}"} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(at("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at("plan"), at("link")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, wrong string }{
		{"fifo", "is no file"}, {".", "is no file"}, {"fleet.toml", "holds something else"}, {"text.json", "holds something else"},
		{"no/such", "no such file"}, {"plan", ""}, {"plan", ""}, {"link", ""}, {"empty", ""},
	} {
		err := s.Write(at(tt.name))
		if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.wrong)
		}
	}
	for _, name := range []string{"plan", "empty"} {
		if _, err := ReadSaved(at(name)); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Lstat(at("link")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	if info, err := os.Lstat(at("fifo")); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the pipe is gone: %v, %v", info, err)
	}
}

func TestReadSavedRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan.json")
	for text, want := range map[string]string{
		"{}":                                   "not a plan: it names no fleet file",
		`{"schema":2,"file":"f","digest":"d"}`: "a plan of schema 2",
		`{"schema":1,"file":"f","digest":"d"`:  "not a plan: unexpected EOF",
		`{"schema":1,"file":"f","digest":"d","hosts":[{"name":""}]}`:               "host 1 has no name",
		`{"schema":1,"file":"f","digest":"d","hosts":[{"name":"a"},{"name":"a"}]}`: "names a twice",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSaved(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestReadSavedIsBrief: what is no plan may be anything, and is not told whole.
func TestReadSavedIsBrief(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan.json")
	long := strings.Repeat("\u00fc", 5000)
	for text, want := range map[string]string{
		`{"schema":1,"made":"2026-01-02T03:04:05` + long + `Z","file":"f","digest":"d"}`:                 "not a plan: parsing time",
		`{"schema":1,"file":"f","digest":"d","hosts":[{"name":"` + long + `"},{"name":"` + long + `"}]}`: "not a plan: it names ",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSaved(path); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 1000+len(path) {
			t.Errorf("%v, want %q and less", err, want)
		}
	}
}
