package verbtest

import (
	"strings"
	"testing"
	"time"

	"fwpush/internal/simhost"
)

// TestRunOverAFleet pushes to thirty hosts, of which one locks itself out, one is not
// there, one is held by another run and one refuses the rules: each stays by itself,
// and the others are confirmed at two connections each.
func TestRunOverAFleet(t *testing.T) {
	f := newSimFleet(t, simhost.Options{}, "web 30")
	f.run(0, "apply", "-y", "-q")
	f.role("web", `in = [ { allow = "http" } ]`)
	const held = "20260102T030405Z-0000000f"
	f.host("web005").SetFaults(simhost.Faults{LockOut: simhost.Refuse})
	f.host("web006").SetFaults(simhost.Faults{Unreachable: simhost.Refuse})
	f.host("web007").Hold(held, "somebody", time.Minute)
	f.host("web008").SetFaults(simhost.Faults{Refuse: "no memory"})
	before := make([]simhost.Counts, f.sim.Len())
	for i := range before {
		before[i] = f.sim.Host(i).Counts()
	}
	o := f.json(3, "apply", "-y", "--max-fail", "5", "--max-unreachable", "5")
	for i, h := range o.Hosts {
		want := map[string]string{"web005": "reverted", "web006": "unreachable", "web007": "locked", "web008": "failed"}[h.Name]
		if want == "" {
			want = "confirmed"
		}
		host := f.sim.Host(i)
		_, generation := host.Confirmed()
		now := host.Counts()
		if h.Outcome != want || (generation == 2) != (want == "confirmed") {
			t.Errorf("%s is %s in generation %d, not %s: %s", h.Name, h.Outcome, generation, want, h.Error)
		}
		switch opened, wrote := now.Connections-before[i].Connections, now.Writes-before[i].Writes; {
		case want == "confirmed" && (opened != 2 || now.Execs-before[i].Execs != 2):
			t.Errorf("%s: %d connections", h.Name, opened)
		case want == "unreachable" && (opened != 4 || wrote != 0), want == "locked" && (opened != 1 || wrote != 0): // one that is cut at once is tried again
			t.Errorf("%s: %d connections, %d writes", h.Name, opened, wrote)
		}
	}
	if got := f.host("web005").Running(); strings.Contains(got, "dport 80") {
		t.Errorf("web005 runs what locked it out:\n%s", got)
	}

	// A run that was left pending is finished by its name, either way.
	if o := f.json(0, "confirm", held, "-l", "web007"); o.outcomes()["web007"] != "confirmed" || f.host("web007").State() != "confirmed" {
		t.Errorf("confirm: %v, the host says %s", o.outcomes(), f.host("web007").State())
	}
	f.host("web007").Hold(held, "somebody", time.Minute)
	if o := f.json(0, "revert", held, "-l", "web007"); o.outcomes()["web007"] != "reverted" || f.host("web007").State() != "reverted" {
		t.Errorf("revert: %v, the host says %s", o.outcomes(), f.host("web007").State())
	}
	for _, name := range []string{"web005", "web006", "web008"} {
		f.host(name).SetFaults(simhost.Faults{})
	}
	f.run(0, "apply", "-y", "-q")
	if o := f.json(0, "status", "--exit-code"); o.outcomes()["web005"] != "ok" {
		t.Errorf("status: %v", o.outcomes())
	}
}

// TestResumeKeepsItsFlags resumes a run as it was begun: hosts that it did not come to
// are proved no less than the others.
func TestResumeKeepsItsFlags(t *testing.T) {
	f := newSimFleet(t, simhost.Options{}, "web 3")
	f.host("web002").SetFaults(simhost.Faults{Unreachable: simhost.Deny})
	run := f.json(4, "apply", "-y", "--canary", "1", "--soak", "1s", "--max-fail", "10%", "--probe", "tcp = 22", "--probe", `run = "true"`).Run
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, `as in run ` + run + `: --soak 1s --max-fail 10% --probe 'tcp = 22' --probe 'run = "true"'` + "\n"},
		{[]string{"--soak", "0s", "--max-fail", "0"}, `as in run ` + run + `: --probe 'tcp = 22' --probe 'run = "true"'` + "\n"},
		{[]string{"--soak", "0s", "--max-fail", "0", "--probe", `run = "id"`}, ""},
	} {
		o, said := f.run(4, append([]string{"apply", "-y", "--resume", run, "-o", "json"}, tt.args...)...)
		if !strings.Contains(o, `"name":"web002","outcome":"unreachable"`) || tt.want != "" && !strings.Contains(said, tt.want) || tt.want == "" && strings.Contains(said, "as in run") {
			t.Errorf("%q: no %q in %s%s", tt.args, tt.want, said, o)
		}
	}
	if out, _ := f.run(0, "history", "show", run); !strings.Contains(out, `probe=tcp = 22 probe=run = "true" soak=1s`) {
		t.Errorf("history show:\n%s", out)
	}
}
