package commit

import (
	"context"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// A listing that nft cannot read again, as of a table with matches of iptables in it, is no way
// back: nothing is begun.
func TestRow11RunningRulesThatCannotBePutBack(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	h.sh("nft add rule inet fwpush input tcp dport 25 accept") // known by heart is only what was confirmed
	before := h.table()
	h.wrap("nft", `case "$*" in *'list table inet fwpush'*) $real "$@" | sed 's/counter drop/xt match "state" drop/'; exit ;; esac`)
	if got := h.sh("nft -s list table inet fwpush | nft -c -f - 2>&1 || true"); !strings.Contains(got, "syntax error") {
		t.Fatalf("the listing can be loaded: %s", got)
	}
	r := h.apply(h.candidate(rules(false, 443), time.Minute))
	if r.Outcome != OutcomeFailed || r.Stage != StageStage || !strings.Contains(r.Err.Error(), "running rules could not be put back") {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.unwrap("nft")
	if got := h.table(); got != before {
		t.Errorf("rules:\n%s\nbefore:\n%s", got, before)
	}
	h.clean()
	h.mustApply(h.candidate(rules(false, 443), time.Minute))
}

// A controller dies when its host waits for the word to apply. The next run takes the host over at
// once, and what the dead one has left to say changes nothing.
func TestRow15DeadControllersTransactionIsTakenOver(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 443), time.Minute))
	c := h.candidate(rules(true, 8080), time.Minute)
	other := h.dial()
	c.Gate = func(context.Context) error { // it is given up when the host is gone
		if h.state() != "staged" {
			t.Errorf("state %s: not the moment that was meant", h.state())
		}
		if _, _, err := h.Exec(t.Context(), "", "sh", "-c", "cd /run/fwpush; IFS=.; set -- S.*; set -- $1; kill -9 $5"); err != nil {
			t.Error(err)
		}
		began := time.Now()
		p, r := Begin(t.Context(), other, h.candidate(rules(false, 80), time.Minute))
		if p == nil {
			t.Errorf("the next run: %s at %s: %v", r.Outcome, r.Stage, r.Err)
		} else if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
			t.Errorf("the next run: %s at %s: %v", r.Outcome, r.Stage, r.Err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("the next run had to wait %s", took)
		}
		return nil
	}
	p, r := Begin(t.Context(), h.dial(), c)
	if p != nil {
		r = p.Confirm(t.Context(), h.dialer)
	}
	if r.Outcome == OutcomeConfirmed || r.Outcome == OutcomeUnknown {
		t.Errorf("the dead one: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if got := h.table(); !strings.Contains(got, "dport 80 accept") || strings.Contains(got, "8080") {
		t.Errorf("rules:\n%s", got)
	}
	if got := h.sh("cut -d ' ' -f 3- /var/lib/fwpush/history"); !strings.Contains(got, "\nreverted (its owner died before apply)") || strings.Count(got, "confirmed ") != 2 {
		t.Errorf("history:\n%s", got)
	}
	h.clean()
}

// Begin's shell dies at a step of the apply. The state tells the timers what to put back.
func dyingApply(t *testing.T, when, left string) {
	t.Helper()
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before := h.table()
	h.dies(when, "applied")
	h.begun(h.candidate(rules(true, 443), 3*time.Second))
	if got := h.state(); got != left || h.table() != before {
		t.Fatalf("state %s and rules\n%s: not the moment that was meant", got, h.table())
	}
	h.until("a timer ends it", 7*time.Second, func() bool { return h.state() == "reverted" })
	if got := h.table(); got != before {
		t.Errorf("rules:\n%s\nbefore:\n%s", got, before)
	}
	h.clean()
	h.mustApply(h.candidate(rules(false, 443), time.Minute))
}

func TestRow25KilledBeforeTheWordThatItIsApplied(t *testing.T) { dyingApply(t, "before", "armed") }

func TestRow26KilledBeforeTheLoad(t *testing.T) { dyingApply(t, "after", "applied") }

// It dies as soon as the new rules are in force, which lock everybody out.
func TestRow27KilledAfterTheLoad(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before := h.table()
	h.slowNFT(`case $* in *old.nft*) ;; *) ` + once(`/usr/sbin/nft.real "$@"; kill -9 $PPID; exit 1`) + ` ;; esac`)
	p, r := Begin(t.Context(), h.dial(), h.candidate(rules(true, 443), 3*time.Second))
	if p == nil {
		t.Fatalf("nothing died: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	p.hangUp()
	if got := h.table(); h.state() != "applied" || !strings.Contains(got, "dport 443") || h.knocks(22) {
		t.Fatalf("state %s, and not locked out by\n%s", h.state(), got)
	}
	h.until("a timer reverts", 7*time.Second, func() bool { return h.state() == "reverted" })
	h.mendNFT()
	if got := h.table(); got != before {
		t.Errorf("rules:\n%s\nbefore:\n%s", got, before)
	}
	h.clean()
}

// A load that does not come back is ended after 20 s, long before the deadline, and is a revert.
func TestRow29LoadThatHangsIsEnded(t *testing.T) {
	t.Parallel() // it waits for that limit
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before := h.table()
	h.slowNFT(`case $* in *old.nft*) ;; *) touch /run/hung; exec sleep 90 ;; esac`)
	began := time.Now()
	r := h.apply(h.candidate(rules(true, 443), 2*time.Minute))
	if r.Outcome != OutcomeReverted || h.sh("ls /run/hung") == "" {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if took := time.Since(began); took < 18*time.Second || took > 60*time.Second {
		t.Errorf("it took %s", took)
	}
	h.mendNFT()
	if got := h.table(); got != before {
		t.Errorf("rules:\n%s", got)
	}
	h.clean()
}

// The tables of iptables are transactions of their own: one that fails after others were loaded is
// no "nothing happened".
func TestI1Row30SecondTableOfIptablesFails(t *testing.T) {
	t.Parallel()
	for _, variant := range []string{"nft", "legacy"} {
		t.Run(variant, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			h.variant(variant)
			h.sh("iptables -P FORWARD DROP; iptables -A INPUT -p tcp --dport 9 -j REJECT; ip6tables -A INPUT -p tcp --dport 9 -j REJECT")
			lateFailure("iptables-restore", "nat")(t, h)
		})
	}
}
