package commit

import (
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// foreignRules are what Docker and fail2ban leave on a host, in short.
const foreignRules = `set -e
iptables -N DOCKER; iptables -N DOCKER-USER; iptables -A DOCKER-USER -j RETURN
iptables -A FORWARD -j DOCKER-USER; iptables -A FORWARD -o docker0 -j DOCKER
iptables -t nat -N DOCKER; iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -m comment --comment 'a -j FWPUSH-IN in words' -j MASQUERADE
iptables -N f2b-sshd; iptables -A f2b-sshd -s 192.0.2.66/32 -j REJECT; iptables -A f2b-sshd -j RETURN
iptables -I INPUT -p tcp -m multiport --dports 22 -j f2b-sshd
ip6tables -N f2b-sshd; ip6tables -A f2b-sshd -j RETURN; ip6tables -I INPUT -p tcp -j f2b-sshd
iptables -P FORWARD DROP`

// The whole way of a host that has no nft: a first push that is locked out, one that
// is confirmed, a change that is taken back, one that is confirmed, a removal.
// What is not ours is the same to the byte after each.
func TestIptablesAllTheWay(t *testing.T) {
	t.Parallel()
	variants(t, []string{"bullseye", "bookworm", "trixie"}, func(t *testing.T, h *host) {
		h.noNFT()
		h.sh(foreignRules)
		foreign := h.foreign()
		same := func(step string) {
			t.Helper()
			if got := h.foreign(); got != foreign {
				t.Errorf("after %s the rules of others are\n%s\nand were\n%s", step, got, foreign)
			}
		}
		none := h.xtables()

		r := h.apply(h.candidate(xtRules(true, ""), 8*time.Second))
		if r.Outcome != OutcomeReverted || r.Stage != StageConfirm {
			t.Fatalf("a lock-out: %s at %s: %v", r.Outcome, r.Stage, r.Err)
		}
		if got := h.xtables(); got != none {
			t.Errorf("after the first push was taken back:\n%s", got)
		}
		h.clean()

		first := xtRules(false, "", 80)
		h.mustApply(h.candidate(first, time.Minute))
		same("the first push")
		if got := h.xtables(); strings.Count(got, "--dport 80 -j ACCEPT") != 2 || strings.Count(got, "-A INPUT -j FWPUSH-IN") != 2 {
			t.Errorf("the candidate does not run:\n%s", got)
		}
		if !h.knocks(80) || h.knocks(81) {
			t.Error("the rules are loaded and do not hold")
		}
		if got := h.sh("cat /var/lib/fwpush/boot.ipt; ls /var/lib/fwpush/boot.nft 2>/dev/null || true"); got+"\n" != first.Text {
			t.Errorf("boot file:\n%s", got)
		}
		if r := h.apply(h.candidate(first, time.Minute)); r.Outcome != OutcomeUnchanged {
			t.Errorf("second run: %s at %s: %v; drift of\n%s", r.Outcome, r.Stage, r.Err, r.Facts.Running)
		}
		confirmed := h.xtables()

		p := h.begin(h.candidate(xtRules(true, "", 443, 444), 4*time.Second))
		same("a change")
		p.hangUp()
		h.until("the timers take it back", 8*time.Second, func() bool { return h.state() == "reverted" })
		if got := h.xtables(); got != confirmed {
			t.Errorf("after the revert:\n%s\nbefore:\n%s", got, confirmed)
		}
		if got := h.sh("tail -n 1 /var/lib/fwpush/history"); !strings.Contains(got, " reverted ") || strings.Contains(got, "differs") {
			t.Errorf("history: %s", got)
		}

		h.mustApply(h.candidate(xtRules(false, "", 443, 444), time.Minute))
		same("a change that stays")
		if h.knocks(80) || !h.knocks(443) {
			t.Error("the change does not hold")
		}
		if got := h.sh("cat /var/lib/fwpush/boot.prev"); got+"\n" != first.Text {
			t.Errorf("boot.prev:\n%s", got)
		}
		h.mustApply(h.removal())
		same("the removal")
		if got := h.xtables(); got != none {
			t.Errorf("after the removal:\n%s", got)
		}
		if got := h.sh("ls -A /var/lib/fwpush"); got != "history" {
			t.Errorf("kept: %s", got)
		}
		h.clean()
	})
}

// Every shell that may be /bin/sh on a host runs the loader.
func TestIptablesUnderEachShell(t *testing.T) {
	t.Parallel()
	for shell, install := range shells {
		t.Run(shell, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			h.sh(install)
			h.sh(foreignRules)
			c := h.candidate(xtRules(false, "ops", 80), time.Minute)
			c.Want = "iptables"
			h.mustApply(c)
			before := h.xtables()
			if r := h.apply(c); r.Outcome != OutcomeUnchanged {
				t.Errorf("second run: %s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			p := h.begin(h.candidate(xtRules(true, "web", 443, 444), 3*time.Second))
			p.hangUp()
			h.until("the timers take it back", 8*time.Second, func() bool { return h.state() == "reverted" })
			if got := h.xtables(); got != before {
				t.Errorf("after the revert:\n%s\nbefore:\n%s", got, before)
			}
			h.clean()
		})
	}
}
