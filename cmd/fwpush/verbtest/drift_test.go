package verbtest

import (
	"strings"
	"testing"

	"fwpush/internal/lab"
)

// TestDrift edits a host's rules by hand, with a comment that would write a
// terminal's title.
func TestDrift(t *testing.T) {
	f := newFleet(t, "web1", "web2")
	f.run(0, "apply", "-y")
	f.sh("web2", `nft add rule inet fwpush input tcp dport 8080 accept comment "$(printf '"\033]0;owned\007"')"`)

	o := f.json(1, "diff")
	if got := o.outcomes(); got["web1"] != "unchanged" || got["web2"] != "changed" {
		t.Errorf("outcomes %v", got)
	}
	for _, h := range o.Hosts {
		if drift := h.Name == "web2"; h.Drift != drift {
			t.Errorf("%s: drift is %t", h.Name, h.Drift)
		}
	}
	out, _ := f.run(1, "diff", "--color", "never")
	for _, want := range []string{
		"● web2 (1)   +0 -1",
		"no change in the file, but its running ruleset was edited by hand (drift):",
		`  -  tcp dport 8080 accept comment "\x1b]0;owned\x07" # in no role`,
		"○ web1 (1)   no change",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if o := f.json(1, "status", "--exit-code"); o.outcomes()["web2"] != "drift" || o.outcomes()["web1"] != "ok" {
		t.Errorf("status %v", o.outcomes())
	}
	f.json(0, "status")

	f.append("[roles.web]\nin = [ { allow = \"https\" } ]\n")
	out, _ = f.run(1, "diff", "--color", "never")
	for _, want := range []string{"● web1 (1)   +1 -1   sha256:", "● web2 (1)   +1 -2", "same, and its running ruleset was edited by hand (drift):", "# fleet.toml:"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	f.run(0, "apply", "-y")
	if o := f.json(0, "diff"); o.outcomes()["web2"] != "unchanged" {
		t.Errorf("after apply: %v", o.outcomes())
	}
	if strings.Contains(f.ruleset("web2"), "8080") {
		t.Error("apply left the edit in")
	}
}

// TestBootUnitThatSomebodyEdited: what a boot runs besides our rules, or not at all, is told, and put right by
// the next push, though the rules are the same.
func TestBootUnitThatSomebodyEdited(t *testing.T) {
	t.Parallel()
	f := newFleetOf(t, lab.HostOptions{Name: "web68", Systemd: true})
	f.json(0, "apply", "-y")
	const unit = "/etc/systemd/system/fwpush.service"
	ours := f.sh("web68", "cat "+unit)
	for _, harm := range []string{
		"sed -i '/^ExecStart=/aExecStartPost=/bin/touch /boot-ran-this' " + unit,
		"systemctl disable fwpush.service 2>/dev/null",
		"rm " + unit,
	} {
		f.sh("web68", harm)
		if o := f.json(1, "diff"); o.outcomes()["web68"] != "changed" {
			t.Errorf("%s: diff: %+v", harm, o)
		}
		if h := f.json(0, "status").Hosts[0]; h.Boot == "ok" {
			t.Errorf("%s: status: %+v", harm, h)
		}
		f.run(1, "status", "--exit-code")
		if h := f.json(0, "apply", "-y").Hosts[0]; h.Outcome != "confirmed" || h.Hint != "boot path repaired" {
			t.Errorf("%s: %+v", harm, h)
		}
		f.run(0, "status", "--exit-code")
		if got := f.sh("web68", "cat "+unit+"; systemctl is-enabled fwpush.service"); got != ours+"\nenabled" {
			t.Errorf("%s: the unit is\n%s", harm, got)
		}
	}
	if o := f.json(0, "apply", "-y"); o.outcomes()["web68"] != "unchanged" {
		t.Errorf("%+v", o)
	}
}
