package verbtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFleetBehindABastion pushes to eleven hosts and to the bastion that they are
// reached through, and reads from the record in which order.
func TestFleetBehindABastion(t *testing.T) {
	t.Parallel()
	f := newFleet(t, append(webs(101, 11), "bastion1")...)
	bastion := f.hosts["bastion1"].Addr4().String()
	text := func(more string) {
		t.Helper()
		f.write("fleet.toml", world.Addr4().String(), bastion)
		written, err := os.ReadFile(filepath.Join(f.dir, "fleet.toml"))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for line := range strings.Lines(string(written)) {
			b.WriteString(line)
			if strings.HasPrefix(line, "roles = [\"web\"]") {
				b.WriteString("ssh.jump = \"bastion1\"\n")
			}
		}
		f.file("fleet.toml", b.String()+more)
	}
	text("[roles.bastion]\n")
	o := f.json(0, "apply", "-y")
	for _, h := range o.Hosts {
		wave := 1
		if h.Name == "bastion1" {
			wave = 2
		}
		if h.Outcome != "confirmed" || h.Wave != wave || h.Connections != 2 || h.Name != "bastion1" && h.Execs != 2 {
			t.Errorf("%s is %s in wave %d with %d connections and %d executions: %s", h.Name, h.Outcome, h.Wave, h.Connections, h.Execs, h.Error)
		}
	}
	console, err := f.hosts["web101"].Console()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(console, "Accepted publickey for root from "+world.Addr4().String()) || !strings.Contains(console, "Accepted publickey for root from "+bastion) {
		t.Errorf("web101 was not reached through the bastion alone:\n%s", console)
	}

	// The record: every host behind it is decided and has ended before the bastion is
	// told to apply, and the way through it is part of its evidence.
	lines := f.record(o.Run)
	ended := 0
	for _, l := range lines {
		switch {
		case l.Event == "ended" && l.Host != "bastion1":
			ended++
		case l.Event == "applying" && strings.Join(l.Hosts, " ") == "bastion1" && ended != 11:
			t.Errorf("the bastion applies after %d hosts have ended", ended)
		case l.Event == "applying" && strings.Contains(strings.Join(l.Hosts, " "), "bastion1") && len(l.Hosts) != 1:
			t.Errorf("the bastion applies with %v", l.Hosts)
		case l.Event == "proved" && l.Host == "bastion1" && strings.Join(l.Probes, ", ") != "login to a host behind it":
			t.Errorf("evidence of the bastion %+v", l)
		case l.Event == "proved" && l.Host == "web101" && strings.Join(l.Through, " ") != "bastion1":
			t.Errorf("evidence of web101 %+v", l)
		}
	}

	// Rules under which the bastion itself is reached, and nobody behind it.
	before := f.ruleset("bastion1")
	text("[roles.bastion]\nout = [ { deny = \"ssh\", to = \"role:web\" } ]\n")
	o = f.json(3, "apply", "-y")
	for _, h := range o.Hosts {
		switch {
		case h.Name != "bastion1" && h.Outcome != "unchanged":
			t.Errorf("%s is %s", h.Name, h.Outcome)
		case h.Name == "bastion1" && (h.Outcome != "reverted" || h.Stage != "probe" || !strings.Contains(h.Error, "login to a host behind it: nobody behind it could be reached")):
			t.Errorf("the bastion is %s at %s: %s", h.Outcome, h.Stage, h.Error)
		}
	}
	if got := f.ruleset("bastion1"); inOrder(got) != inOrder(before) {
		t.Errorf("the bastion runs\n%s", got)
	}
	f.json(0, "status", "--exit-code")
}

// record reads the record of a run.
func (f *fleet) record(run string) []recorded {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.state, "fwpush", "runs", run, "events.jsonl"))
	if err != nil {
		f.t.Fatal(err)
	}
	var list []recorded
	for l := range strings.Lines(string(text)) {
		var r recorded
		if err := json.Unmarshal([]byte(l), &r); err != nil && !strings.Contains(l, `"decision"`) {
			f.t.Fatalf("%v: %s", err, l)
		}
		list = append(list, r)
	}
	return list
}

// recorded is one line of the record of a run.
type recorded struct {
	Event, Host            string
	Hosts, Probes, Through []string
}
