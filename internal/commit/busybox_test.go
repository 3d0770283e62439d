package commit

import (
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/render"
)

// root is a tree of the lab.
func root(t *testing.T, name string) string {
	t.Helper()
	dir, err := world.Root(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// A router: busybox and dropbear, no at, no systemd, no service manager at all. It has
// one timer, which is not enough unless its file says so.
func TestBusyboxHost(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Root: root(t, "busybox")})
	one := func(rs render.Ruleset, window time.Duration) Candidate {
		c := h.candidate(rs, window)
		c.Timers = 1
		return c
	}
	r := h.apply(h.candidate(rules(false, 80), time.Minute))
	if r.Outcome != OutcomeFailed || r.Stage != StageArm || !strings.HasPrefix(r.Err.Error(), "1 of 2 timers could be proved (watchdog): at is not installed") ||
		!strings.Contains(r.Hint, "timers = 1") {
		t.Fatalf("%s at %s: %v; %s", r.Outcome, r.Stage, r.Err, r.Hint)
	}
	if got := h.sh("nft list tables; ls -A /run/fwpush/tx /var/lib/fwpush 2>/dev/null || true"); got != "/run/fwpush/tx:" {
		t.Errorf("left behind: %q", got)
	}

	r = h.mustApply(one(rules(false, 80), time.Minute))
	if strings.Join(r.Timers, " ") != "watchdog" || r.Facts.Unit != "none" || r.Err != nil || len(r.Notes) > 0 {
		t.Errorf("timers %q, unit %s, %v %v", r.Timers, r.Facts.Unit, r.Err, r.Notes)
	}
	if r := h.apply(one(rules(false, 80), time.Minute)); r.Outcome != OutcomeUnchanged {
		t.Errorf("again: %s: %v", r.Outcome, r.Err)
	}
	before := h.table()
	exam := Examine(t.Context(), h.dial(), Exam{Mode: ModeCoexist, Rules: func(Facts) (render.Ruleset, error) { return rules(false, 443), nil }})
	if exam.Err != nil || exam.Health.Proved() != 1 || exam.Health.Candidate == nil || exam.Health.Candidate.State != "ok" || len(exam.Health.Lacks) > 0 {
		t.Errorf("examined: %v, %+v", exam.Err, exam.Health)
	}

	p := h.begin(one(rules(true), 3*time.Second))
	p.hangUp()
	h.until("the watchdog reverts", 6*time.Second, func() bool { return h.state() == "reverted" })
	if got := h.table(); got != before {
		t.Errorf("rules:\n%s", got)
	}
	if r := h.apply(one(rules(true), 10*time.Second)); r.Outcome != OutcomeReverted || h.table() != before {
		t.Errorf("locked out: %s at %s: %v\n%s", r.Outcome, r.Stage, r.Err, h.table())
	}
	h.mustApply(one(rules(false, 443), time.Minute))
	c := h.removal()
	c.Timers = 1
	h.mustApply(c)
	if got := h.sh("nft list tables; ls /var/lib/fwpush"); got != "history" {
		t.Errorf("after remove: %q", got)
	}
	if got := h.sh("ps -o args | grep -E '[r]evert.sh' || true"); got != "" {
		t.Errorf("still there: %s", got)
	}
}

// How old a connection is, dropbear's processes tell; of another server nobody knows
// which do, and it is said before anything is touched.
func TestFreshnessWithoutOpenSSH(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Root: root(t, "busybox")})
	c := h.candidate(rules(false), 10*time.Second)
	c.Timers = 1
	early := h.dial()
	time.Sleep(20 * time.Millisecond) // two clock ticks
	p := h.begin(c)
	d, err := start(t.Context(), early, finishProgram(), "confirm", p.tx)
	if err != nil {
		t.Fatal(err)
	}
	d.hear(t.Context(), wordTime)
	d.say(t.Context(), p.nonce, p.seal)
	if word, rest, err := d.hear(t.Context(), wordTime); word != "refused" || !strings.Contains(rest, "older than the rules") {
		t.Errorf("an earlier connection may confirm: %q %q %v", word, rest, err)
	}
	if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
		t.Errorf("a new one may not: %s: %v", r.Outcome, r.Err)
	}

	before := h.table()
	h.sh(`cp /usr/sbin/dropbear /usr/sbin/otherd; kill $(cat /run/sshd.pid); sleep 0.1
exec otherd -s -r /etc/dropbear/key -P /run/sshd.pid >/dev/null 2>&1`)
	h.until("the other server listens", 5*time.Second, func() bool { return h.sh("cat /run/sshd.pid 2>/dev/null || true") != "" })
	c = h.candidate(rules(false, 80), time.Minute)
	c.Timers = 1
	r := h.apply(c)
	if r.Outcome != OutcomeFailed || r.Stage != StageInspect || !strings.Contains(r.Err.Error(), "how old a connection is") || r.Hint == "" {
		t.Errorf("%s at %s: %v; %s", r.Outcome, r.Stage, r.Err, r.Hint)
	}
	if h.table() != before {
		t.Error("rules were touched")
	}
	x := Exam{Mode: ModeCoexist, Rules: func(Facts) (render.Ruleset, error) { return rules(false, 80), nil }}
	if r := Examine(t.Context(), h.dial(), x); r.Err == nil || !strings.Contains(r.Err.Error(), "how old a connection is") {
		t.Errorf("an examination does not find it: %v", r.Err)
	}
	if f, r := Inspect(t.Context(), h.dial(), "", ModeCoexist, ""); r.Err != nil || f.Generation != 1 {
		t.Errorf("it cannot be looked at: %v", r.Err)
	}
}
