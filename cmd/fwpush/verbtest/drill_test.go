package verbtest

import (
	"strings"
	"testing"

	"fwpush/internal/lab"
	"fwpush/internal/simhost"
)

// TestDrill proves the revert of real hosts: one that was never confirmed is refused, and
// a host that others would be reached through is no part of it.
func TestDrill(t *testing.T) {
	f := newFleet(t, "web1", "web2", "web3")
	f.run(0, "apply", "-l", "web[1-2]", "-y")
	before := f.ruleset("web1")
	o := f.json(3, "drill", "-y")
	if o.Command != "drill" {
		t.Errorf("command %q", o.Command)
	}
	for _, h := range o.Hosts {
		switch {
		case h.Name == "web3" && (h.Outcome != "failed" || h.Stage != "inspect" || !strings.Contains(h.Error, "nothing was ever confirmed here") || !strings.Contains(h.Hint, "apply first")):
			t.Errorf("%+v", h)
		case h.Name != "web3" && (h.Outcome != "reverted" || h.Stage != "" || h.Error != "" || h.Late == nil || *h.Late < 0 || *h.Late > 10):
			t.Errorf("%+v", h)
		}
	}
	if got := f.ruleset("web1"); got != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, got)
	}
	if left := f.leftovers("web1"); left != "" {
		t.Errorf("left: %s", left)
	}
	if out, _ := f.run(0, "status"); strings.Count(out, "drilled 20") != 1 || strings.Contains(out, "a revert fired") {
		t.Errorf("status:\n%s", out)
	}
	if out, _ := f.run(0, "status", "-o", "json", "-l", "web2"); !strings.Contains(out, `"last_drill":{`) || !strings.Contains(out, o.Run) || !strings.Contains(out, `"proved":true`) {
		t.Errorf("status:\n%s", out)
	}
	if out, _ := f.run(0, "history", "show", o.Run); !strings.Contains(out, "command  drill") || !strings.Contains(out, "its timer took the marker back") {
		t.Errorf("history:\n%s", out)
	}
	f.run(2, "drill") // several hosts, nobody to ask
	f.sh("web1", "nft add rule inet fwpush input tcp dport 9999 accept")
	if h := f.json(3, "drill", "-l", "web1").Hosts[0]; h.Outcome != "failed" || !strings.Contains(h.Error, "(drift)") {
		t.Errorf("%+v", h)
	}
}

// TestDrillLeavesWhatWasMadeByHand drills hosts whose file says exclusive and that have one
// timer: rules made by hand since the last apply are there before, during and after.
func TestDrillLeavesWhatWasMadeByHand(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "web5")
	f.rewrite("[hosts.web5]\n", "[hosts.web5]\nmode = \"exclusive\"\ntimers = 1\n")
	f.sh("web5", lab.AtdDies)
	f.run(0, "apply", "-y")
	f.sh("web5", "nft add table ip mine; nft 'add chain ip mine in { type filter hook input priority 5; }'; nft add rule ip mine in tcp dport 9 drop")
	f.sh("web5", "(timeout 60 nft monitor >/root/monitor 2>&1 &)")
	f.until("web5", "pgrep -x nft")
	out, stderr := f.run(0, "drill", "-y", "--color", "never")
	if !strings.Contains(out, "reverted  web5 (1), by its timer ") || !strings.Contains(stderr, "1 timer, accepted by fleet.toml:") {
		t.Errorf("%s\n%s", out, stderr)
	}
	if got := f.sh("web5", "nft list table ip mine"); !strings.Contains(got, "tcp dport 9 drop") {
		t.Errorf("left of what was made by hand: %s", got)
	}
	if got := f.sh("web5", "cat /root/monitor"); !strings.Contains(got, "drill_") || strings.Contains(got, "ip mine") {
		t.Errorf("the host has seen\n%s", got)
	}
}

// TestDrillOfAFleet is thirty hosts at once, of which one is held by another run and one
// is not there. What a drill waits for nobody can confirm.
func TestDrillOfAFleet(t *testing.T) {
	t.Parallel()
	f := newSimFleet(t, simhost.Options{}, "web 30")
	f.run(0, "apply", "-y", "-q")
	f.host("web006").SetFaults(simhost.Faults{Unreachable: simhost.Refuse})
	f.host("web007").Hold("20260102T030405Z-0000000f", "somebody", 3600000000000)
	out, stderr := f.run(4, "drill", "-y", "--color", "never")
	for _, want := range []string{"(28), by its timer ", "locked       web007 (1), untouched", "unreachable  web006 (1), untouched", "next: fwpush drill -l 'web[006-007]'"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s\n%s", want, out, stderr)
		}
	}
	f.host("web006").SetFaults(simhost.Faults{})
	if o := f.json(7, "drill", "-y", "-l", "web[007-008]"); o.outcomes()["web007"] != "locked" || o.outcomes()["web008"] != "reverted" {
		t.Errorf("%v", o.outcomes())
	}
}
