package verbtest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// stoppable builds fwpush such that the environment can kill it at a step.
func (f *fleet) stoppable() string {
	f.t.Helper()
	path := filepath.Join(f.t.TempDir(), "fwpush")
	if out, err := exec.Command("go", "build", "-tags", "fwpushtest", "-o", path, "fwpush/cmd/fwpush").CombinedOutput(); err != nil {
		f.t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// abandon applies the fleet file and dies, as of kill -9, when every host runs
// the new rules and none is confirmed. It returns the run that is pending. Words are how
// hosts are got into.
func (f *fleet) abandon(binary string, words ...string) string {
	f.t.Helper()
	cmd := f.command(append([]string{"apply", "-y", "--window", "120s"}, words...)...)
	cmd.Path = binary
	cmd.Env = append(cmd.Env, "FWPUSH_TEST_STOP=confirm:"+string(rune('0'+len(f.order))))
	out, err := cmd.CombinedOutput()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		f.t.Fatalf("not killed: %v\n%s", err, out)
	}
	o := f.json(0, append([]string{"status"}, words...)...)
	run := ""
	for _, h := range o.Hosts {
		if h.Outcome != "pending" || h.Pending == nil || h.Pending.By != "tester" || h.Pending.State != "applied" || h.Pending.Deadline == "" {
			f.t.Fatalf("%s is %s, %+v", h.Name, h.Outcome, h.Pending)
		}
		run = h.Pending.Run
	}
	return run
}

// TestConfirmAndRevert finishes what a dead controller left behind, and has a
// second controller locked out of it until then.
func TestConfirmAndRevert(t *testing.T) {
	f := newFleet(t, "web1", "web2")
	binary := f.stoppable()

	run := f.abandon(binary)
	before := map[string]string{}
	for _, host := range f.order {
		before[host] = f.ruleset(host)
	}
	o := f.json(7, "apply", "-y")
	for _, h := range o.Hosts {
		if h.Outcome != "locked" || !strings.Contains(h.Error, "locked by run "+run+" of tester (applied) until 20") {
			t.Errorf("%s: %s: %s", h.Name, h.Outcome, h.Error)
		}
	}
	if o := f.json(7, "diff"); o.outcomes()["web1"] != "locked" {
		t.Errorf("diff: %v", o.outcomes())
	}
	if _, stderr := f.run(3, "confirm", "20200101T000000Z-00000000"); !strings.Contains(stderr, "run 20200101T000000Z-00000000 is neither pending nor confirmed") {
		t.Errorf("another run: %s", stderr)
	}
	if o := f.json(0, "confirm", run); o.Run != run || o.Command != "confirm" || o.outcomes()["web1"] != "confirmed" || o.outcomes()["web2"] != "confirmed" {
		t.Errorf("confirm: %+v", o)
	}
	for _, host := range f.order {
		if got := f.ruleset(host); got != before[host] {
			t.Errorf("confirm changed the rules of %s", host)
		}
		if got := f.leftovers(host); got != "" {
			t.Errorf("%s: left behind:\n%s", host, got)
		}
	}
	f.json(0, "confirm", run)
	if o := f.json(3, "revert", run); o.outcomes()["web1"] != "confirmed" || !strings.Contains(o.Hosts[0].Error, "too late") || !strings.Contains(o.Hosts[0].Hint, "fwpush rollback") {
		t.Errorf("revert of what is confirmed: %+v", o)
	}

	f.append("[roles.web]\nin = [ { allow = \"https\" } ]\n")
	second := f.abandon(binary)
	if o := f.json(0, "revert", second, "-l", "web1"); o.outcomes()["web1"] != "reverted" || len(o.Hosts) != 1 {
		t.Errorf("revert: %+v", o)
	}
	if got := f.ruleset("web1"); got != before["web1"] {
		t.Errorf("web1 is not back on its old rules:\n%s", got)
	}
	out, _ := f.run(0, "status")
	for _, want := range []string{"ok       web1 (1)", "pending  web2 (1)", "reverts by ", "run " + second + " by tester, applied; fwpush confirm " + second + " keeps what runs", "a revert fired 20"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	f.json(0, "revert", second)
}
