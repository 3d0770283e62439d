package commit

import (
	"context"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// The tests of the files row_*.go are rows of the fault matrix (docs/testing.md). Each shows that
// its fault was there, by a trace of it or by what happens without.

// unarmed is a host on which at does not do what it says: without two timers that proved themselves
// nothing is applied. A light host has at and the watchdog that at starts; it has no systemd.
func unarmed(t *testing.T, harm, trace, seen, mend, remedy string) {
	t.Helper()
	working(t)
	h := newHost(t, lab.HostOptions{})
	conn := h.dial() // an expired account cannot log in any more
	h.sh(harm)
	if got := h.sh(trace); !strings.Contains(got, seen) {
		t.Fatalf("the fault is not there: %q lacks %q", got, seen)
	}
	before := h.table()
	p, r := Begin(t.Context(), conn, h.candidate(rules(false, 80), time.Minute))
	if p != nil || r.Outcome != OutcomeFailed || r.Stage != StageArm {
		t.Fatalf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if !strings.Contains(r.Err.Error(), remedy) {
		t.Errorf("no remedy in %q", r.Err)
	}
	if !strings.HasPrefix(r.Err.Error(), "1 of 2 timers could be proved (watchdog): ") || !strings.Contains(r.Err.Error(), "there is no systemd") {
		t.Errorf("%q does not tell what was tried", r.Err)
	}
	if !strings.Contains(r.Hint, "timers = 1") {
		t.Errorf("hint %q", r.Hint)
	}
	if got := h.table(); got != before {
		t.Errorf("rules were touched:\n%s", got)
	}
	h.sh(mend + "; rm -f /var/spool/cron/atjobs/a* /var/spool/cron/atjobs/=* 2>/dev/null || true")
	h.clean()
	if got := h.sh("ls /run/fwpush/tx; ls -A /var/lib/fwpush 2>/dev/null | grep -v history || true"); got != "" {
		t.Errorf("left behind: %s", got)
	}
	h.mustApply(h.candidate(rules(false, 80), time.Minute)) // it was the fault, and nothing else
	h.clean()
}

func TestRow16AtMissing(t *testing.T) {
	unarmed(t, "mv /usr/bin/at /usr/bin/at.off", "command -v at || echo none", "none", "mv /usr/bin/at.off /usr/bin/at", "apt install at")
}

// at answers as if nothing were wrong while there is no atd that would run the job.
func TestRow17AtdDead(t *testing.T) {
	unarmed(t, lab.AtdDies, "pgrep -x atd || echo none", "none", "atd", "systemctl start atd")
}

// The daemon is there, as kill -0 says, and does nothing.
func TestRow18AtdStopped(t *testing.T) {
	unarmed(t, "kill -STOP $(cat /run/atd.pid)", "kill -0 $(cat /run/atd.pid) && cut -d ' ' -f 3 /proc/$(cat /run/atd.pid)/stat", "T",
		"kill -CONT $(cat /run/atd.pid)", "systemctl start atd")
}

func TestRow19RootsAccountExpired(t *testing.T) {
	unarmed(t, "chage -E 1 root", "chage -l root | grep '^Account'", "1970", "chage -E -1 root", "chage -l root")
}

// at.deny is not for root, so a spool that takes no job is the way to be refused.
func TestRow20SpoolNotWritable(t *testing.T) {
	unarmed(t, "mount -t tmpfs -o ro none /var/spool/cron/atjobs", "{ echo true | at now; } 2>&1 || true", "Cannot open lockfile",
		"umount /var/spool/cron/atjobs", "at refused")
}

// dies kills the shell that turns the state, the first time that it turns it to that one: before the
// rename or after it.
func (h *host) dies(when, state string) {
	before := ""
	if when == "after" {
		before = `$real "$@"; `
	}
	h.wrap("mv", `case "$*" in *."`+state+`".[0-9]*) `+once(before+"kill -9 $PPID; exit 1")+` ;; esac`)
}

// died waits until dies has killed somebody, and takes it away.
func (h *host) died() {
	h.t.Helper()
	h.until("the shell dies at its step", 10*time.Second, func() bool { return h.sh("ls /run/once 2>/dev/null || true") != "" })
	h.unwrap("mv")
}

// begun is a Begin whose shell dies on the host: the answer never comes.
func (h *host) begun(c Candidate) {
	h.t.Helper()
	p, r := Begin(h.t.Context(), h.dial(), c)
	if p == nil {
		h.t.Fatalf("nothing died: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	p.hangUp()
	h.died()
}

// Begin's shell dies when its timers are armed and the state does not say so yet. They find that
// nothing of it was applied.
func TestRow21KilledBetweenTheTimersAndTheirState(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before := h.table()
	h.dies("before", "armed")
	h.begun(h.candidate(rules(true, 443), 3*time.Second))
	if got, jobs := h.state(), h.sh("atq | wc -l"); got != "staged" || jobs == "0" {
		t.Fatalf("state %s with %s jobs: not the moment that was meant", got, jobs)
	}
	h.until("a timer ends it", 6*time.Second, func() bool { return h.state() == "reverted" })
	if got := h.sh("tail -n 1 /var/lib/fwpush/history"); !strings.Contains(got, "reverted (never applied)") {
		t.Errorf("history: %s", got)
	}
	if got := h.table(); got != before {
		t.Errorf("rules were touched:\n%s", got)
	}
	h.clean()
}

// at(1) writes the directory it was called in into the job, and a job whose directory is gone is
// lost without a word. Ours name one that stays.
func TestRow22DirectoryOfTheSessionIsGone(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Users: []lab.User{{Name: "ops", Sudo: true}}})
	h.user, h.become = "ops", "sudo"
	// The control: such a job is lost.
	h.sh(`kill -STOP $(cat /run/atd.pid)
d=$(mktemp -d); cd $d; echo 'touch /run/ran' | at -M now 2>/dev/null; cd /; rmdir $d
kill -CONT $(cat /run/atd.pid)`)
	h.until("the job is over", 10*time.Second, func() bool { return h.sh("atq") == "" })
	if got := h.sh("ls /run/ran 2>/dev/null || echo lost"); got != "lost" {
		t.Fatal("a job runs although its directory is gone: there is nothing to fear here")
	}
	// Another home with the same key, and the one that Begin logged in to goes.
	c := h.candidate(rules(false, 80), time.Minute)
	c.Gate = func(ctx context.Context) error {
		_, _, err := h.Exec(ctx, "", "sh", "-c", "cd /home && cp -a ops new && mv ops old && mv new ops && rm -rf old")
		return err
	}
	p := h.begin(c)
	if got := h.sh("cat /var/spool/cron/atjobs/a*"); !strings.Contains(got, "\ncd / ||") {
		t.Errorf("the queued job stands elsewhere:\n%s", got)
	}
	if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed || strings.Join(r.Timers, " ") != "at watchdog" {
		t.Errorf("%s at %s with %q: %v", r.Outcome, r.Stage, r.Timers, r.Err)
	}
	h.clean()
}

// Arming and applying are one step of the host, so a job that is taken away in between is noticed at
// the confirm, which counts what stands. The other timer takes the rules back.
func TestRow23QueuedJobIsTakenAway(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.wrap("mv", `case "$*" in *.armed.[0-9]*.applied.*) ;; *.armed.[0-9]*) `+once("for j in $(atq | cut -f 1); do atrm $j; done")+` ;; esac`)
	p := h.begin(h.candidate(rules(true, 443), 4*time.Second))
	h.died()
	if got := h.sh("atq | grep -v '=' || true"); got != "" || h.state() != "applied" {
		t.Fatalf("state %s, jobs %q: not the moment that was meant", h.state(), got)
	}
	p.hangUp()
	h.until("the watchdog reverts", 7*time.Second, func() bool { return h.state() == "reverted" && h.table() == "" })
	h.clean()

	p = h.begin(h.candidate(rules(false, 80), time.Minute))
	h.sh("for j in $(atq | grep -v = | cut -f 1); do atrm $j; done")
	proof, r := p.Prove(t.Context(), h.dialer)
	if proof == nil {
		t.Fatalf("%s: %v", r.Outcome, r.Err)
	}
	if proof.Timers != 1 {
		t.Errorf("%d timers are said to stand, want 1", proof.Timers)
	}
	if r := proof.Commit(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.clean()
}

// checked is a dialogue whose host has checked the candidate and waits for the word to apply it.
func (h *host) checked(c Candidate) *dialogue {
	h.t.Helper()
	ctx := h.t.Context()
	d, err := start(ctx, h.dial(), beginProgram(ModeCoexist), "auto", "none", "coexist")
	if err != nil {
		h.t.Fatal(err)
	}
	f, err := d.facts(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	b := &beginning{Candidate: c, rules: c.Rules, facts: &f}
	payload, err := b.payload()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := d.send(ctx, payload, time.Minute); err != nil {
		h.t.Fatal(err)
	}
	if word, rest, err := d.hear(ctx, wordTime); word != "checked" {
		h.t.Fatalf("%q %q %v", word, rest, err)
	}
	return d
}

// A controller that sleeps before it says apply: the host does not wait for it, and its word comes
// too late.
func TestRow24ControllerSleepsBeforeApply(t *testing.T) {
	t.Parallel() // it waits for the minute that the host gives a controller
	h := newHost(t, lab.HostOptions{})
	d := h.checked(h.candidate(rules(true, 443), 2*time.Second))
	asleep := time.Now()
	h.until("the host gives it up", 75*time.Second, func() bool { return h.state() == "reverted" })
	if took := time.Since(asleep); took < 55*time.Second {
		t.Errorf("given up after %s: not because of its silence", took)
	}
	if word, rest, err := d.hear(t.Context(), wordTime); word != "dropped" || !strings.Contains(rest, "the controller did not answer") {
		t.Errorf("%q %q %v", word, rest, err)
	}
	d.say(t.Context(), "apply")
	if word, _, err := d.hear(t.Context(), wordTime); err == nil {
		t.Errorf("a late apply is answered: %q", word)
	}
	if got := h.table(); got != "" || h.state() != "reverted" {
		t.Errorf("state %s, rules:\n%s", h.state(), got)
	}
	h.clean()
}

// atd is alive when the run begins and dead when it is to apply: the proof is asked for then.
func TestRow24bAtdDiesBeforeApply(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	c := h.candidate(rules(false, 80), time.Minute)
	c.Gate = func(ctx context.Context) error {
		if h.state() != "staged" {
			t.Errorf("state %s: not the moment that was meant", h.state())
		}
		_, _, err := h.Exec(ctx, "", "sh", "-c", lab.AtdDies)
		return err
	}
	if r := h.apply(c); r.Outcome != OutcomeFailed || r.Stage != StageArm || !strings.Contains(r.Err.Error(), "1 of 2 timers could be proved") {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if got := h.table(); got != "" {
		t.Errorf("rules:\n%s", got)
	}
	h.clean()
	c.Gate = nil
	h.sh("atd")
	h.mustApply(c)
}
