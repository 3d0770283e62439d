package verbtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlan saves a plan, applies exactly that, and has it refused for each thing that
// has moved since.
func TestPlan(t *testing.T) {
	f := newFleet(t, "web1", "web2", "db1")
	const db = "[roles.db]\n"
	f.append(db)
	f.run(0, "apply", "-y")
	text := func(port string) {
		t.Helper()
		f.write("fleet.toml", world.Addr4().String(), world.Addr6().String())
		f.append(db + "[roles.web]\nin = [ { allow = \"tcp/" + port + "\" } ]\n[sets.lists]\nfile = \"list.txt\"\nallow_empty = true\n")
		f.file("list.txt", "192.0.2.1\n")
	}
	text("8443")
	plan := func() string {
		t.Helper()
		_, stderr := f.run(1, "diff", "--out", "plan.json")
		if !strings.Contains(stderr, "plan.json: 2 hosts; fwpush apply --plan plan.json") {
			t.Errorf("diff says: %s", stderr)
		}
		written, err := os.ReadFile(filepath.Join(f.dir, "plan.json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(written)
	}
	written := plan()
	var saved struct {
		Schema                        int
		Tool, By, Fleet, File, Digest string
		Hosts                         []struct {
			Name, Backend, Diff string
			Means               []string
		}
	}
	if err := json.Unmarshal([]byte(written), &saved); err != nil {
		t.Fatal(err)
	}
	if h := saved.Hosts; saved.Schema != 1 || saved.By != "tester" || saved.File != filepath.Join(f.dir, "fleet.toml") || len(h) != 2 || h[0].Name != "web1" ||
		h[1].Name != "web2" || h[0].Backend != "nftables" || !strings.Contains(h[0].Diff, "dport 8443") || len(h[0].Means) == 0 {
		t.Errorf("plan %s", written)
	}
	if info, err := os.Stat(filepath.Join(f.dir, "plan.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}

	untouched := f.ruleset("web1") + f.ruleset("web2")
	stale := func(what, want string) {
		t.Helper()
		_, stderr := f.run(2, "apply", "--plan", "plan.json")
		if !strings.Contains(stderr, want) || !strings.Contains(stderr, "look at the change again: fwpush diff -l 'web[1-2]' --out plan.json\n") {
			t.Errorf("%s: no %q in %s", what, want, stderr)
		}
		if f.ruleset("web1")+f.ruleset("web2") != untouched {
			t.Errorf("%s: a host was changed", what)
		}
	}
	f.file("plan.json", strings.Replace(written, `"tool": "`, `"tool": "fwpush v0.0.1 `, 1))
	stale("the tool", "the plan was made by another fwpush: fwpush v0.0.1")
	f.file("plan.json", written)
	f.append("# a word\n")
	stale("the file", "fleet.toml, or a file that belongs to it, has changed since the plan was made")
	text("8443")
	f.file("list.txt", "192.0.2.2\n")
	stale("a file that it reads", "fleet.toml, or a file that belongs to it, has changed")
	text("8443")
	f.file("plan.json", strings.ReplaceAll(written, saved.Digest, "sha256:00"))
	stale("both", "has changed")
	f.file("plan.json", written)
	f.sh("web2", "nft insert rule inet fwpush input tcp dport 9 drop")
	untouched = f.ruleset("web1") + f.ruleset("web2")
	_, stderr := f.run(2, "apply", "--plan", "plan.json")
	if !strings.Contains(stderr, "web2  failed at inspect: the host is not as it was when the change was shown") ||
		!strings.Contains(stderr, "exit 2: 1 host not as when the change was shown, no host was changed: web2") {
		t.Errorf("the running state: %s", stderr)
	}
	if f.ruleset("web1")+f.ruleset("web2") != untouched {
		t.Error("the running state: a host was changed")
	}

	written = plan()
	if !strings.Contains(written, `"drift": true`) {
		t.Errorf("the edit by hand is not in the plan: %s", written)
	}
	f.run(2, "apply", "--plan", "plan.json", "--role", "web")
	f.run(2, "apply", "--plan", "missing.json")
	f.file("garbage.json", "{}")
	f.run(2, "apply", "--plan", "garbage.json")
	// From elsewhere, without a yes: the plan is one.
	dir := f.dir
	f.dir = t.TempDir()
	o := f.json(0, "apply", "--plan", filepath.Join(dir, "plan.json"))
	f.dir = dir
	if got := o.outcomes(); len(got) != 2 || got["web1"] != "confirmed" || got["web2"] != "confirmed" {
		t.Errorf("outcomes %v", got)
	}
	// Once more: the hosts run it already.
	o = f.json(0, "apply", "--plan", "plan.json")
	if got := o.outcomes(); got["web1"] != "unchanged" {
		t.Errorf("outcomes %v", got)
	}
	f.file("plan.json", strings.ReplaceAll(written, `"hosts": [`, `"hosts": [], "more": [`))
	if _, stderr := f.run(0, "apply", "--plan", "plan.json"); !strings.Contains(stderr, "nothing to apply") {
		t.Errorf("a plan without a change: %s", stderr)
	}
	if _, stderr := f.run(0, "diff", "--out", "plan.json"); !strings.Contains(stderr, "plan.json: nothing to apply\n") {
		t.Errorf("a diff without a change: %s", stderr)
	}
}
