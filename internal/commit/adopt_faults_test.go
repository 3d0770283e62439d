package commit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// outside runs a fragment where the host itself is meant and no rehearsal in a network
// namespace, and where the program's arguments fit a pattern.
func outside(pattern, fragment string) string {
	return `case "$*" in ` + pattern + `) [ "$(readlink /proc/self/ns/net)" != "$(cat /run/ns)" ] || ` + fragment + ` ;; esac`
}

// Home-made rules are being taken away, and something fails, dies or hangs in between:
// everything is as it was, whoever puts it back.
func TestAdoptionThatFailsInTheMiddle(t *testing.T) {
	t.Parallel()
	const (
		family = "iptables-restore"
		dies   = "kill -9 $PPID; exit 1"
		both   = "kill -9 $(cut -d ' ' -f 4 /proc/$PPID/stat) $PPID; exit 1"
		hangs  = "kill -STOP $$"
		fails  = "{ echo 'it fails' >&2; exit 1; }"
	)
	for name, tt := range map[string]struct{ program, pattern, fragment string }{
		"iptables fails":                      {family, "*--noflush*", fails},
		"iptables fails once":                 {family, "*--noflush*", once(fails)}, // and goes by numbers
		"the taking dies":                     {family, "*--noflush*", once(dies)},
		"the taking dies, and Begin":          {family, "*--noflush*", once(both)},
		"iptables hangs":                      {family, "*--noflush*", once(hangs)},
		"nft fails":                           {"nft", "'-f /dev/stdin'", fails},
		"Begin dies between iptables and nft": {"nft", "'-f /dev/stdin'", once(both)},
		"nft hangs":                           {"nft", "'-f /dev/stdin'", once(hangs)},
		"nft does it, and Begin dies":         {"nft", "'-f /dev/stdin'", once("$real/nft -f /dev/stdin;" + both)},
	} {
		t.Run(name, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			h.firewall()
			h.nftables(homeTable)
			h.sh(banning)
			before := h.everything()
			h.sh("readlink /proc/self/ns/net >/run/ns")
			h.wrap(tt.program, outside(tt.pattern, tt.fragment))
			p, r := Begin(t.Context(), h.dial(), h.adopting(rules(false, 443), 5*time.Second))
			if name == "iptables fails once" {
				if p == nil {
					t.Fatalf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
				}
				if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
					t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
				}
				return
			}
			if p != nil {
				p.hangUp()
			} else if r.Outcome != OutcomeReverted || r.Stage != StageApply {
				t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			h.until("it is taken back", 40*time.Second, func() bool { return h.state() == "reverted" })
			h.unwrap(tt.program)
			if tt.fragment == fails && !strings.Contains(fmt.Sprint(r.Err), "it fails") || tt.fragment != fails && h.sh("ls /run/once || true") == "" {
				t.Errorf("nothing happened in the middle: %v", r.Err)
			}
			if got := h.everything(); got != before {
				t.Errorf("after the revert:\n%s", diff(before, got))
			}
			if h.table() != "" {
				t.Error("our table is left")
			}
			h.clean()
			h.mustApply(h.adopting(rules(false, 443), time.Minute))
		})
	}
}

// The revert itself dies, or its tools fail for a while, at each of its steps.
func TestAdoptionWhoseRevertFailsInTheMiddle(t *testing.T) {
	t.Parallel()
	const both = "kill -9 $(cut -d ' ' -f 4 /proc/$PPID/stat) $PPID; exit 1"
	for name, tt := range map[string]struct{ program, pattern, fragment string }{
		"iptables fails twice":            {"iptables-restore", "*--noflush*", `{ [ -e /run/a ] && [ -e /run/b ]; } || { [ ! -e /run/a ] || touch /run/b; touch /run/a; exit 1; }`},
		"the revert dies before iptables": {"iptables-restore", "*--noflush*", once(both)},
		"the revert dies before a table":  {"nft", "*adopt/nft.1", once(both)},
		"the revert dies after a table":   {"nft", "*adopt/nft.2", once("$real/nft \"$@\";" + both)},
		"the revert dies before ours go":  {"nft", "*old.nft", once("kill -9 $PPID; exit 1")},
	} {
		t.Run(name, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			h.firewall()
			h.nftables(homeTable)
			h.sh(banning)
			before := h.everything()
			h.sh("readlink /proc/self/ns/net >/run/ns")
			p := h.begin(h.adopting(rules(false, 443), 4*time.Second))
			h.wrap(tt.program, outside(tt.pattern, tt.fragment))
			p.hangUp()
			h.until("the revert fails", 10*time.Second, func() bool { return h.sh("ls /run/once /run/b 2>/dev/null || true") != "" })
			if strings.HasPrefix(tt.fragment, "[") {
				// The job comes up to two minutes later; the next run finishes it at once.
				f, r := Inspect(t.Context(), h.dial(), "", ModeExclusive, "")
				if r.Err != nil || f.Pending == nil {
					t.Errorf("pending %v, %v", f.Pending, r.Err)
				}
				c := h.adopting(rules(false, 443), time.Minute)
				c.Judge = func(Facts) Verdict { return Verdict{Act: Refuse, Err: fmt.Errorf("only looking")} }
				h.apply(c)
			}
			h.until("it is taken back", 40*time.Second, func() bool { return h.state() == "reverted" })
			h.unwrap(tt.program)
			if got := h.everything(); got != before {
				t.Errorf("after the revert:\n%s", diff(before, got))
			}
			if h.table() != "" {
				t.Error("our table is left")
			}
			h.clean()
		})
	}
}

// Home-made rules that cannot be put back at all are told of, and kept on the disk: what
// stands in for the old rules, or a person, ends the transaction, and a next one clears away
// everything else that is left of it.
func TestHomeMadeRulesThatCannotBePutBackAreKept(t *testing.T) {
	t.Parallel()
	kept := func(h *host) {
		h.t.Helper()
		if got := h.sh("ls /var/lib/fwpush/adopted; cat /var/lib/fwpush/adopted/1/iptables-nft"); !strings.HasPrefix(got, "1\n") || !strings.Contains(got, "LOGDROP") {
			h.t.Errorf("adopted has\n%s", got)
		}
	}
	stuck := func(h *host) {
		h.firewall()
		h.sh("readlink /proc/self/ns/net >/run/ns")
	}
	fails := outside("*--noflush*", "{ echo 'no such device' >&2; exit 1; }")

	t.Run("beside confirmed rules", func(t *testing.T) {
		working(t)
		h := newHost(t, lab.HostOptions{})
		h.mustApply(h.candidate(rules(false, 80), time.Minute))
		confirmed := h.table()
		stuck(h)
		p := h.begin(h.adopting(rules(true), 30*time.Second))
		h.wrap("iptables-restore", fails)
		r := p.Confirm(t.Context(), h.dialer)
		if r.Outcome != OutcomeUnknown || r.Stage != StageRevert || !strings.Contains(r.Hint, "fwpush/adopted") || h.table() != confirmed {
			t.Errorf("%s at %s: %v; %s\n%s", r.Outcome, r.Stage, r.Err, r.Hint, h.table())
		}
		if r := p.await(t.Context(), h.dialer, StageConfirm, r.Err); r.Outcome != OutcomeUnknown {
			t.Errorf("asked again: %s at %s: %v", r.Outcome, r.Stage, r.Err)
		}
		h.unwrap("iptables-restore")
		kept(h)
		h.mustApply(h.candidate(rules(false, 80, 443), time.Minute))
		kept(h)
	})
	t.Run("in Begin", func(t *testing.T) {
		working(t)
		h := newHost(t, lab.HostOptions{})
		h.mustApply(h.candidate(rules(false, 80), time.Minute))
		stuck(h)
		h.nftables(homeTable)
		h.wrap("nft", outside("'-f /dev/stdin'", "{ echo 'no such device' >&2; touch /run/taken; exit 1; }"))
		h.wrap("iptables-restore", outside("*--noflush*", "[ ! -e /run/taken ] || exit 1"))
		if r := h.apply(h.adopting(rules(false, 443), 30*time.Second)); r.Outcome != OutcomeUnknown || r.Stage != StageRevert || !strings.Contains(r.Hint, "fwpush/adopted") {
			t.Errorf("%s at %s: %v; %s", r.Outcome, r.Stage, r.Err, r.Hint)
		}
		kept(h)
	})
	t.Run("on a first push, given up", func(t *testing.T) {
		working(t)
		h := newHost(t, lab.HostOptions{})
		stuck(h)
		p := h.begin(h.adopting(rules(false, 443), 3*time.Second))
		h.wrap("iptables-restore", fails)
		p.hangUp()
		h.until("the host is open", 25*time.Second, func() bool { return h.sh("ls /run/fwpush/tx/*/open 2>/dev/null || true") != "" })
		c := h.adopting(rules(false, 443), time.Minute)
		c.AcceptStuckRevert = true
		h.mustApply(c)
		kept(h)
	})
}

// A lock that another program holds while the rules are to go, and one while they are to
// come back.
func TestAdoptionBehindTheLockOfIptables(t *testing.T) {
	t.Parallel() // it waits for the lock
	h := newHost(t, lab.HostOptions{})
	h.variant("legacy")
	h.firewall()
	before := h.everything()
	h.sh("readlink /proc/self/ns/net >/run/ns")
	// Taken when the rules are to go: the rehearsal of before would wait for it too.
	h.wrap("iptables-restore", outside("*--noflush*", once("{ flock /run/xtables.lock sleep 14 >/dev/null 2>&1 </dev/null & sleep 0.3; }")))
	if r := h.apply(h.adopting(rules(false, 443), 30*time.Second)); r.Outcome != OutcomeReverted || r.Stage != StageApply || !strings.Contains(fmt.Sprint(r.Err), "lock") {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.unwrap("iptables-restore")
	if got := h.everything(); got != before {
		t.Errorf("after the revert:\n%s", diff(before, got))
	}
	p := h.begin(h.adopting(rules(false, 443), 3*time.Second))
	h.sh("flock /run/xtables.lock sleep 16 >/dev/null 2>&1 </dev/null &")
	p.hangUp()
	h.until("the revert waits", 10*time.Second, func() bool { return h.state() == "reverting" })
	h.until("it is taken back", 60*time.Second, func() bool { return h.state() == "reverted" })
	if got := h.everything(); got != before {
		t.Errorf("after the revert:\n%s", diff(before, got))
	}
	h.clean()
}
