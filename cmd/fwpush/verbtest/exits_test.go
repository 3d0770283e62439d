package verbtest

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"fwpush/internal/simhost"
)

// TestOutcomesAndExits produces every outcome and every exit code that scripts rely on,
// and what stands last on stderr.
func TestOutcomesAndExits(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	const change = "in = [ { allow = \"tcp/8443\" } ]"
	lies := func(from, to string) func(string) string {
		return func(line string) string { return strings.Replace(line, from, to, 1) }
	}
	for _, tt := range []struct {
		name    string
		prepare func(f *simFleet)
		args    string
		exit    int
		want    map[string]string // outcomes of some hosts
		line    string            // of stderr, the last
	}{
		{"confirmed", nil, "apply -y", 0, map[string]string{"web001": "confirmed", "web004": "confirmed"}, ""},
		{"unchanged", func(f *simFleet) { f.run(0, "apply", "-y") }, "apply -y", 0, map[string]string{"web001": "unchanged"}, ""},
		{"changed", nil, "diff", 1, map[string]string{"web001": "changed"}, "exit 1: 4 hosts with differences: web[001-004]"},
		{"changed in a dry run", nil, "apply --dry-run", 1, map[string]string{"web001": "changed"}, "exit 1: "},
		{"a drift in status", func(f *simFleet) { f.run(0, "apply", "-y"); f.insert("web002", "tcp dport 9 drop") }, "status --exit-code", 1,
			map[string]string{"web001": "ok", "web002": "drift"}, "exit 1: 1 host not as confirmed: web002"},
		{"a wrong file", func(f *simFleet) { f.role("web", "inn = []") }, "apply -y", 2, nil, "exit 2: 1 error in fleet.toml"},
		{"no yes", nil, "apply", 2, nil, "exit 2: refused: not interactive; 4 hosts need --yes or a terminal"},
		{"the offline proof", func(f *simFleet) {
			f.file("fleet.toml", strings.Replace(f.text(), "controller = [", "controller = [\"192.0.2.77\"]#", 1))
		}, "apply -y", 2, nil,
			"exit 2: 4 hosts would lock out this machine: web[001-004]"},
		{"failed", func(f *simFleet) { f.host("web003").SetFaults(simhost.Faults{Refuse: "Error: syntax error"}) }, "apply -y --max-fail 1", 3,
			map[string]string{"web001": "confirmed", "web003": "failed"}, "exit 3: 1 host failed: web003"},
		{"reverted", func(f *simFleet) { f.host("web001").SetFaults(simhost.Faults{LockOut: simhost.Refuse}) }, "apply -y -l web001 --window 15s", 3,
			map[string]string{"web001": "reverted"}, "exit 3: 1 host reverted: web001"},
		{"unreachable", func(f *simFleet) { f.host("web002").SetFaults(simhost.Faults{Unreachable: simhost.Deny}) }, "apply -y", 4,
			map[string]string{"web001": "confirmed", "web002": "unreachable"}, "exit 4: 1 host unreachable: web002"},
		{"unknown", func(f *simFleet) {
			f.host("web002").SetFaults(simhost.Faults{Lie: lies("over confirmed", "over reverting open")})
		}, "apply -y --max-fail 1", 5, map[string]string{"web001": "confirmed", "web002": "unknown"}, "exit 5: 1 host unknown: web002"},
		{"stopped by a canary", func(f *simFleet) { f.host("web001").SetFaults(simhost.Faults{Fail: "Error: no"}) }, "apply -y --canary 1", 6,
			map[string]string{"web001": "reverted", "web002": "skipped"}, "exit 6: the rollout was stopped by canary web001: "},
		{"stopped by a budget", func(f *simFleet) { f.host("web002").SetFaults(simhost.Faults{Fail: "Error: no"}) }, "apply -y --batch 2", 6,
			map[string]string{"web001": "reverted", "web002": "reverted", "web003": "skipped"}, "exit 6: the rollout was stopped by web002 (1 failed, at most 0 allowed): "},
		{"stopped by unreachable hosts", func(f *simFleet) { f.host("web001").SetFaults(simhost.Faults{Unreachable: simhost.Deny}) }, "apply -y --batch 1 --max-unreachable 0", 6,
			map[string]string{"web001": "unreachable", "web002": "skipped"}, "exit 6: the rollout was stopped by web001 (1 unreachable, at most 0 allowed): "},
		{"locked", func(f *simFleet) { f.host("web002").Hold("20260102T030405Z-00000001", "somebody", time.Minute) }, "apply -y", 7,
			map[string]string{"web001": "confirmed", "web002": "locked"}, "exit 7: 1 host locked by another run: web002"},
		{"locked in a diff", func(f *simFleet) { f.host("web002").Hold("20260102T030405Z-00000001", "somebody", time.Minute) }, "diff -l web002", 7,
			map[string]string{"web002": "locked"}, "exit 7: "},
		{"pending on request", nil, "apply -y --confirm manual", 0, map[string]string{"web001": "pending", "web004": "pending"}, ""},
		{"worst wins: stopped before unreachable", func(f *simFleet) {
			f.host("web001").SetFaults(simhost.Faults{Unreachable: simhost.Deny})
			f.host("web002").SetFaults(simhost.Faults{Fail: "Error: no"})
		}, "apply -y --batch 2", 6, map[string]string{"web001": "unreachable", "web003": "skipped"}, "exit 6: "},
		{"worst wins: unreachable before locked", func(f *simFleet) {
			f.host("web001").SetFaults(simhost.Faults{Unreachable: simhost.Deny})
			f.host("web002").Hold("20260102T030405Z-00000001", "somebody", time.Minute)
		}, "apply -y", 4, map[string]string{"web001": "unreachable", "web002": "locked", "web003": "confirmed"}, "exit 4: "},
		{"worst wins: failed before unreachable", func(f *simFleet) {
			f.host("web001").SetFaults(simhost.Faults{Unreachable: simhost.Deny})
			f.host("web002").SetFaults(simhost.Faults{Refuse: "Error: no"})
		}, "apply -y --max-fail 1", 3, map[string]string{"web001": "unreachable", "web002": "failed", "web003": "confirmed"}, "exit 3: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newSimFleet(t, simhost.Options{}, "web 4")
			f.t = t
			f.role("web", change)
			if tt.prepare != nil {
				tt.prepare(f)
			}
			stdout, stderr := f.run(tt.exit, append(strings.Fields(tt.args), "-o", "json")...)
			var o object
			if err := json.Unmarshal([]byte(stdout), &o); err != nil {
				t.Fatalf("%v: %s", err, stdout)
			}
			got := o.outcomes()
			for host, want := range tt.want {
				if got[host] != want {
					t.Errorf("%s is %s, want %s", host, got[host], want)
				}
			}
			for _, h := range o.Hosts {
				seen[h.Outcome] = true
				if h.Outcome == "skipped" && f.host(h.Name).Counts() != (simhost.Counts{}) {
					t.Errorf("%s is skipped, and was contacted: %+v", h.Name, f.host(h.Name).Counts())
				}
			}
			all := strings.Split(strings.TrimSpace(stderr), "\n")
			if last := all[len(all)-1]; !strings.HasPrefix(last, tt.line) || tt.exit != 0 && "exit "+string(rune('0'+tt.exit))+": "+o.Error != last {
				t.Errorf("last line %q, want %q; error of the object %q", last, tt.line, o.Error)
			}
		})
	}
	want := []string{"changed", "confirmed", "drift", "failed", "locked", "ok", "pending", "reverted", "skipped", "unchanged", "unknown", "unreachable"}
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, want) {
		t.Errorf("outcomes seen %q, want %q", got, want)
	}
}

// TestSignals sends what may end a program to a run with four hosts in flight, whose
// soak is under way.
func TestSignals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		signals []syscall.Signal
		exit    int
		want    map[string]string
		says    string
	}{
		{"the first interrupt", []syscall.Signal{syscall.SIGINT}, 130, map[string]string{"web001": "confirmed", "web004": "confirmed", "web005": "skipped"},
			"no new host is started, what is in flight is finished, under way web[001-004] (4)"},
		{"the second", []syscall.Signal{syscall.SIGINT, syscall.SIGINT}, 130, map[string]string{"web001": "reverted", "web004": "reverted", "web005": "skipped"},
			"exit 130: 4 hosts reverted by the interrupt: web[001-004]; 2 hosts skipped by the interrupt: web[005-006]"},
		{"SIGTERM", []syscall.Signal{syscall.SIGTERM}, 130, map[string]string{"web001": "reverted", "web005": "skipped"}, "4 hosts reverted by the interrupt"},
		{"the third", []syscall.Signal{syscall.SIGINT, syscall.SIGINT, syscall.SIGINT}, 130, map[string]string{"web001": "pending", "web005": "skipped"},
			"leaving: by themselves revert web[001-004] (4), the last by "},
		{"the terminal is gone", []syscall.Signal{syscall.SIGHUP}, 0, map[string]string{"web001": "confirmed", "web006": "confirmed"}, ""},
		{"a pipe is closed", []syscall.Signal{syscall.SIGPIPE}, 0, map[string]string{"web001": "confirmed", "web006": "confirmed"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newSimFleet(t, simhost.Options{}, "web 6")
			f.t = t
			if len(tt.signals) == 3 { // hosts that go on and on reverting
				for i := range 4 {
					f.sim.Host(i).SetFaults(simhost.Faults{Lie: func(line string) string {
						if line == "reverted" || strings.HasPrefix(line, "reverted ") {
							return "busy"
						}
						return strings.Replace(line, "over reverted", "over reverting", 1)
					}})
				}
			}
			cmd := f.command("apply", "-y", "--forks", "4", "--soak", "2s", "-o", "json", "-v")
			var stdout bytes.Buffer
			cmd.Stdout = &stdout
			told, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for i := range 4 {
				if err := f.sim.Host(i).Await(t.Context(), "applied"); err != nil {
					t.Fatal(err)
				}
			}
			text := readAll(told)
			for i, s := range tt.signals {
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
				// Two signals of a kind that nobody has taken yet are one.
				if i+1 < len(tt.signals) {
					text.await(t, "interrupted: ", i+1)
				}
			}
			<-text.done
			_ = cmd.Wait() // the exit code is looked at
			if got := cmd.ProcessState.ExitCode(); got != tt.exit {
				t.Fatalf("exit %d, want %d\n%s", got, tt.exit, text.String())
			}
			var o object
			if err := json.Unmarshal(stdout.Bytes(), &o); err != nil {
				t.Fatalf("%v: %s", err, stdout.String())
			}
			for host, want := range tt.want {
				if got := o.outcomes()[host]; got != want {
					t.Errorf("%s is %s, want %s", host, got, want)
				}
			}
			if !strings.Contains(text.String(), tt.says) {
				t.Errorf("no %q in:\n%s", tt.says, text.String())
			}
			if slices.Contains(tt.signals, syscall.SIGINT) && f.sim.Host(5).Counts().Connections > 0 {
				t.Error("a host was begun after the interrupt")
			}
		})
	}
}
