package verbtest

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestVerbsThroughAnUnmanagedBastion works with hosts that admit nobody but a bastion
// which is only an entry of the address book, and then takes the bastion away.
func TestVerbsThroughAnUnmanagedBastion(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "web121", "web122", "bastion12")
	bastion := f.hosts["bastion12"]
	f.write("direct.toml", bastion.Addr4().String(), bastion.Addr6().String())
	direct, err := os.ReadFile(filepath.Join(f.dir, "direct.toml"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(direct), "roles = [\"web\"]\n", "roles = [\"web\"]\nssh.jump = \"bastion12\"\n")
	text = strings.ReplaceAll(text, "[hosts.bastion12]\nroles = [\"bastion\"]\n", "[hosts.bastion12]\nunmanaged = true\n")
	f.file("fleet.toml", text)
	counts := func(o object, each int, outcome string) {
		t.Helper()
		for _, h := range o.Hosts {
			// What confirm takes up it has to look at first, over the same connection.
			if h.Outcome != outcome || h.Connections != each || h.Execs != each && o.Command != "confirm" {
				t.Errorf("%s: %s is %s with %d connections and %d executions, want %s with %d: %s", o.Command, h.Name, h.Outcome, h.Connections, h.Execs, outcome, each, h.Error)
			}
		}
		if len(o.Hosts) != 2 {
			t.Errorf("%s: %d hosts", o.Command, len(o.Hosts))
		}
	}

	f.run(0, "check", "--strict")
	counts(f.json(1, "diff"), 1, "changed")
	counts(f.json(0, "apply", "-y"), 2, "confirmed")
	counts(f.json(0, "apply", "-y"), 1, "unchanged")
	for _, h := range f.json(0, "status", "--exit-code").Hosts {
		if h.Outcome != "ok" {
			t.Errorf("%s is %s: %s", h.Name, h.Outcome, h.Error)
		}
	}
	console, err := bastion.Console()
	if err != nil {
		t.Fatal(err)
	}
	// Of check, diff, twice apply and status the last four log in, each once.
	if n := strings.Count(console, "Accepted publickey for root"); n != 4 {
		t.Errorf("%d logins at the bastion, want 4:\n%s", n, console)
	}
	// Nobody else is admitted, this machine included.
	f.run(4, "status", "-i", "direct.toml", "-l", "web*")

	f.append("[roles.web]\nin = [ { allow = \"tcp/8080\" } ]\n")
	pending := f.json(0, "apply", "-y", "--confirm", "manual")
	counts(pending, 2, "pending")
	counts(f.json(0, "confirm", pending.Run), 2, "confirmed")
	f.json(0, "remove", "web122", "-y")
	if got := f.ruleset("web122"); strings.Contains(got, "fwpush") {
		t.Errorf("left on web122:\n%s", got)
	}

	// What is wrong with the bastion is told once for both, and is not their fault.
	if err := os.WriteFile(filepath.Join(f.dir, "empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.file("unknown.toml", strings.ReplaceAll(text, "unmanaged = true\n", "unmanaged = true\nssh.known_hosts = \"empty\"\n"))
	through := "web[121-122] (2)  unreachable: through bastion12 (" + bastion.Addr4().String() + ":22): "
	unreachable := func(file, why string) {
		t.Helper()
		stdout, _ := f.run(4, "diff", "-i", file)
		if !strings.Contains(stdout, through+why) {
			t.Errorf("stdout has no %q:\n%s", through+why, stdout)
		}
		for _, h := range f.json(4, "status", "-i", file).Hosts {
			if h.Outcome != "unreachable" || !strings.Contains(h.Error, "through bastion12 (") {
				t.Errorf("%s is %s: %s", h.Name, h.Outcome, h.Error)
			}
		}
	}
	unreachable("unknown.toml", "host key ssh-ed25519 SHA256:")
	if err := bastion.Kill(t.Context(), syscall.SIGKILL, "sshd"); err != nil {
		t.Fatal(err)
	}
	f.sh("bastion12", "while ss -Hltn 'sport = :22' | grep -q .; do sleep 0.05; done")
	unreachable("fleet.toml", "connection refused; check the port, and that sshd runs")
}
