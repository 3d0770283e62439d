package commit

import (
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// shells are what /bin/sh may be on a host.
var shells = map[string]string{
	"dash":    "ln -sf dash /bin/sh",
	"busybox": "ln -sf busybox /bin/sh",
	"bash":    "ln -sf bash /bin/sh",
}

func TestConfirmedCommitLeavesRulesAndNothingElse(t *testing.T) {
	t.Parallel()
	for shell, install := range shells {
		t.Run(shell, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			h.sh(install)
			first, second := rules(false, 80), rules(false, 443)

			r := h.mustApply(h.candidate(first, time.Minute))
			if got := strings.Join(r.Timers, " "); got != "at watchdog" {
				t.Errorf("proved timers %q", got)
			}
			if !strings.Contains(h.table(), "tcp dport 80 accept") {
				t.Errorf("the candidate does not run:\n%s", h.table())
			}
			if got := h.sh("cat /var/lib/fwpush/boot.nft"); got+"\n" != first.Text {
				t.Errorf("boot file:\n%s", got)
			}
			h.clean()

			if r := h.apply(h.candidate(first, time.Minute)); r.Outcome != OutcomeUnchanged {
				t.Errorf("second run: %s at %s: %v, want unchanged", r.Outcome, r.Stage, r.Err)
			}
			h.mustApply(h.candidate(second, time.Minute))
			if got := h.sh("cat /var/lib/fwpush/boot.prev"); got+"\n" != first.Text {
				t.Errorf("boot.prev is not the generation before:\n%s", got)
			}
			if got := h.sh("cat /var/lib/fwpush/gen/2/rules"); got+"\n" != second.Text {
				t.Errorf("generation 2:\n%s", got)
			}
			h.clean()
			if got := h.sh("stat -c '%a %U' /run/fwpush /var/lib/fwpush /var/lib/fwpush/boot.nft | sort -u"); got != "600 root\n700 root" {
				t.Errorf("modes and owners:\n%s", got)
			}
		})
	}
}

func TestOnlyFiveGenerationsAreKept(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	for port := 1001; port <= 1007; port++ {
		h.mustApply(h.candidate(rules(false, port), time.Minute))
	}
	if got := h.sh("ls /var/lib/fwpush/gen | sort -n | tr '\\n' ' '"); got != "3 4 5 6 7 " {
		t.Errorf("generations %q", got)
	}
}

func TestHostHealsItselfWithoutAController(t *testing.T) {
	t.Parallel()
	// All but the record of what happened.
	const files = "find /etc/systemd /var/lib/fwpush -type f 2>/dev/null | grep -v -e /history -e /last_revert | sort"
	for _, tc := range []struct {
		name   string
		before bool // a confirmed ruleset runs before
	}{{"first push", false}, {"over confirmed rules", true}} {
		t.Run(tc.name, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			if tc.before {
				h.mustApply(h.candidate(rules(false, 80), time.Minute))
			}
			table, disk := h.table(), h.sh(files)
			p := h.begin(h.candidate(rules(true, 443), 4*time.Second))
			if !strings.Contains(h.table(), "dport 443") {
				t.Fatal("the candidate does not run, nothing to heal")
			}
			p.hangUp() // the controller is gone
			h.until("the old rules are back", 6*time.Second, func() bool { return h.state() == "reverted" })
			if got := h.table(); got != table {
				t.Errorf("rules after the revert:\n%s\nbefore:\n%s", got, table)
			}
			h.clean()
			if f, r := Inspect(t.Context(), h.dial(), "", ModeCoexist, ""); r.Err != nil || f.LastRevert == nil || f.LastRevert.TX != p.tx {
				t.Errorf("last revert %+v (%v), want that of %s", f.LastRevert, r.Err, p.tx)
			}
			if got := h.sh(files); got != disk {
				t.Errorf("disk after the revert:\n%s\nbefore:\n%s", got, disk)
			}
			h.dial()
		})
	}
}

func TestExtendMovesTheDeadlineOnTheHost(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	p := h.begin(h.candidate(rules(false, 80), 5*time.Second))
	proof, r := p.Prove(t.Context(), h.dialer)
	if proof == nil {
		t.Fatal(r.Err)
	}
	first := p.Deadline()
	if err := proof.Extend(t.Context(), 12*time.Second); err != nil {
		t.Fatal(err)
	}
	if moved := p.Deadline().Sub(first); moved < 5*time.Second {
		t.Errorf("the deadline moved by %s", moved)
	}
	time.Sleep(time.Until(first.Add(1500 * time.Millisecond))) // past the first deadline
	if got := h.state(); got != "applied" {
		t.Fatalf("state %s past the old deadline, want applied", got)
	}
	proof.Close()
	h.until("the new deadline holds", time.Until(p.Deadline())+3*time.Second, func() bool { return h.state() == "reverted" })
	h.clean()
}

// A login that prints without end is no banner.
func TestLoginThatPrintsWithoutEnd(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.sh("echo 'while echo welcome; do :; done' >/root/.bashrc; chsh -s /bin/bash root")
	_, r := Begin(t.Context(), h.dial(), h.candidate(rules(false, 80), time.Minute))
	if r.Outcome != OutcomeFailed || !strings.Contains(r.Err.Error(), "the login printed more than 64 KiB") {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
}

// A login script that prints, without ending its line, and one that reads a line.
func TestLoginScriptsThatTalk(t *testing.T) {
	t.Parallel()
	for name, rc := range map[string]string{
		"open line": "printf 'welcome '",
		"banner":    "echo welcome; echo to this host",
	} {
		t.Run(name, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			h.sh("usermod -s /bin/bash root; cat >/root/.bashrc <<'X'\n" + rc + "\nX")
			h.mustApply(h.candidate(rules(false, 80), time.Minute))
			h.clean()
		})
	}
}

func TestSudo(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Users: []lab.User{{Name: "ops", Sudo: true}, {Name: "weak"}}})
	h.user, h.become = "weak", "none"
	if r := h.apply(h.candidate(rules(false, 80), time.Minute)); r.Outcome != OutcomeFailed || !strings.Contains(r.Err.Error(), "uid") {
		t.Errorf("not root: %s: %v", r.Outcome, r.Err)
	}
	h.become = "sudo"
	if r := h.apply(h.candidate(rules(false, 80), time.Minute)); r.Outcome != OutcomeFailed || r.Hint == "" {
		t.Errorf("sudo with a password: %s: %v (hint %q)", r.Outcome, r.Err, r.Hint)
	}
	h.user = "ops"
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	h.clean()
}
