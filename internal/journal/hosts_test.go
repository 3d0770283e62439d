package journal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// finish runs a run in which hosts end so.
func finish(t *testing.T, s *Store, h Header, outcomes ...string) error {
	t.Helper()
	r := begin(t, s, h)
	for i, outcome := range outcomes {
		write(t, r, Ended{Host: h.Hosts[i].Name, Outcome: outcome, Digest: h.Hosts[i].Digest})
	}
	return r.Finish(Done{})
}

func knownHosts(t *testing.T, s *Store, fleet string) map[string]string {
	t.Helper()
	hosts, err := s.Hosts(fleet)
	if err != nil {
		t.Error(err)
	}
	got := map[string]string{}
	for name, h := range hosts {
		got[name] = strings.Join([]string{h.Run, h.Outcome, h.Digest, h.SSH.Address}, " ")
	}
	return got
}

func TestKnownHosts(t *testing.T) {
	s := newStore(t)
	wants := func(want map[string]string) {
		t.Helper()
		if got := knownHosts(t, s, "prod"); !reflect.DeepEqual(got, want) {
			t.Errorf("known are %v, want %v", got, want)
		}
	}
	// What was confirmed, was so already, or may have been applied is known.
	names := []string{"a", "b", "c", "d", "e", "f"}
	if err := finish(t, s, header(runOf(1), names...), "confirmed", "unchanged", "reverted", "unknown", "pending", "unreachable"); err != nil {
		t.Fatal(err)
	}
	wants(map[string]string{
		"a": runOf(1) + " confirmed sha256:new-a 192.0.2.1",
		"b": runOf(1) + " unchanged sha256:new-b 192.0.2.2",
		"d": runOf(1) + " unknown  192.0.2.4",
		"e": runOf(1) + " pending  192.0.2.5",
	})
	// A run that left a host as it was changes nothing; one that has a new way in does.
	h := header(runOf(3), "a", "b")
	h.Hosts[0].Digest, h.Hosts[0].SSH.Address = "sha256:newer", "198.51.100.1"
	if err := finish(t, s, h, "pending", "reverted"); err != nil {
		t.Fatal(err)
	}
	a := runOf(3) + " pending sha256:new-a 198.51.100.1"
	wants(map[string]string{"a": a, "b": runOf(1) + " unchanged sha256:new-b 192.0.2.2",
		"d": runOf(1) + " unknown  192.0.2.4", "e": runOf(1) + " pending  192.0.2.5"})
	// What is confirmed of an earlier run says nothing of a later one.
	r, err := s.Resume(runOf(1), Again{Command: "confirm"})
	if err != nil {
		t.Fatal(err)
	}
	write(t, r, Ended{Host: "e", Outcome: "confirmed", Digest: "sha256:new-e"})
	if err := r.Finish(Done{}); err != nil {
		t.Fatal(err)
	}
	wants(map[string]string{"a": a, "b": runOf(1) + " unchanged sha256:new-b 192.0.2.2",
		"d": runOf(1) + " unknown  192.0.2.4", "e": runOf(1) + " confirmed sha256:new-e 192.0.2.5"})
	// Where a removal is confirmed, or nothing was left to remove, nothing is.
	h = header(runOf(4), "a", "b", "d")
	for i := range h.Hosts {
		h.Hosts[i].Remove = true
	}
	if err := finish(t, s, h, "confirmed", "unchanged", "reverted"); err != nil {
		t.Fatal(err)
	}
	wants(map[string]string{"d": runOf(1) + " unknown  192.0.2.4", "e": runOf(1) + " confirmed sha256:new-e 192.0.2.5"})
	// Fleets do not see each other's.
	if got := knownHosts(t, s, "stage"); len(got) > 0 {
		t.Errorf("stage has %v", got)
	}
}

func TestKnownHostsKeepTheirWayIn(t *testing.T) {
	s := newStore(t)
	h := header(aRun, "db1")
	h.Hosts[0].SSH = Endpoint{Address: "10.0.0.7", Port: 2222, User: "ops", Become: "sudo", Identity: []string{"/k"}, KnownHosts: []string{"/h"},
		Timeout: 5, Jump: []Endpoint{{Name: "bastion", Address: "203.0.113.1", Port: 22}, {Address: "10.0.0.1", Port: 22, User: "hop"}}}
	if err := finish(t, s, h, "confirmed"); err != nil {
		t.Fatal(err)
	}
	hosts, err := s.Hosts("prod")
	if err != nil || !reflect.DeepEqual(hosts["db1"].SSH, h.Hosts[0].SSH) {
		t.Errorf("got %+v, %v", hosts["db1"].SSH, err)
	}
	if got := loadRun(t, s, aRun).Hosts[0].SSH; !reflect.DeepEqual(got, h.Hosts[0].SSH) {
		t.Errorf("got %+v", got)
	}
}

// Two runs may begin within one second; what is random in their ids says nothing.
func TestKnownHostsOfRunsWithinASecond(t *testing.T) {
	s := newStore(t)
	if err := finish(t, s, header("20261101T000000Z-ffffffff", "a"), "confirmed"); err != nil {
		t.Fatal(err)
	}
	h := header("20261101T000000Z-00000000", "a")
	h.Hosts[0].Remove = true
	if err := finish(t, s, h, "confirmed"); err != nil {
		t.Fatal(err)
	}
	if got := knownHosts(t, s, "prod"); len(got) > 0 {
		t.Errorf("removed, and known are %v", got)
	}
}

func TestADamagedIndexIsSetAside(t *testing.T) {
	for name, text := range map[string]string{"torn": `{"schema":1,"fleets":{"prod":`, "empty": "", "another form": `[1]`} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			if err := finish(t, s, header(runOf(1), "a"), "confirmed"); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(s.dir, hostsFile)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			hosts, err := s.Hosts("prod")
			wantError(t, err, "hosts.json")
			if hosts == nil || len(hosts) > 0 {
				t.Errorf("got %v", hosts)
			}
			// A run is told, its record is whole, and the next one is as always.
			wantError(t, finish(t, s, header(runOf(2), "b"), "confirmed"), "is kept as hosts.json.damaged-"+runOf(2))
			if got := loadRun(t, s, runOf(2)); got.State != Finished {
				t.Errorf("the run is %s", got.State)
			}
			if got, err := os.ReadFile(path + ".damaged-" + runOf(2)); err != nil || string(got) != text {
				t.Errorf("set aside is %q, %v", got, err)
			}
			if err := finish(t, s, header(runOf(3), "c"), "confirmed"); err != nil {
				t.Fatal(err)
			}
			if got := knownHosts(t, s, "prod"); len(got) != 2 {
				t.Errorf("known are %v", got)
			}
		})
	}
}

func TestANewerIndexIsLeftAlone(t *testing.T) {
	s := newStore(t)
	if err := finish(t, s, header(runOf(1), "a"), "confirmed"); err != nil {
		t.Fatal(err)
	}
	const newer = `{"schema":2,"fleets":{}}`
	path := filepath.Join(s.dir, hostsFile)
	if err := os.WriteFile(path, []byte(newer), 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, finish(t, s, header(runOf(2), "b"), "confirmed"), "newer fwpush")
	if got, err := os.ReadFile(path); err != nil || string(got) != newer {
		t.Errorf("it is now %q, %v", got, err)
	}
}

// manyRuns is a controller that does one run after another.
func manyRuns(dir, first string) error {
	s, err := Open(dir)
	if err != nil {
		return err
	}
	for i := range 20 {
		name := fmt.Sprintf("%s-%d", first, i)
		h := header(fmt.Sprintf("20261101T0000%02dZ-%s%06x", i, first, i), name)
		r, err := s.Begin(h)
		if err != nil {
			return err
		}
		if err := errors.Join(r.Write(Ended{Host: name, Outcome: "confirmed"}), r.Finish(Done{})); err != nil {
			return err
		}
	}
	return nil
}

func TestControllersShareADirectory(t *testing.T) {
	s := newStore(t)
	firsts := []string{"aa", "bb", "cc", "dd"}
	var all []*exec.Cmd
	for _, first := range firsts {
		cmd, _ := controller(t, "runs", s.dir, first)
		all = append(all, cmd)
	}
	for _, cmd := range all {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	if hosts := knownHosts(t, s, "prod"); len(hosts) != 20*len(firsts) {
		t.Errorf("%d hosts are known", len(hosts))
	}
	if runs := kept(t, s); len(runs) != 20*len(firsts) {
		t.Errorf("%d runs are kept", len(runs))
	}
}
