package verbtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// dieAt runs an apply that is killed, as by kill -9, when the n-th host or the group
// comes to a step, and returns its run.
func (f *fleet) dieAt(binary, step string, args ...string) string {
	f.t.Helper()
	dir := filepath.Join(f.state, "fwpush", "runs")
	before, _ := filepath.Glob(filepath.Join(dir, "*"))
	cmd := f.command(append([]string{"apply", "-y"}, args...)...)
	cmd.Path = binary
	cmd.Env = append(cmd.Env, "FWPUSH_TEST_STOP="+step)
	out, _ := cmd.CombinedOutput()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		f.t.Fatalf("not killed at %s:\n%s", step, out)
	}
	runs, _ := filepath.Glob(filepath.Join(dir, "*")) // those of one second are in no order
	runs = slices.DeleteFunc(runs, func(run string) bool { return slices.Contains(before, run) })
	if len(runs) != 1 {
		f.t.Fatalf("no record of the run: %v", runs)
	}
	return filepath.Base(runs[0])
}

// elsewhere runs fwpush in a directory without a fleet file.
func (f *fleet) elsewhere(want int, args ...string) object {
	f.t.Helper()
	home := f.dir
	defer func() { f.dir = home }()
	f.dir = f.t.TempDir()
	return f.json(want, args...)
}

// TestControllerKilledInMidGroup kills an apply to twelve hosts before and after its
// group has decided, and goes on from elsewhere.
func TestControllerKilledInMidGroup(t *testing.T) {
	t.Parallel()
	f := newFleet(t, webs(21, 12)...)
	binary := f.stoppable()
	f.run(0, "apply", "-y")
	old := map[string]string{}
	for _, host := range f.order {
		old[host] = f.ruleset(host)
	}
	states := func(want string) {
		t.Helper()
		o := f.json(0, "status")
		for _, h := range o.Hosts {
			if h.Outcome != want {
				t.Errorf("%s is %s, want %s", h.Name, h.Outcome, want)
			}
			if want == "pending" && (h.Pending == nil || h.Pending.By != "tester" || h.Pending.Deadline == "") {
				t.Errorf("%s: pending %+v", h.Name, h.Pending)
			}
		}
	}
	running := func(want map[string]string) {
		t.Helper()
		for _, host := range f.order {
			if got := f.ruleset(host); want != nil && got != want[host] || want == nil && !strings.Contains(got, "dport 8443") {
				t.Errorf("%s runs\n%s", host, got)
			}
			if left := f.leftovers(host); left != "" {
				t.Errorf("left on %s: %s", host, left)
			}
		}
	}
	f.append(port8443)

	// Before: nobody may confirm without proving it, and nothing is confirmed by itself.
	run := f.dieAt(binary, "undecided", "--window", "60s")
	states("pending")
	if out, _ := f.run(0, "history"); !strings.Contains(out, run) || !strings.Contains(out, "died") {
		t.Errorf("history:\n%s", out)
	}
	if o := f.json(7, "apply", "-y"); !strings.Contains(o.Hosts[0].Error, "locked by run "+run) {
		t.Errorf("a second run: %s", o.Hosts[0].Error)
	}
	o := f.elsewhere(0, "revert", run)
	if got := o.outcomes(); len(got) != 12 || got["web21"] != "reverted" || got["web32"] != "reverted" {
		t.Errorf("revert: %v", got)
	}
	running(old)
	o = f.elsewhere(3, "confirm", run)
	if got := o.outcomes(); got["web27"] != "reverted" {
		t.Errorf("a confirm after the revert: %v", got)
	}

	// After: three hosts have heard of it, the others are finished by the record.
	run = f.dieAt(binary, "commit:4", "--window", "60s")
	o = f.elsewhere(0, "confirm", run)
	if got := o.outcomes(); len(got) != 12 || got["web21"] != "confirmed" || got["web32"] != "confirmed" {
		t.Errorf("confirm: %v", got)
	}
	for _, h := range o.Hosts {
		if h.Connections > 2 || h.Execs > 2 {
			t.Errorf("%s: %d connections and %d executions to finish what was decided", h.Name, h.Connections, h.Execs)
		}
	}
	running(nil)
	if o := f.elsewhere(0, "apply", "-y", "--resume", run); len(o.Hosts) != 0 {
		t.Errorf("there is nothing to resume: %v", o.outcomes())
	}

	// Left alone the hosts heal themselves, and the run goes on from elsewhere.
	f.write("fleet.toml", world.Addr4().String(), world.Addr6().String())
	f.append(strings.ReplaceAll(port8443, "8443", "8444"))
	for _, host := range f.order {
		old[host] = f.ruleset(host)
	}
	run = f.dieAt(binary, "commit:6", "--window", "15s", "--forks", "8")
	died := time.Now()
	for !slices.Equal(f.pending(), nil) {
		if time.Since(died) > 20*time.Second {
			t.Fatalf("still pending: %v", f.pending())
		}
		time.Sleep(500 * time.Millisecond)
	}
	confirmed := 0
	for _, host := range f.order {
		if f.ruleset(host) != old[host] {
			confirmed++
		}
	}
	o = f.elsewhere(0, "apply", "-y", "--resume", run)
	if got := o.outcomes(); len(got)+confirmed < 12 || len(got) == 0 {
		t.Errorf("resumed %v, and %d hosts were confirmed", got, confirmed)
	}
	for _, h := range o.Hosts {
		if h.Outcome != "confirmed" && h.Outcome != "unchanged" {
			t.Errorf("%s is %s: %s", h.Name, h.Outcome, h.Error)
		}
	}
	for _, host := range f.order {
		if !strings.Contains(f.ruleset(host), "dport 8444") {
			t.Errorf("%s does not run the rules of the run", host)
		}
	}

	// Resumed with another file it would be another run.
	f.append("[roles.base]\nping = false\n")
	run = f.dieAt(binary, "stage:12", "--window", "15s")
	f.append("dhcp_client = true\n")
	o = f.elsewhere(2, "apply", "-y", "--resume", run)
	if !strings.Contains(o.Error, "stale, no host was changed") {
		t.Errorf("%s", o.Error)
	}
}

// TestFileGone takes back and finishes runs whose fleet file is gone or broken by then.
func TestFileGone(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "web91", "web92")
	binary := f.stoppable()
	f.run(0, "apply", "-y")
	f.append(port8443)
	file := filepath.Join(f.dir, "fleet.toml")
	hide := func() {
		if err := os.Rename(file, file+".gone"); err != nil {
			t.Fatal(err)
		}
	}
	show := func() {
		if err := os.Rename(file+".gone", file); err != nil {
			t.Fatal(err)
		}
	}

	run := f.dieAt(binary, "undecided", "--window", "60s")
	hide()
	if _, msg := f.run(2, "confirm", run); !strings.Contains(msg, "fwpush revert "+run+" goes without it") || !strings.Contains(msg, "no such file") {
		t.Errorf("a confirm without probes:\n%s", msg)
	}
	if got := f.json(0, "revert", run, "-l", "web91").outcomes(); len(got) != 1 || got["web91"] != "reverted" {
		t.Errorf("revert of one without the file: %v", got)
	}
	f.file("fleet.toml", "version = [")
	if got := f.json(0, "revert", run).outcomes(); got["web92"] != "reverted" {
		t.Errorf("revert with a broken file: %v", got)
	}
	if out, _ := f.run(2, "revert", run, "-i", "fleet.toml"); out != "" {
		t.Errorf("a file that was named is not looked at: %s", out)
	}
	show()

	run = f.dieAt(binary, "commit:1", "--window", "60s")
	hide()
	if got := f.json(0, "confirm", run).outcomes(); got["web91"] != "confirmed" || got["web92"] != "confirmed" {
		t.Errorf("confirm of what is decided, without the file: %v", got)
	}
}

// pending are the hosts on which a transaction waits.
func (f *fleet) pending() []string {
	var names []string
	for _, host := range f.order {
		if f.sh(host, "ls /run/fwpush 2>/dev/null | grep -E 'staged|armed|applied|confirming|reverting' || true") != "" {
			names = append(names, host)
		}
	}
	return names
}

// TestLeftBehind takes a host out of the file: this machine still knows it, and takes
// the rules off.
func TestLeftBehind(t *testing.T) {
	f := newFleet(t, "web1", "web2", "web3")
	f.run(0, "apply", "-y")
	f.order = []string{"web1"}
	f.write("fleet.toml", world.Addr4().String(), world.Addr6().String())
	o := f.json(0, "status")
	if got := o.outcomes(); got["web1"] != "ok" || got["web2"] != "left-behind" || got["web3"] != "left-behind" {
		t.Errorf("status %v", got)
	}
	if out, _ := f.run(0, "status"); !strings.Contains(out, "left-behind  web[2-3] (2)") || !strings.Contains(out, "name it in the file again, or fwpush remove 'web[2-3]'") {
		t.Errorf("status:\n%s", out)
	}
	if o := f.json(0, "status", "-l", "web1"); len(o.Hosts) != 1 {
		t.Errorf("status of web1: %v", o.outcomes())
	}
	if o := f.json(0, "status", "-l", "web1,web3"); len(o.Hosts) != 2 || o.outcomes()["web3"] != "left-behind" {
		t.Errorf("status of one in the file and one left behind: %v", o.outcomes())
	}
	f.run(1, "status", "--exit-code")
	f.run(2, "remove", "web9", "-y")
	o = f.json(0, "remove", "web[2-3]", "-y")
	if got := o.outcomes(); len(got) != 2 || got["web2"] != "confirmed" || got["web3"] != "confirmed" {
		t.Errorf("remove %v", got)
	}
	for _, host := range []string{"web2", "web3"} {
		if got := f.ruleset(host); got != "" {
			t.Errorf("%s still runs\n%s", host, got)
		}
	}
	if o := f.json(0, "status", "--exit-code"); len(o.Hosts) != 1 {
		t.Errorf("status %v", o.outcomes())
	}
	// A machine that keeps no records knows nothing of them.
	f.state = t.TempDir()
	if o := f.json(0, "status"); len(o.Hosts) != 1 {
		t.Errorf("status %v", o.outcomes())
	}
}

// TestOnStopRollback has a run stop in its second wave: what the first one confirmed
// goes back, on a host that had no rules before to none.
func TestOnStopRollback(t *testing.T) {
	t.Parallel()
	f := newFleet(t, webs(61, 4)...)
	f.run(0, "apply", "-y", "-l", "web61,web63")
	before := map[string]string{}
	for _, host := range f.order {
		before[host] = f.ruleset(host)
	}
	f.append(port8443)
	f.cutOff("web63", "8443")
	// Whoever hears of it goes away in the middle of it.
	pipe := filepath.Join(f.dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		if reader, err := os.Open(pipe); err == nil {
			_, _ = reader.Read(make([]byte, 10))
			_ = reader.Close()
		}
	}()
	o := f.json(6, "apply", "-y", "--batch", "2", "--on-stop", "rollback", "--window", "15s", "--events", pipe)
	want := map[string]string{"web61": "reverted", "web62": "reverted", "web63": "reverted", "web64": "reverted"}
	for _, h := range o.Hosts {
		if h.Outcome != want[h.Name] {
			t.Errorf("%s is %s: %s (%s)", h.Name, h.Outcome, h.Error, h.Hint)
		}
		if h.Name < "web63" && !strings.Contains(h.Hint, "it was confirmed, and went back in run 20") {
			t.Errorf("%s: hint %q", h.Name, h.Hint)
		}
	}
	for _, host := range f.order {
		// nft lists chains in the order in which it got them.
		if got := f.ruleset(host); inOrder(got) != inOrder(before[host]) {
			t.Errorf("%s runs\n%s\nbefore\n%s", host, got, before[host])
		}
	}
	out, _ := f.run(0, "history")
	if !strings.Contains(out, "rollback") || strings.Count(out, "apply") != 2 {
		t.Errorf("history:\n%s", out)
	}
	if o := f.json(6, "apply", "-y", "--batch", "2", "--window", "15s"); o.outcomes()["web61"] != "confirmed" {
		t.Errorf("by default confirmed hosts stay: %v", o.outcomes())
	}
}

func inOrder(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
