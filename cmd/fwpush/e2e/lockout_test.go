package e2e

import (
	"strings"
	"testing"
)

// TestLockOut pushes rules without the controller in them.
func TestLockOut(t *testing.T) {
	f := newFleet(t, "web1", "web2")
	f.run(0, "apply", "-y")
	before := map[string]string{}
	logins := map[string]int{}
	for _, host := range f.order {
		before[host] = f.ruleset(host)
		logins[host] = f.logins(host)
	}
	f.write("lockout.toml", "192.0.2.1", "2001:db8::1")

	for _, verb := range [][]string{{"check"}, {"diff"}, {"apply", "-y"}, {"apply", "--dry-run"}} {
		_, stderr := f.run(2, append(verb, "-i", "lockout.toml")...)
		if want := "web[1-2] (2 hosts): would lock out " + world.Addr4().String() + " → 22; add "; !strings.Contains(stderr, want) {
			t.Errorf("%s: no %q in:\n%s", verb[0], want, stderr)
		}
	}
	for _, host := range f.order {
		if n := f.logins(host); n != logins[host] {
			t.Errorf("%s was logged in to %d times although the proof failed offline", host, n-logins[host])
		}
	}

	o := f.json(3, "apply", "-y", "-i", "lockout.toml", "--accept-risk", "lose-ssh", "--window", "15s")
	for _, h := range o.Hosts {
		if h.Outcome != "reverted" || h.Stage != "confirm" || h.Error == "" {
			t.Errorf("%s: %s at %s: %s", h.Name, h.Outcome, h.Stage, h.Error)
		}
	}
	for _, host := range f.order {
		if got := f.ruleset(host); got != before[host] {
			t.Errorf("%s has not healed:\n%s", host, got)
		}
		if got := f.leftovers(host); got != "" {
			t.Errorf("%s: left behind:\n%s", host, got)
		}
	}
	f.run(0, "diff")
}

// logins counts what sshd of a host has admitted so far.
func (f *fleet) logins(host string) int {
	f.t.Helper()
	text, err := f.hosts[host].Console()
	if err != nil {
		f.t.Fatal(err)
	}
	return strings.Count(text, "Accepted publickey")
}
