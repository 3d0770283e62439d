package commit

import (
	"context"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// hungRevert applies a lock-out whose revert's first load stops, and waits for that.
func (h *host) hungRevert() (before string) {
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before = h.table()
	p := h.begin(h.candidate(rules(true), 4*time.Second))
	h.slowNFT(`case $* in *old.nft*) [ -e /run/hung ] || { touch /run/hung; kill -STOP $$; } ;; esac`)
	p.hangUp()
	h.until("the load of the old rules hangs", 15*time.Second, func() bool { return h.sh("ls /run/hung 2>/dev/null || true") != "" })
	return before
}

// The revert's nft hangs, and what guards it was killed: the other timer goes on
// after the time that a load may take.
func TestRevertThatHangsWithoutItsGuardIsOvertaken(t *testing.T) {
	t.Parallel()
	h := newHost(t, lab.HostOptions{})
	before := h.hungRevert()
	h.sh("w=$(sed -n 's/^process \\([0-9]*\\) .*/\\1/p' /run/fwpush/tx/*/timers); for g in $(pgrep -P $w -f 'revert.s[h]'); do kill -9 $g; done")
	// The job comes up to two minutes after the deadline, and waits for what hangs.
	h.until("the old rules are back", 120*time.Second+60*time.Second, func() bool { return h.table() == before })
}

// /run turns read-only inside the window: no state can be turned, nothing can be
// written down, and the old rules come back all the same.
func TestReadOnlyStateKeepsNoRevertAway(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before := h.table()
	p := h.begin(h.candidate(rules(true), 4*time.Second))
	h.sh("mount --bind /run/fwpush /run/fwpush && mount -o remount,ro,bind /run/fwpush")
	p.hangUp()
	h.until("the old rules are back", 12*time.Second, func() bool { return h.table() == before })
	if r := h.apply(h.candidate(rules(false, 443), time.Minute)); r.Outcome != OutcomeFailed || !strings.Contains(r.Err.Error(), "read-only") {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.sh("umount -l /run/fwpush")
	h.clean()
	// Nobody could turn the state. The next run does.
	h.mustApply(h.candidate(rules(false, 443), time.Minute))
}

// A revert that fails for minutes is tried again by as many as there were timers,
// and by no more.
func TestRevertThatFailsDoesNotMultiply(t *testing.T) {
	t.Parallel()
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	p := h.begin(h.candidate(rules(false, 443), 4*time.Second))
	h.sh("mv /usr/sbin/nft /usr/sbin/nft.off; mount --bind /run/fwpush /run/fwpush && mount -o remount,ro,bind /run/fwpush")
	p.hangUp()
	time.Sleep(130 * time.Second) // two rounds
	if got := h.sh("[ $(pgrep -fc 'revert.sh (watch|announce)') -le 2 ] && [ $(atq | wc -l) -le 5 ] || { ps ax -o args; atq; }"); got != "" {
		t.Errorf("timers after two rounds:\n%s", got)
	}
	h.sh("umount -l /run/fwpush; mv /usr/sbin/nft.off /usr/sbin/nft")
	h.until("it reverts", 90*time.Second, func() bool { return h.state() == "reverted" })
}

// Where stopping atd ends what it has started, the watchdog is not among that.
func TestWatchdogOutlivesAtd(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Systemd: true})
	h.sh("mkdir -p /etc/systemd/system/atd.service.d; printf '[Service]\\nKillMode=control-group\\n' >/etc/systemd/system/atd.service.d/x.conf; systemctl daemon-reload; systemctl restart atd")
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before := h.table()
	if got := h.sh("ls -d /sys/fs/cgroup/fwpush 2>/dev/null || true"); got != "" {
		t.Errorf("left behind after a confirm: %s", got)
	}
	p := h.begin(h.candidate(rules(true), 4*time.Second))
	p.hangUp()
	h.sh("systemctl stop atd")
	h.until("the old rules are back", 8*time.Second, func() bool { return h.table() == before })
	h.sh("systemctl start atd")
	h.until("no control group of ours is left", 8*time.Second, func() bool { return h.sh("ls -d /sys/fs/cgroup/fwpush 2>/dev/null || true") == "" })
}

// A host that keeps talking without saying anything holds nobody up.
func TestHostThatKeepsTalkingHasALimit(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	conn := h.dial()
	h.sh(`cat >/root/talker <<'X'
#!/bin/bash
M=$4
echo; echo "$M proto 1"; echo "$M uid 0"; echo "$M bootid x"; echo "$M nft nftables v1.0.6 (x)"; echo "$M probe ok"; echo "$M unit none"; echo "$M section running"; echo "$M ask"
while sleep 0.2; do echo "$M hello"; done
X
chmod 755 /root/talker; rm -f /bin/sh; ln -s /root/talker /bin/sh`)
	done := make(chan Result, 1)
	go func() {
		_, r := Begin(context.WithoutCancel(t.Context()), conn, h.candidate(rules(false, 80), 15*time.Second))
		done <- r
	}()
	select {
	case r := <-done:
		if r.Outcome != OutcomeFailed || !strings.Contains(r.Err.Error(), `"hello"`) {
			t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
		}
	case <-time.After(30 * time.Second):
		t.Error("it is still listened to")
	}
}

// An extension to an earlier moment changes nothing: the timers sleep longer.
func TestExtendOnlyMovesTheDeadlineAhead(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	p := h.begin(h.candidate(rules(false, 80), time.Minute))
	proof, r := p.Prove(t.Context(), h.dialer)
	if proof == nil {
		t.Fatal(r.Err)
	}
	if err := proof.Extend(t.Context(), 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(p.Deadline()); left < 50*time.Second {
		t.Errorf("%s left, want the minute there was", left)
	}
	if r := proof.Commit(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
		t.Errorf("%s: %v", r.Outcome, r.Err)
	}
	h.clean()
}

// Old rules that take longer to load than any load may are not refused: the next
// try gets more time.
func TestOldRulesThatAreSlowToLoad(t *testing.T) {
	t.Parallel()
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before := h.table()
	p := h.begin(h.candidate(rules(false, 443), 4*time.Second))
	h.slowNFT(`case $* in *old.nft*|*boot.nft*) sleep 35 ;; esac`)
	p.hangUp()
	h.until("the old rules are back", 100*time.Second, func() bool {
		now := h.table()
		if now == "" {
			t.Fatal("the table is gone")
		}
		return now == before
	})
}

// The old rules are refused, and nothing can be written down: the lock-out ends all
// the same, by taking our table away.
func TestLastResortNeedsNoFile(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	p := h.begin(h.candidate(rules(true), 4*time.Second))
	h.slowNFT(`case $* in *old.nft*|*boot.nft*) echo no >&2; exit 1 ;; esac`)
	h.sh("mount --bind /run/fwpush /run/fwpush && mount -o remount,ro,bind /run/fwpush")
	p.hangUp()
	h.until("our table is gone", 30*time.Second, func() bool { return h.table() == "" })
	h.sh("umount -l /run/fwpush")
}

// Both timers are killed without at. systemd starts its own again, under another
// process id, and that one ends the transaction, itself last.
func TestRestartedSystemdTimerEndsTheTransaction(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Systemd: true})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before := h.table()
	h.sh("mv /usr/bin/at /usr/bin/at.off")
	p := h.begin(h.candidate(rules(false, 443), 6*time.Second))
	p.hangUp()
	h.sh("for p in $(pgrep -f 'revert.s[h]'); do kill -9 $p; done")
	h.until("it is over", 15*time.Second, func() bool { return h.state() == "reverted" })
	if got := h.table(); got != before {
		t.Errorf("rules:\n%s", got)
	}
	h.clean()
}
