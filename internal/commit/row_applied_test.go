package commit

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/render"
)

// chain is a table with an input chain of these rules and nothing else.
func chain(lines ...string) render.Ruleset {
	return ruleset("add table inet fwpush\ndelete table inet fwpush\ntable inet fwpush {\n\tchain input {\n\t\ttype filter hook input priority -10; policy drop;\n\t\t" +
		strings.Join(lines, "\n\t\t") + "\n\t}\n}\n")
}

// lockedOut applies rules after which nobody can get in, and takes them to their end. in tells
// whether somebody could.
func lockedOut(t *testing.T, rs render.Ruleset, o lab.HostOptions, window time.Duration, in func(*host) bool) (r Result, took time.Duration) {
	t.Helper()
	working(t)
	h := newHost(t, o)
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	if !in(h) {
		t.Fatal("nobody gets in before the fault either")
	}
	before := h.table()
	p := h.begin(h.candidate(rs, window))
	began := time.Now()
	if h.table() == before || in(h) {
		t.Fatalf("not locked out by\n%s", h.table())
	}
	r = p.Confirm(t.Context(), h.dialer)
	took = time.Since(began)
	if r.Outcome != OutcomeReverted { // why is told as it was seen: somebody may get in just after the deadline
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if got := h.table(); got != before {
		t.Errorf("rules:\n%s", got)
	}
	if !in(h) {
		t.Error("nobody gets in after the revert")
	}
	h.clean()
	return r, took
}

func sshIn(h *host) bool { return h.knocks(22) }

// The first connection still gets through, and tells the host to go back at once.
func TestRow32LockOutIsReportedAsReverted(t *testing.T) {
	t.Parallel()
	for name, rs := range map[string]render.Ruleset{
		"of its port":    rules(true, 443),
		"of its address": chain("ip saddr 192.0.2.1 tcp dport 22 accept", `iifname "lo" accept`, "ct state established,related accept", "counter drop"),
	} {
		t.Run(name, func(t *testing.T) {
			r, took := lockedOut(t, rs, lab.HostOptions{}, 90*time.Second, sshIn)
			if took > time.Minute {
				t.Errorf("it took %s of 90 s: the first connection was not heard", took)
			}
			if r.Stage != StageConfirm || !strings.Contains(fmt.Sprint(r.Err), "no fresh connection got in") {
				t.Errorf("at %s: %v", r.Stage, r.Err)
			}
		})
	}
}

// Nothing gets through any more: that is left to the timers.
func TestRow33TotalDropIsRevertedAtTheDeadline(t *testing.T) {
	const window = 20 * time.Second
	if _, took := lockedOut(t, chain(`iifname "lo" accept`, "counter drop"), lab.HostOptions{}, window, sshIn); took < window-2*time.Second {
		t.Errorf("reverted after %s of %s: somebody was heard", took, window)
	}
}

// The rules let the connection that loaded them go on, and no new one in.
func TestRow34OnlyOldConnectionsGetIn(t *testing.T) {
	lockedOut(t, chain("ct state established,related accept", "counter drop"), lab.HostOptions{}, 20*time.Second, sshIn)
}

// What comes in is let in, and no answer out.
func TestRow36AnswersAreDropped(t *testing.T) {
	out := fmt.Sprintf("\tchain output {\n\t\ttype filter hook output priority -10; policy accept;\n\t\tip daddr %s drop\n\t}\n\tchain input {\n", world.Addr4())
	lockedOut(t, ruleset(strings.Replace(rules(false, 443).Text, "\tchain input {\n", out, 1)), lab.HostOptions{}, 20*time.Second, sshIn)
}

// sshd asks a name server that the new rules keep it from: a login takes longer than the window, and
// what is told of it is how long was waited.
func TestRow38LoginThatTakesLongerThanTheWindow(t *testing.T) {
	quick := func(h *host) bool {
		h.sh("grep -q nameserver /etc/resolv.conf || printf 'nameserver 127.0.0.1\\noptions timeout:15 attempts:1\\n' >/etc/resolv.conf")
		conn, err := h.dialer.Dial(t.Context(), h.endpointIn(6*time.Second))
		if err != nil {
			return false
		}
		conn.Close()
		return true
	}
	// Where it is dropped on its way out a program is told so at once; on its way in nobody hears of it.
	silent := ruleset(strings.Replace(rules(false, 443).Text, `iifname "lo" accept`, "udp dport 53 drop\n\t\t"+`iifname "lo" accept`, 1))
	r, _ := lockedOut(t, silent, lab.HostOptions{SSHD: []string{"UseDNS yes"}}, time.Minute, quick)
	if text := fmt.Sprint(r.Err); !strings.Contains(text, "the SSH login was not done within ") {
		t.Errorf("%q does not tell how long was waited", text)
	}
}

// One timer of two is killed: the job of at reverts, in its minute.
func TestRow39WatchdogKilledTheJobReverts(t *testing.T) {
	t.Parallel()
	h := newHost(t, lab.HostOptions{})
	before := h.table()
	p := h.begin(h.candidate(rules(true), 10*time.Second))
	deadline := p.Deadline()
	h.sh("kill -9 $(sed -n 's/^process \\([0-9]*\\) .*/\\1/p' /run/fwpush/tx/*/timers)")
	p.hangUp()
	if got := h.sh("ps ax -o args | grep '[r]evert.sh announce' || true"); got != "" || h.state() != "applied" {
		t.Fatalf("state %s, and the watchdog is alive: %s", h.state(), got)
	}
	h.until("the at job reverts", time.Until(deadline)+122*time.Second, func() bool { return h.state() == "reverted" })
	if took := time.Until(deadline); took > 0 {
		t.Errorf("reverted %s before the deadline", took)
	}
	if got := h.table(); got != before {
		t.Errorf("rules:\n%s", got)
	}
	h.clean()
}

func TestRow40AtdKilledTheWatchdogReverts(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before := h.table()
	p := h.begin(h.candidate(rules(true), 10*time.Second))
	h.sh(lab.AtdDies)
	p.hangUp()
	if got := h.state(); got != "applied" {
		t.Fatalf("the state is %s before the window is over", got)
	}
	h.until("the watchdog reverts", 20*time.Second, func() bool { return h.state() == "reverted" })
	if got := h.table(); got != before {
		t.Errorf("rules:\n%s", got)
	}
	h.sh("atd; for j in $(atq | cut -f 1); do atrm $j; done") // what a dead atd has left as running
	h.clean()
}

// Both timers are dead: the new rules stay until somebody comes, and that is told. Whoever comes after
// the deadline takes them back.
func TestRow41BothTimersKilled(t *testing.T) {
	t.Parallel()
	unguarded := func(t *testing.T, window time.Duration) (h *host, p *Pending, before string) {
		t.Helper()
		working(t)
		h = newHost(t, lab.HostOptions{})
		before = h.table()
		p = h.begin(h.candidate(rules(false, 80), window))
		h.abandon(p, "applied")
		if got := h.sh("atq | grep -v = || true; pgrep -f 'revert.s[h]' || true"); got != "" || h.state() != "applied" {
			t.Fatalf("state %s, and timers: %s", h.state(), got)
		}
		return h, p, before
	}
	// nobody lets the deadline pass: nothing happens on such a host.
	nobody := func(h *host, p *Pending) {
		h.t.Helper()
		time.Sleep(time.Until(p.Deadline()) + 1100*time.Millisecond)
		if got := h.table(); h.state() != "applied" || !strings.Contains(got, "dport 80") {
			h.t.Fatalf("state %s, rules:\n%s", h.state(), got)
		}
	}
	t.Run("a confirm in time says so", func(t *testing.T) {
		h, p, _ := unguarded(t, 20*time.Second)
		r := p.Confirm(t.Context(), h.dialer)
		if r.Outcome != OutcomeConfirmed || !strings.Contains(strings.Join(r.Notes, "; "), "no timer of the host was left") {
			t.Errorf("%s at %s: %v, notes %q", r.Outcome, r.Stage, r.Err, r.Notes)
		}
	})
	t.Run("a confirm that comes late reverts", func(t *testing.T) {
		h, p, before := unguarded(t, 3*time.Second)
		nobody(h, p)
		word, rest, err := ask(t.Context(), h.dial(), "confirm", p.tx)
		if err != nil || word != "over" || rest != "reverted" {
			t.Errorf("%q %q %v", word, rest, err)
		}
		if got := h.table(); got != before {
			t.Errorf("rules:\n%s", got)
		}
	})
	t.Run("the next run reverts", func(t *testing.T) {
		h, p, before := unguarded(t, 2*time.Second)
		nobody(h, p)
		Begin(t.Context(), h.dial(), Candidate{Judge: func(f Facts) Verdict {
			if strings.TrimSpace(f.Running) != before {
				t.Errorf("an expired candidate still runs:\n%s", f.Running)
			}
			return Verdict{Act: Unchanged}
		}})
		if got := h.state(); got != "reverted" {
			t.Errorf("state %s", got)
		}
	})
	t.Run("who is told to reverts", func(t *testing.T) {
		h, _, before := unguarded(t, 20*time.Second)
		if r := takeBackNow(t, h); r.Outcome != OutcomeReverted || h.table() != before {
			t.Errorf("%s: %v", r.Outcome, r.Err)
		}
	})
}

// stepped moves the clock that the programs of a host read.
func (h *host) stepped(by string, seconds int) {
	h.t.Helper()
	h.sh(`mv /bin/date /bin/date.real && printf '#!/bin/sh\nexec /bin/date.real -d "` + by + `" "$@"\n' >/bin/date && chmod 755 /bin/date`)
	moved, err := strconv.Atoi(h.sh("echo $(($(date +%s) - $(date.real +%s)))"))
	if off := moved - seconds; err != nil || off < -2 || off > 2 {
		h.t.Fatalf("the clock was moved by %d s, %v", moved, err)
	}
}

func TestRow42ClockSteppedInsideTheWindowIsNoConfirm(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	p := h.begin(h.candidate(rules(false, 80), 15*time.Second))
	h.stepped("+1 hour", 3600)
	r := p.Confirm(t.Context(), h.dialer)
	if r.Outcome != OutcomeReverted || !strings.Contains(r.Err.Error(), "clock was stepped") {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.clean()
}

// The watchdog counts on the monotonic clock: one that was put back makes it no later.
func TestRow43ClockPutBackMakesNoRevertLate(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	p := h.begin(h.candidate(rules(true, 80), 3*time.Second))
	h.stepped("-1 hour", -3600)
	p.hangUp()
	h.until("the watchdog reverts", 6*time.Second, func() bool { return h.state() == "reverted" })
	if got := h.table(); got != "" {
		t.Errorf("rules:\n%s", got)
	}
	h.clean()
}
