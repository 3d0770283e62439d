package commit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/render"
)

// A full /run is told as what it is, and not as a host that fell silent.
func TestTimersWithoutAWayToProveThemselves(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.wrap("mkfifo", "exit 1")
	if r := h.apply(h.candidate(rules(false, 80), time.Minute)); r.Outcome != OutcomeFailed || r.Stage != StageArm || !strings.Contains(fmt.Sprint(r.Err), "is /run full?") {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.clean()
}

// A host whose file says timers = 1 is changed on the one that it has, which takes the
// rules back like any other; a second one is armed where there is one.
func TestOneTimerWhereTheFileSaysSo(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	one := func(rs render.Ruleset, window time.Duration) Candidate {
		c := h.candidate(rs, window)
		c.Timers = 1
		return c
	}
	if r := h.mustApply(one(rules(false, 22), time.Minute)); strings.Join(r.Timers, " ") != "at watchdog" {
		t.Errorf("timers %q of a host that has two", r.Timers)
	}
	h.sh(lab.AtdDies)
	if r := h.mustApply(one(rules(false, 80), time.Minute)); strings.Join(r.Timers, " ") != "watchdog" {
		t.Errorf("timers %q", r.Timers)
	}
	before := h.table()
	p := h.begin(one(rules(true), 3*time.Second))
	p.hangUp()
	h.until("the only timer reverts", 6*time.Second, func() bool { return h.state() == "reverted" })
	if got := h.table(); got != before {
		t.Errorf("rules:\n%s", got)
	}
	p = h.begin(one(rules(false, 443), 20*time.Second))
	proof, r := p.Prove(t.Context(), h.dialer)
	if proof == nil {
		t.Fatalf("%s: %v", r.Outcome, r.Err)
	}
	if err := proof.Extend(t.Context(), 40*time.Second); err != nil {
		t.Errorf("the deadline cannot be moved: %v", err)
	}
	if r := proof.Commit(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.sh("rm /usr/bin/setsid")
	if r := h.apply(one(rules(false, 8080), time.Minute)); r.Outcome != OutcomeFailed || r.Stage != StageArm ||
		!strings.HasPrefix(r.Err.Error(), "0 of 1 timers could be proved: ") || !strings.Contains(r.Err.Error(), "setsid is not installed") {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.clean()
}

func TestSystemdHostArmsWithoutAt(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Systemd: true})
	h.sh("systemctl stop atd")
	r := h.mustApply(h.candidate(rules(false, 80), time.Minute))
	if got := strings.Join(r.Timers, " "); got != "systemd watchdog" {
		t.Errorf("timers %q", got)
	}
	h.clean()

	// Each of the two reverts when the other is dead, and a daemon-reload
	// does not move the deadline of either.
	now := h.table()
	for name, kill := range map[string]string{
		"the unit reverts":     "kill -9 $(sed -n 's/^process \\([0-9]*\\) .*/\\1/p' /run/fwpush/tx/*/timers)",
		"the watchdog reverts": "systemctl stop 'fwpush-*.service'",
	} {
		p := h.begin(h.candidate(rules(true), 4*time.Second))
		h.sh(kill)
		h.sh("systemctl daemon-reload")
		p.hangUp()
		h.until(name, 7*time.Second, func() bool { return h.state() == "reverted" })
		if got := h.table(); got != now {
			t.Errorf("%s: rules\n%s", name, got)
		}
	}
	h.clean()
}

func TestRow44RebootLoadsTheConfirmedRulesAndNoOthers(t *testing.T) {
	t.Parallel()
	h := newHost(t, lab.HostOptions{Systemd: true})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	confirmed := h.table()
	// Debian's nftables.service empties the ruleset when it is restarted.
	h.sh("systemctl restart nftables.service")
	h.until("the rules are back", 5*time.Second, func() bool { return h.table() == confirmed })
	if got := h.sh("systemctl is-enabled fwpush.service; stat -c %a /etc/systemd/system/fwpush.service"); got != "enabled\n644" {
		t.Errorf("boot unit: %s", got)
	}
	t.Run("after a confirm the new rules", func(t *testing.T) {
		h.reboot()
		if got := h.table(); got != confirmed {
			t.Errorf("%s\nwant\n%s", got, confirmed)
		}
	})
	t.Run("inside the window the old rules", func(t *testing.T) {
		p := h.begin(h.candidate(rules(false, 443), time.Minute))
		h.reboot()
		if got := h.table(); got != confirmed {
			t.Errorf("%s\nwant\n%s", got, confirmed)
		}
		if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeReverted || !strings.Contains(r.Err.Error(), "rebooted") {
			t.Errorf("%s at %s: %v, want reverted by the reboot", r.Outcome, r.Stage, r.Err)
		}
		// The job that at kept finds nothing to do when its time comes.
		h.until("the old job has run", 130*time.Second, func() bool { return h.sh("atq") == "" })
		if got := h.table(); got != confirmed {
			t.Errorf("after the old job:\n%s", got)
		}
	})
	h.sh("systemctl reload nftables.service || systemctl restart nftables.service")
	h.until("the rules are back", 5*time.Second, func() bool { return h.table() == confirmed })
}

func TestFirstPushThatRevertsTakesItsBootUnitAway(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Systemd: true})
	etc := h.sh("find /etc | sort | md5sum")
	p := h.begin(h.candidate(rules(true), 3*time.Second))
	if got := h.sh("systemctl is-enabled fwpush.service"); got != "enabled" {
		t.Errorf("the unit is %s before the confirm", got)
	}
	p.hangUp()
	h.until("it reverts", 6*time.Second, func() bool { return h.state() == "reverted" })
	h.clean()
	if got := h.sh("find /etc | sort | md5sum"); got != etc {
		t.Error("/etc is not as before the push")
	}
}

func TestRemoveLeavesTheHostAsItWas(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Systemd: true})
	snapshot := func() string {
		return h.sh(`nft list ruleset; find /etc /run/fwpush /var/lib/fwpush 2>/dev/null | grep -v history | grep -v '^/var/lib/fwpush$' | sort >/tmp/files.$$; md5sum </tmp/files.$$; grep fwpush /tmp/files.$$; rm /tmp/files.$$; ` +
			`atq; systemctl list-units --all --plain --no-legend | grep fwpush || true`)
	}
	before := snapshot()
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	h.mustApply(h.candidate(rules(false, 443), time.Minute))
	c := h.removal()
	p := h.begin(c) // a removal that nobody confirms is taken back too
	p.hangUp()
	if r := takeBackNow(t, h); r.Outcome != OutcomeReverted {
		t.Fatalf("%s: %v", r.Outcome, r.Err)
	}
	if !strings.Contains(h.table(), "dport 443") {
		t.Fatalf("the rules are not back:\n%s", h.table())
	}

	h.mustApply(c)
	if got := snapshot(); got != before {
		t.Errorf("after remove:\n%s\nbefore the first push:\n%s", got, before)
	}
	if got := h.sh("ls /var/lib/fwpush"); got != "history" {
		t.Errorf("kept: %s", got)
	}
	f, _ := Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
	if !f.Absent() {
		t.Errorf("facts: %+v", f)
	}
}

// takeBackNow reverts what is pending on the host, as another controller.
func takeBackNow(t *testing.T, h *host) Result {
	t.Helper()
	conn := h.dial()
	f, r := Inspect(t.Context(), conn, "", ModeSame, "")
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	return TakeBack(t.Context(), conn, f)
}

// After a load that kept base chains the kernel has the chains in another order
// than after a boot: that is no drift.
func TestRebootIsNoDrift(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Systemd: true})
	with := func(extra string) render.Ruleset {
		return ruleset(strings.Replace(rules(false, 80).Text, "\tchain input {\n", extra+"\tchain input {\n", 1))
	}
	h.mustApply(h.candidate(with("\tchain one {\n\t}\n"), time.Minute))
	last := with("\tset s {\n\t\ttype ipv4_addr\n\t}\n\tchain before {\n\t}\n\tchain one {\n\t}\n")
	h.mustApply(h.candidate(last, time.Minute))
	before := h.table()
	if err := h.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h.table() == before {
		t.Log("the order of the listing did not change: this kernel shows nothing")
	}
	f, r := Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
	if drifted, known := f.Drifted(); r.Err != nil || drifted || !known {
		t.Errorf("drifted %v, known %v, %v\n%s\nstored:\n%s", drifted, known, r.Err, f.Running, f.Canon)
	}
	if r := h.apply(h.candidate(last, time.Minute)); r.Outcome != OutcomeUnchanged {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
}

// logind ends all that a login has left, where it is told to: not the watchdog.
func TestWatchdogOutlivesItsLogin(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Systemd: true, Users: []lab.User{{Name: "ops", Sudo: true}}})
	h.sh(`mkdir -p /etc/systemd/logind.conf.d; printf '[Login]\nKillUserProcesses=yes\nKillExcludeUsers=\n' >/etc/systemd/logind.conf.d/kill.conf
systemctl restart systemd-logind; systemctl stop atd`)
	h.user, h.become = "ops", "sudo"
	p := h.begin(h.candidate(rules(true), 6*time.Second))
	h.sh("systemctl stop 'fwpush-*.service'") // the other timer
	p.hangUp()
	h.until("the session is over", 5*time.Second, func() bool { return h.sh("loginctl list-sessions --no-legend | grep -c ops || true") == "0" })
	if h.state() != "applied" {
		t.Fatalf("state %s before the deadline", h.state())
	}
	h.until("the watchdog reverts", 8*time.Second, func() bool { return h.state() == "reverted" })
	h.clean()
}
