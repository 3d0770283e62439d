package commit

import (
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// There is no nft when the time is over: the revert fails, loudly, and is tried again until there is.
func TestRow46NftIsGoneAtTheRevert(t *testing.T) {
	t.Parallel() // it waits for the next try, a minute later
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before := h.table()
	p := h.begin(h.candidate(rules(true, 443), 3*time.Second))
	h.sh("mv /usr/sbin/nft /usr/sbin/nft.off")
	p.hangUp()
	h.until("the first try has failed", 40*time.Second, func() bool { return h.sh("ls /run/fwpush/tx/*/open 2>/dev/null || true") != "" })
	h.sh("mv /usr/sbin/nft.off /usr/sbin/nft")
	if got := h.table(); h.state() != "reverting" || !strings.Contains(got, "443") {
		t.Fatalf("state %s, rules:\n%s", h.state(), got)
	}
	h.until("the next try succeeds", 130*time.Second, func() bool { return h.state() == "reverted" })
	if got := h.table(); got != before {
		t.Errorf("rules:\n%s", got)
	}
	h.clean()
}

// The old rules name an interface that is gone by then, and so do the confirmed ones: our table is
// taken away, so that the host can be reached, and that is told. Where there is the interface again,
// the next run finds the old rules put back.
func TestRow47OldRulesNeedWhatIsGone(t *testing.T) {
	t.Parallel() // it waits for five tries
	h := newHost(t, lab.HostOptions{})
	h.sh("ip link add gone0 type veth peer name gone1")
	old := ruleset(strings.Replace(rules(false, 80).Text, "tcp dport 80", `iif "gone0" tcp dport 80`, 1))
	h.mustApply(h.candidate(old, time.Minute))
	before := h.table()
	p := h.begin(h.candidate(rules(true, 443), 3*time.Second))
	h.sh("ip link delete gone0")
	if got := h.sh("nft -c -f /run/fwpush/tx/*/old.nft 2>&1 || true"); !strings.Contains(got, "Interface does not exist") {
		t.Fatalf("the old rules load: %s", got)
	}
	p.hangUp()
	h.until("the host is open", 40*time.Second, func() bool { return h.table() == "" })
	if !h.knocks(22) {
		t.Error("nobody gets in")
	}
	h.until("that is told", 10*time.Second, func() bool {
		f, _ := Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
		return f.Pending != nil && f.Pending.State == "reverting" && f.Pending.Open
	})
	if _, r := Begin(t.Context(), h.dial(), h.candidate(rules(false, 443), time.Minute)); r.Outcome != OutcomeUnknown || r.Stage != StageRevert {
		t.Errorf("the next run: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.sh("ip link add gone0 type veth peer name gone1")
	Begin(t.Context(), h.dial(), Candidate{Judge: func(Facts) Verdict { return Verdict{Act: Unchanged} }})
	if got := h.table(); got != before || h.state() != "reverted" {
		t.Errorf("state %s, rules:\n%s", h.state(), got)
	}
	h.clean()
}

// The watchdog dies in the middle of its revert. The job of at finishes that, in its minute.
func TestRow56KilledInTheMiddleOfARevert(t *testing.T) {
	t.Parallel() // it waits for that minute
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before := h.table()
	p := h.begin(h.candidate(rules(true, 443), 3*time.Second))
	h.wrap("nft", `case "$*" in *old.nft*) `+once(`"$real" "$@"; kill -9 $PPID; exit 1`)+` ;; esac`)
	p.hangUp()
	h.until("the watchdog dies in its revert", 10*time.Second, func() bool {
		return h.sh("ls /run/once 2>/dev/null && ! pgrep -f 'revert.s[h] announce' || true") == "/run/once"
	})
	if got := h.state(); got != "reverting" {
		t.Fatalf("state %s: not the moment that was meant", got)
	}
	h.until("the at job finishes it", 125*time.Second, func() bool { return h.state() == "reverted" })
	if got := h.table(); got != before {
		t.Errorf("rules:\n%s", got)
	}
	h.clean()
}

// Whoever has decided to revert hangs without loading anything. Nobody waits for it for longer than
// 15 s: it is ended, and its work done.
func TestRow57OwnerOfARevertThatHangsIsOvertaken(t *testing.T) {
	t.Parallel() // it waits for that limit
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before := h.table()
	p := h.begin(h.candidate(rules(true, 443), 3*time.Second))
	h.wrap("nft", `case "$*" in *old.nft*) `+once(`echo $PPID >/run/hangs; kill -STOP $PPID; exit 1`)+` ;; esac`)
	p.hangUp()
	h.until("the watchdog hangs", 10*time.Second, func() bool { return h.sh("ls /run/hangs 2>/dev/null || true") != "" })
	if got := h.sh("cut -d ' ' -f 3 /proc/$(cat /run/hangs)/stat"); got != "T" || h.state() != "reverting" || h.table() == before {
		t.Fatalf("process %s, state %s, rules:\n%s", got, h.state(), h.table())
	}
	began := time.Now()
	got := h.dialogue(finishProgram(), "", "", "revert", p.tx)
	if took := time.Since(began); !strings.Contains(got, "over reverted") || took < 13*time.Second || took > 40*time.Second {
		t.Errorf("after %s the host says %q", took, got)
	}
	if got := h.table(); got != before || h.state() != "reverted" {
		t.Errorf("state %s, rules:\n%s", h.state(), got)
	}
	if got := h.sh("ls -d /proc/$(cat /run/hangs) 2>/dev/null || echo gone"); got != "gone" {
		t.Errorf("what hung is still there: %s", got)
	}
	h.clean()
}

// The job of a transaction that was confirmed fires after all, as one of another boot or one that
// nobody could take away would.
func TestRow58JobThatFiresAfterTheConfirmDoesNothing(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	job := func() { h.sh("cat /var/spool/cron/atjobs/a* >/run/job; cp /run/fwpush/tx/*/revert.sh /run/revert.sh") }
	// The control: left alone, the same text reverts.
	p := h.begin(h.candidate(rules(false, 80), 2*time.Second))
	job()
	h.abandon(p, "applied")
	time.Sleep(time.Until(p.Deadline()) + 1100*time.Millisecond)
	if h.state() != "applied" {
		t.Fatalf("state %s without timers", h.state())
	}
	h.sh("sh /run/job")
	if got := h.table(); h.state() != "reverted" || got != "" {
		t.Fatalf("the job does not revert what is due: state %s, rules:\n%s", h.state(), got)
	}

	p = h.begin(h.candidate(rules(false, 443), time.Minute))
	job()
	if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
		t.Fatalf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	table, told := h.table(), h.sh("cat /var/lib/fwpush/history; md5sum /var/lib/fwpush/boot.nft")
	h.sh("sh /run/job; sh /run/revert.sh watch " + p.tx + "; sh /run/revert.sh now " + p.tx)
	if got := h.table(); got != table || h.state() != "confirmed" {
		t.Errorf("state %s, rules:\n%s", h.state(), got)
	}
	if got := h.sh("cat /var/lib/fwpush/history; md5sum /var/lib/fwpush/boot.nft"); got != told {
		t.Errorf("stored:\n%s\nbefore:\n%s", got, told)
	}
	h.clean()
}

// A boot file that does not load: the generation before stands in, loudly.
func TestRow59BootFileThatDoesNotLoad(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Systemd: true})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	confirmed := h.table()
	h.mustApply(h.candidate(rules(false, 443), time.Minute))
	h.sh("echo nonsense >>/var/lib/fwpush/boot.nft")
	if got := h.sh("nft -c -f /var/lib/fwpush/boot.nft 2>&1 || true"); !strings.Contains(got, "syntax error") {
		t.Fatalf("the boot file loads: %s", got)
	}
	h.reboot()
	if got := h.table(); got != confirmed {
		t.Errorf("with a broken boot file:\n%s", got)
	}
	if got := h.sh("journalctl -b -u fwpush.service -p err -o cat"); !strings.Contains(got, "boot.nft does not load; loading boot.prev") || !strings.Contains(got, "nonsense") {
		t.Errorf("the journal has, as errors:\n%s", got)
	}
	f, _ := Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
	if drifted, _ := f.Drifted(); !f.FellBack || f.Boot == f.Rules || !drifted {
		t.Errorf("the host tells: fell back %v, boot file as confirmed %v, drifted %v", f.FellBack, f.Boot == f.Rules, drifted)
	}
	h.mustApply(h.candidate(rules(false, 443), time.Minute))
	if f, _ := Inspect(t.Context(), h.dial(), "", ModeCoexist, ""); f.FellBack {
		t.Error("a confirm did not end that")
	}
	// Neither of the two: the host boots open, and the unit has failed.
	h.sh("echo nonsense >/var/lib/fwpush/boot.nft; echo nonsense >/var/lib/fwpush/boot.prev")
	h.reboot()
	if got := h.table() + h.sh("systemctl is-failed fwpush.service || true"); got != "failed" || !h.knocks(22) {
		t.Errorf("with two broken boot files: %s", got)
	}
}
