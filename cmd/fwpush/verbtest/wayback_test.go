package verbtest

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestFinishingTakesTheBecomePassword confirms, reverts and rolls back on hosts whose sudo
// wants a password: none of it is done without, and all of it with the one of each host.
func TestFinishingTakesTheBecomePassword(t *testing.T) {
	t.Parallel()
	f := becoming(t, map[string]string{"web45": "fünf und 40", "web46": "sechs"}, "web45", "web46")
	by := func(words ...string) []string { return append(words, "--become-pass-command", perHost) }
	all := func(o object, want string) {
		t.Helper()
		for _, name := range f.order {
			if got := o.outcomes()[name]; got != want {
				t.Errorf("%s: %s is %s, want %s", o.Command, name, got, want)
			}
		}
	}
	binary := f.stoppable()

	run := f.abandon(binary, by()...)
	if _, stderr := f.run(3, "confirm", run); !strings.Contains(stderr, "exit 3") {
		t.Errorf("confirm without a password: %s", stderr)
	}
	all(f.json(0, by("status")...), "pending")
	all(f.json(0, by("confirm", run)...), "confirmed")
	first := f.ruleset("web45")

	f.append("[roles.web]\nin = [ { allow = \"https\" } ]\n")
	run = f.abandon(binary, by()...)
	f.run(3, "revert", run)
	all(f.json(0, by("status")...), "pending")
	all(f.json(0, by("revert", run)...), "reverted")
	if got := f.ruleset("web45"); got != first {
		t.Errorf("web45 is not back on its old rules:\n%s", got)
	}

	f.run(0, by("apply", "-y")...)
	f.run(3, "rollback", "-y")
	if got := f.ruleset("web45"); strings.Contains(got, "{ 80") {
		t.Errorf("rolled back without a password:\n%s", got)
	}
	all(f.json(0, by("rollback", "-y")...), "confirmed")
	if got := f.ruleset("web45"); !strings.Contains(got, "{ 80") {
		t.Errorf("web45 is not back on its old rules:\n%s", got)
	}
}

// TestWayInOfTheRun finishes runs whose ssh_config has become one that ssh refuses: hosts
// wait, so that they are reached as they were.
func TestWayInOfTheRun(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "web47", "web48")
	f.rewrite(`user = "root", identity = `, `user = "root" }
# identity = `)
	f.rewrite(`connect_timeout = "3s" }`, "")
	config := "Host web*\n  IdentityFile " + world.KeyFile() + "\n  IdentitiesOnly yes\n  UserKnownHostsFile " + world.KnownHosts() + "\n"
	way := []string{"--ssh-config", filepath.Join(f.dir, "config")}
	binary := f.stoppable()
	for _, tt := range []struct{ verb, port, want string }{{"confirm", "8001", "confirmed"}, {"revert", "8002", "reverted"}} {
		f.file("config", config)
		f.rewrite("[roles.web]", "[roles.old"+tt.port+"]")
		f.append("[roles.web]\nin = [ { allow = \"tcp/" + tt.port + "\" } ]\n")
		run := f.abandon(binary, way...)
		f.file("config", "Hast web*\n")
		stdout, stderr := f.run(0, append([]string{tt.verb, run}, way...)...)
		if !strings.Contains(stderr, "Bad configuration option: hast") || !strings.Contains(stderr, "hosts are reached as they were in run "+run) {
			t.Errorf("%s: %s", tt.verb, stderr)
		}
		if !strings.Contains(stdout, tt.want) {
			t.Errorf("%s: %s", tt.verb, stdout)
		}
	}
}
