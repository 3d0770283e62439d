package verbtest

import (
	"strings"
	"testing"
)

// TestRollback goes back and forth between what hosts have confirmed, one by one and
// all together.
func TestRollback(t *testing.T) {
	f := newFleet(t, "web1", "web2")
	port := func(p string) {
		f.write("fleet.toml", world.Addr4().String(), world.Addr6().String())
		f.append("[roles.web]\nin = [ { allow = \"tcp/" + p + "\" } ]\n")
	}
	runs := map[string]string{}
	for _, p := range []string{"8001", "8002", "8003"} {
		port(p)
		runs[p] = f.json(0, "apply", "-y").Run
	}
	has := func(host, want string) {
		t.Helper()
		if got := f.ruleset(host); !strings.Contains(got, "dport "+want) {
			t.Errorf("%s does not have port %s open:\n%s", host, want, got)
		}
	}
	o := f.json(0, "rollback", "-l", "web1", "-y")
	if h := o.Hosts[0]; len(o.Hosts) != 1 || h.Outcome != "confirmed" || h.Digest == h.Previous || !strings.Contains(h.Diff, "tcp dport 8002") || h.Connections != 2 {
		t.Errorf("%+v", o.Hosts)
	}
	has("web1", "8002")
	has("web2", "8003")
	if left := f.leftovers("web1"); left != "" {
		t.Errorf("left: %s", left)
	}
	if got := f.sh("web1", "cat /var/lib/fwpush/boot.nft"); !strings.Contains(got, "8002") {
		t.Error("it would boot other rules")
	}
	// The file still says 8003, and what it opens and closes is known of old policies too.
	out, _ := f.run(1, "diff", "--color", "never", "-l", "web1")
	if !strings.Contains(out, "newly open: tcp/8003") || !strings.Contains(out, "newly closed: tcp/8002") || strings.Contains(out, "drift") {
		t.Errorf("diff after the rollback:\n%s", out)
	}
	f.run(0, "rollback", "-l", "web1", "-y")
	has("web1", "8003")

	f.json(0, "rollback", "--to", runs["8001"], "-y")
	has("web1", "8001")
	has("web2", "8001")
	f.json(0, "rollback", "--to", "2", "-l", "web2", "-y")
	has("web2", "8002")
	o = f.json(3, "rollback", "--to", "20200101T000000Z-00000000", "-y")
	for _, h := range o.Hosts {
		if h.Outcome != "failed" || h.Stage != "inspect" || !strings.Contains(h.Error, "does not keep that generation: it keeps ") {
			t.Errorf("%s is %s: %s", h.Name, h.Outcome, h.Error)
		}
	}
	has("web2", "8002")
	if _, stderr := f.run(2, "rollback", "--to", "last; reboot", "-y"); !strings.Contains(stderr, "a generation is its number on the host") {
		t.Errorf("%s", stderr)
	}
	f.run(2, "rollback") // two hosts, nobody to ask

	// On a host that never confirmed anything there is nothing to go back to.
	f.run(0, "remove", "web2", "-y")
	o = f.json(3, "rollback", "-l", "web2", "-y")
	if h := o.Hosts[0]; !strings.Contains(h.Error, "nothing was ever confirmed here") {
		t.Errorf("%+v", h)
	}
	// A policy that cannot be read proves nothing.
	f.sh("web1", "for g in /var/lib/fwpush/gen/*; do echo x >$g/policy.json; done")
	o = f.json(2, "rollback", "-l", "web1", "-y")
	if h := o.Hosts[0]; h.Outcome != "failed" || !strings.Contains(h.Error, "whether this machine would be let in cannot be proved") || !strings.Contains(h.Hint, "lose-ssh") {
		t.Errorf("%+v", h)
	}
	f.json(0, "rollback", "-l", "web1", "-y", "--accept-risk", "lose-ssh")
}
