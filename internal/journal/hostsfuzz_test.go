package journal

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzIndex: whatever stands in the index of hosts, the end of a run makes one of it that can be read and
// has what the run did. What was known of others is known still; what is damaged is kept beside it.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"schema":1,"fleets":{"prod":{"a":{"ssh":{"address":"192.0.2.9","port":22},"run":"20261122T143055Z-00000001","outcome":"confirmed","digest":"sha256:1","at":"2026-11-22T14:30:55Z"}},"x":null}}`))
	f.Add([]byte(`{"schema":1,"fleets":{"prod":{"b":{"run":"29991122T143055Z-00000001","at":"9999-12-31T23:59:59+23:59"},"a":{"run":"2999"}}}}`))
	f.Add([]byte(`{"schema":2,"fleets":{"prod":{}}}`))
	f.Add([]byte(`{"schema":-1,"fleets":{"\ud800":{"\u001b[2J":{"ssh":{"jump":[null,{}]}}},"prod":null}} `))
	f.Add([]byte(`{"fleets":[]}`))
	f.Add([]byte{})
	dir := f.TempDir()
	s, err := Open(dir)
	if err != nil {
		f.Fatal(err)
	}
	root, err := s.create()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { root.Close() })
	path := filepath.Join(dir, hostsFile)
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		before, damage := readIndex(root)
		run := &Run{root: root, head: header(aRun, "a", "b"), now: time.Now, ended: map[string]Ended{"a": {Host: "a", Outcome: "confirmed", Digest: "sha256:new"}}}
		err := run.index()
		if damage != nil && !errors.Is(damage, errDamaged) {
			if left, err2 := os.ReadFile(path); err == nil || err2 != nil || string(left) != string(text) {
				t.Fatalf("of a newer fwpush, and became %q: %v, %v", left, err, err2)
			}
			return
		}
		if damage != nil {
			aside := path + ".damaged-" + aRun
			if kept, err2 := os.ReadFile(aside); !errors.Is(err, errDamaged) || err2 != nil || string(kept) != string(text) {
				t.Fatalf("damaged, and kept as %q: %v, %v", kept, err, err2)
			}
			if err := os.Remove(aside); err != nil {
				t.Fatal(err)
			}
		} else if err != nil {
			t.Fatal(err)
		}
		after, err := readIndex(root)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		a := after.Fleets["prod"]["a"]
		if a.Outcome != "confirmed" && before.Fleets["prod"]["a"].Run <= aRun || a.Run < aRun {
			t.Fatalf("a is %+v, and was %+v", a, before.Fleets["prod"]["a"])
		}
		delete(before.Fleets["prod"], "a")
		delete(after.Fleets["prod"], "a")
		if len(before.Fleets["prod"]) == 0 {
			delete(before.Fleets, "prod")
		}
		if len(after.Fleets["prod"]) == 0 {
			delete(after.Fleets, "prod")
		}
		was, err := json.Marshal(before.Fleets)
		is, err2 := json.Marshal(after.Fleets)
		if err != nil || err2 != nil || string(was) != string(is) {
			t.Fatalf("of others was known %s, and is %s: %v, %v", was, is, err, err2)
		}
	})
}
