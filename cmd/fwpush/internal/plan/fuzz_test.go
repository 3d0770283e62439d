package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzReadSaved: a plan that is read is written as the same plan, and names each of its hosts once.
func FuzzReadSaved(f *testing.F) {
	f.Add([]byte(`{"schema":1,"tool":"x","made":"2026-01-02T03:04:05Z","file":"/f","digest":"sha256:1","hosts":[{"name":"a","digest":"d","diff":"+x\n"},{"name":"b"}]}`))
	f.Add([]byte(`{"schema":1,"file":"/f","digest":"x","hosts":[{"name":"a"},{"name":"a"}]}`))
	f.Add([]byte(`{"schema":2,"file":"/f","digest":"x"}`))
	f.Add([]byte(`{"schema":1,"file":"\u001b","digest":"\ud800","hosts":null,"made":"9999-12-31T23:59:59+23:59"} trailing`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		path, copied := filepath.Join(dir, "plan"), filepath.Join(dir, "copy")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := ReadSaved(path)
		if err != nil {
			if len(err.Error()) > 1000+len(path) {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		seen := map[string]bool{}
		for _, name := range s.Names() {
			if name == "" || seen[name] {
				t.Fatalf("host %q", name)
			}
			seen[name] = true
		}
		if s.File == "" || s.Digest == "" || s.Schema != savedSchema {
			t.Fatalf("%+v", s)
		}
		if err := s.Write(copied); err != nil {
			if strings.Contains(err.Error(), "year outside") {
				t.Fatalf("%v: read, and cannot be written", err)
			}
			t.Fatal(err)
		}
		again, err := ReadSaved(copied)
		was, err2 := json.Marshal(s)
		is, err3 := json.Marshal(again)
		if err := errors.Join(err, err2, err3); err != nil || !bytes.Equal(was, is) {
			t.Fatalf("%v: read\n%s\nand then\n%s", err, was, is)
		}
		if written, err := os.ReadFile(copied); err != nil || !bytes.HasSuffix(written, []byte("}\n")) {
			t.Fatalf("%q, %v", written, err)
		}
	})
}
