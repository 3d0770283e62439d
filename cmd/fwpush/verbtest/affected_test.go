package verbtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestP3LeavingARoleShowsOnEveryHost takes a host out of a role: its addresses leave
// the rules of another host, and diff names that host although nothing was edited
// there. An apply to the edited host alone leaves it to be found.
func TestP3LeavingARoleShowsOnEveryHost(t *testing.T) {
	f := newFleet(t, "web1", "db1")
	const db = "[roles.db]\nin = [ { allow = \"tcp/5432\", from = \"role:client\", allow_empty = true } ]\n[roles.client]\n"
	text := func(roles string) {
		t.Helper()
		f.write("fleet.toml", world.Addr4().String(), world.Addr6().String())
		f.append(db)
		written, err := os.ReadFile(filepath.Join(f.dir, "fleet.toml"))
		if err != nil {
			t.Fatal(err)
		}
		f.file("fleet.toml", strings.Replace(string(written), `roles = ["web"]`, roles, 1))
	}
	text(`roles = ["web", "client"]`)
	f.run(0, "apply", "-y")
	web1 := f.hosts["web1"].Addr4().String()
	if got := f.ruleset("db1"); !strings.Contains(got, web1) {
		t.Fatalf("db1 does not know %s:\n%s", web1, got)
	}
	text(`roles = ["web"]`)
	out, _ := f.run(1, "diff", "--color", "never")
	if !strings.Contains(out, "db1") || !strings.Contains(out, "newly closed: tcp/5432") {
		t.Errorf("db1 is not among the hosts that change:\n%s", out)
	}
	f.run(0, "apply", "-y", "-l", "web1")
	if got := f.ruleset("db1"); !strings.Contains(got, web1) {
		t.Error("an apply to web1 changed db1")
	}
	f.run(1, "diff", "-l", "db1")
	f.run(0, "apply", "-y")
	if got := f.ruleset("db1"); strings.Contains(got, web1) {
		t.Errorf("db1 still lets %s in:\n%s", web1, got)
	}
}

// TestP5OthersAtTheOtherEnd edits a way between two hosts and pushes one of them: it
// is told that the other may have to change too, and nothing of that where both go.
func TestP5OthersAtTheOtherEnd(t *testing.T) {
	f := newFleet(t, "web1", "db1", "db2")
	text := func(port string) {
		t.Helper()
		f.write("fleet.toml", world.Addr4().String(), world.Addr6().String())
		f.append("[roles.base]\nout = [ { deny = \"tcp/" + port + "\", to = [\"host:db1\", \"host:db2\"] }, { deny = \"tcp/" + port + "\", to = \"192.0.2.0/24\" } ]\n")
	}
	text("5433")
	f.run(0, "apply", "-y")
	text("5434")
	const note = "db[1-2] at the other end are not selected: what was edited may change rules there too, see fwpush diff -l 'db[1-2]'"
	if out, _ := f.run(1, "diff", "-l", "web1", "--color", "never"); !strings.Contains(out, "\n  "+note+"\n") {
		t.Errorf("diff of web1 alone:\n%s", out)
	}
	if out, _ := f.run(1, "diff", "-o", "json", "-l", "web1"); !strings.Contains(out, note) {
		t.Errorf("diff of web1 alone for programs:\n%s", out)
	}
	if out, _ := f.run(1, "diff", "--color", "never"); strings.Contains(out, "at the other end") {
		t.Errorf("diff of all:\n%s", out)
	}
	if _, said := f.run(0, "apply", "-y", "-l", "web1"); !strings.Contains(said, "web1  note: "+note+"\n") {
		t.Errorf("apply to web1:\n%s", said)
	}
	if _, said := f.run(0, "apply", "-y"); strings.Contains(said, "at the other end") {
		t.Errorf("apply to all:\n%s", said)
	}
}

// TestC10StatusCountsConnections: how full connection tracking is comes from the host.
func TestC10StatusCountsConnections(t *testing.T) {
	f := newFleet(t, "web1")
	f.run(0, "apply", "-y")
	out, _ := f.run(0, "status", "-o", "json")
	var said struct {
		Hosts []struct{ Tracked, Trackable int }
	}
	if err := json.Unmarshal([]byte(out), &said); err != nil {
		t.Fatal(err)
	}
	if h := said.Hosts[0]; h.Trackable < 100 || h.Tracked < 1 || h.Tracked > h.Trackable {
		t.Errorf("%+v", h)
	}
}
