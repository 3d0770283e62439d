package commit

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// slowDisable makes taking a boot unit away slow, so that two runs meet there.
const slowDisable = `case "$1" in disable) sleep 1.5 ;; esac`

// A removal ends between another run's facts and its go. That run has lost; the
// next one finds a host like any other.
func TestRemovalBetweenFactsAndGo(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	c := h.candidate(rules(false, 443), time.Minute)
	c.Judge = func(Facts) Verdict {
		h.mustApply(h.removal())
		return Verdict{Act: Go}
	}
	if r := h.apply(c); r.Outcome != OutcomeFailed || !strings.Contains(r.Err.Error(), "another run changed this host") {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if got := h.sh("ls -d /run/fwpush* 2>/dev/null || true"); got != "" {
		t.Errorf("left behind: %s", got)
	}
	h.mustApply(h.candidate(rules(false, 443), time.Minute))
}

// A removal that died between its last two steps, and a Begin that died before its
// first, left directories that nobody holds.
func TestStateDirectoryOfTheDeadIsTakenAway(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.sh("mkdir -p /run/fwpush/tx/x /run/fwpush.999999.1/tx; echo >/run/fwpush.999999.1.state")
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	if got := h.sh("ls -d /run/fwpush.* 2>/dev/null; ls /run/fwpush/tx | wc -l"); got != "1" {
		t.Errorf("left behind: %s", got)
	}
}

// A first push is refused, and the next run begins while it still takes its boot
// unit away: that must not be the unit of the next one.
func TestDroppedPushDoesNotTakeTheNextOnesBootUnit(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Systemd: true})
	h.wrap("systemctl", slowDisable)
	bad := ruleset(strings.Replace(rules(false).Text, "counter drop", "jump nowhere", 1))
	conn, done := h.dial(), make(chan Result, 1)
	go func() {
		_, r := Begin(context.WithoutCancel(t.Context()), conn, h.candidate(bad, time.Minute))
		done <- r
	}()
	h.until("the first push is dropped", 20*time.Second, func() bool {
		s := h.state()
		return s == "dropping" || s == "reverted"
	})
	var r Result
	h.until("the next one is let in", 10*time.Second, func() bool {
		r = h.apply(h.candidate(rules(false, 80), time.Minute))
		return r.Outcome != OutcomeLocked
	})
	if r.Outcome != OutcomeConfirmed {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if r := <-done; r.Outcome != OutcomeFailed {
		t.Errorf("the bad one: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	confirmed := h.table()
	h.unwrap("systemctl")
	if err := h.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := h.table(); got != confirmed {
		t.Errorf("after a reboot:\n%s", got)
	}
}

// The next run begins while a confirmed removal still tidies up.
func TestRemovalDoesNotTakeTheNextOnesFiles(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Systemd: true})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	h.wrap("systemctl", slowDisable)
	p := h.begin(h.removal())
	done := make(chan Result, 1)
	go func() { done <- p.Confirm(context.WithoutCancel(t.Context()), h.dialer) }()
	h.until("the removal is decided", 20*time.Second, func() bool { return h.state() != "applied" })
	var r Result
	h.until("the next one is let in", 20*time.Second, func() bool {
		r = h.apply(h.candidate(rules(false, 443), time.Minute))
		return r.Outcome == OutcomeConfirmed
	})
	if r := <-done; r.Outcome != OutcomeConfirmed {
		t.Errorf("the removal: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.unwrap("systemctl")
	if got := h.sh("systemctl is-enabled fwpush.service; ls /var/lib/fwpush/gen"); got != "enabled\n1" {
		t.Errorf("unit and generations: %s", got)
	}
	h.clean()
}

// Begin's shell dies after the word to apply and before its first timer: nothing
// of the candidate ever ran, and whoever asks is told at once.
func TestBeginThatDiesBeforeItsTimersIsDropped(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.wrap("mkfifo", `kill -9 $PPID; sleep 1; exit 1`)
	p, r := Begin(t.Context(), h.dial(), h.candidate(rules(false, 80), time.Minute))
	began := time.Now()
	if p != nil {
		r = p.Confirm(t.Context(), h.dialer)
	}
	if r.Outcome != OutcomeReverted || time.Since(began) > 20*time.Second || h.table() != "" {
		t.Errorf("%s at %s after %s: %v\n%s", r.Outcome, r.Stage, time.Since(began), r.Err, h.table())
	}
	h.unwrap("mkfifo")
	h.clean()
}

// What another version of fwpush has stored is read and never changed, and a
// transaction of another one is ended only by what that one left for it.
func TestAnotherVersionIsLeftAlone(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before := h.table()
	p := h.begin(h.candidate(rules(false, 443), 3*time.Second))
	h.sh("echo 9 >/run/fwpush/tx/" + p.tx + "/proto")
	if r := h.apply(h.candidate(rules(false, 443), time.Minute)); r.Outcome != OutcomeLocked {
		t.Errorf("before its deadline: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.abandon(p, "applied")
	h.until("the deadline is over", 10*time.Second, func() bool {
		return h.sh(`read -r u _ </proc/uptime; f=$(echo /run/fwpush/S.*); IFS=.; set -- $f; [ "${u%%.*}" -lt "$4" ] || echo over`) == "over"
	})
	h.sh("sed -i 's/^verb=/echo own >>\\/run\\/own; verb=/' /run/fwpush/tx/" + p.tx + "/revert.sh")
	if r := h.apply(h.candidate(rules(false, 80), time.Minute)); r.Outcome != OutcomeUnchanged {
		t.Errorf("after it: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if got := h.sh("cat /run/own 2>/dev/null || true"); got != "own" || h.table() != before {
		t.Errorf("not taken back by its own means: %q\n%s", got, h.table())
	}
	h.sh("sed -i 's/^1 /2 /' /var/lib/fwpush/owner")
	_, r := Begin(t.Context(), h.dial(), h.candidate(rules(false, 443), time.Minute))
	if r.Outcome != OutcomeFailed || !errors.Is(r.Err, ErrVersion) {
		t.Errorf("stored by version 2: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if h.table() != before {
		t.Errorf("rules:\n%s", h.table())
	}
}

// A removal stalls in its very last steps, and the next run locks itself out
// meanwhile: what takes that back must still be there.
func TestStalledRemovalTakesNothingOfTheNextRun(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"rm", "rmdir"} {
		t.Run(program, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			h.mustApply(h.candidate(rules(false, 80), time.Minute))
			h.wrap(program, `case "$*" in *"/run/fwpush/tx"*) [ -e /run/stalled ] || ls /run/fwpush/S.* >/dev/null 2>&1 || { touch /run/stalled; sleep 8; } ;; esac`)
			p := h.begin(h.removal())
			done := make(chan Result, 1)
			go func() { done <- p.Confirm(context.WithoutCancel(t.Context()), h.dialer) }()
			h.until("the removal stalls", 20*time.Second, func() bool { return h.sh("ls /run/stalled 2>/dev/null || true") != "" })
			p = h.begin(h.candidate(rules(true, 443), 10*time.Second))
			p.hangUp()
			if r := <-done; r.Outcome != OutcomeConfirmed {
				t.Errorf("the removal: %s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			h.until("the lock-out is taken back", 20*time.Second, func() bool { return h.state() == "reverted" && h.table() == "" })
			h.clean()
		})
	}
}

// What a hanging owner has under way must not go on when it is overtaken.
func TestOvertakenRemovalGoesOnWithNothing(t *testing.T) {
	t.Parallel()
	h := newHost(t, lab.HostOptions{Systemd: true})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	h.wrap("systemctl", `case "$1" in disable) [ -e /run/hung ] || { touch /run/hung; sleep 75; } ;; esac`) // longer than a hanging owner is given
	p := h.begin(h.removal())
	go p.Confirm(context.WithoutCancel(t.Context()), h.dialer)
	h.until("the removal hangs", 20*time.Second, func() bool { return h.sh("ls /run/hung 2>/dev/null || true") != "" })
	h.until("the next run is let in", 100*time.Second, func() bool {
		return h.apply(h.candidate(rules(false, 443), time.Minute)).Outcome == OutcomeConfirmed
	})
	if got := h.sh("pgrep -f 'sleep 7[5]' || true"); got != "" {
		t.Errorf("what hung goes on: process %s", got)
	}
	if got := h.sh("systemctl is-enabled fwpush.service || true"); got != "enabled" {
		t.Errorf("the boot unit is %s", got)
	}
}

// Another version's transaction: one at work is left alone, one that died before it
// left anything is dropped, one to be taken back is so by its own means.
func TestTransactionsOfAnotherVersion(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	c := h.candidate(rules(false, 443), time.Minute)
	c.Gate = func(context.Context) error {
		h.sh("echo 9 >$(echo /run/fwpush/tx/*/proto)")
		if r := h.apply(h.candidate(rules(false, 80), time.Minute)); r.Outcome != OutcomeLocked {
			t.Errorf("while it is at work: %s at %s: %v", r.Outcome, r.Stage, r.Err)
		}
		return nil
	}
	p, r := Begin(t.Context(), h.dial(), c)
	if p == nil {
		t.Fatalf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	p.hangUp()
	h.sh("sed -i 's/^verb=/echo $1 >>\\/run\\/own; verb=/' /run/fwpush/tx/" + p.tx + "/revert.sh")
	if r := takeBackNow(t, h); r.Outcome != OutcomeReverted || h.sh("cat /run/own") != "now" {
		t.Errorf("%s: %v; by %s", r.Outcome, r.Err, h.sh("cat /run/own"))
	}
	h.clean()
	tx := strings.Repeat("a", 32)
	h.sh("rm -rf /run/fwpush; mkdir -m 700 -p /run/fwpush/tx/" + tx + "; echo 9 >/run/fwpush/tx/" + tx + "/proto; echo >/run/fwpush/S." + tx + ".staged.0.999999.1")
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
}
