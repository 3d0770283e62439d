package commit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/transport"
)

// refusedAsOld says all the secrets over a connection that is older than the new rules.
func refusedAsOld(t *testing.T, which func(h *host, early *transport.Conn, p *Pending) *transport.Conn) {
	t.Helper()
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false), time.Minute)) // from here on conntrack knows connections
	early := h.dial()
	time.Sleep(20 * time.Millisecond) // two clock ticks: as old as a connection gets before a push
	p := h.begin(h.candidate(rules(true), 8*time.Second))
	if h.knocks(22) {
		t.Fatal("nobody is locked out: this proves nothing")
	}
	d, err := start(t.Context(), which(h, early, p), finishProgram(), "confirm", p.tx)
	if err != nil {
		t.Fatal(err)
	}
	if word, _, err := d.hear(t.Context(), wordTime); word != "ask" {
		t.Fatalf("%q %v", word, err)
	}
	if err := d.say(t.Context(), p.nonce, p.seal); err != nil {
		t.Fatal(err)
	}
	word, rest, err := d.hear(t.Context(), wordTime)
	if err != nil || word != "refused" || !strings.Contains(rest, "fresh this connection is") {
		t.Errorf("it may confirm: %q %q %v", word, rest, err)
	}
	p.hangUp()
	h.until("it reverts", 13*time.Second, func() bool { return h.state() == "reverted" })
}

// One connection for all is what ssh has with a ControlMaster.
func TestRow48TheSameConnectionCannotConfirm(t *testing.T) {
	refusedAsOld(t, func(_ *host, _ *transport.Conn, p *Pending) *transport.Conn { return p.first.conn })
}

func TestRow48bHoleAConnectionDialledBeforeApplyCannotConfirm(t *testing.T) {
	refusedAsOld(t, func(_ *host, early *transport.Conn, _ *Pending) *transport.Conn { return early })
}

// The control of the next two: with the right secrets, from the network, it is confirmed.
func (h *host) confirms(p *Pending) {
	h.t.Helper()
	if r := p.Confirm(h.t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
		h.t.Errorf("after all that: %s: %v", r.Outcome, r.Err)
	}
}

func TestRow49ConfirmMustComeOverTheNetwork(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	p := h.begin(h.candidate(rules(false), 20*time.Second))
	const network = "a confirm must come over the network"
	for _, tc := range []struct{ from, says string }{
		{"127.0.0.1 4000 127.0.0.1 22", network},
		{"::1 4000 ::1 22", network},
		{fmt.Sprintf("%s 4000 %s 22", h.Addr4(), h.Addr4()), network},
		{"", "sshd did not say where this comes from"},
	} {
		got := h.dialogue(finishProgram(), tc.from, p.nonce+" "+p.seal, "confirm", p.tx)
		if !strings.Contains(got, "refused fresh ") || !strings.Contains(got, tc.says) {
			t.Errorf("from %q may confirm: %q", tc.from, got)
		}
	}
	h.confirms(p)
}

func TestRow50ConfirmNeedsNonceSealAndTransaction(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	p := h.begin(h.candidate(rules(false), 20*time.Second))
	other, _ := secret()
	for _, tc := range []struct{ name, tx, nonce, seal, word string }{
		{"wrong nonce", p.tx, other, p.seal, "refused"},
		{"wrong seal", p.tx, p.nonce, other, "refused"},
		{"nothing", p.tx, "-", "-", "refused"},
		{"another transaction", other, p.nonce, p.seal, "over"},
		{"no transaction", "x", p.nonce, p.seal, "refused"},
	} {
		d, err := start(t.Context(), h.dial(), finishProgram(), "confirm", tc.tx)
		if err != nil {
			t.Fatal(err)
		}
		word, rest, err := d.hear(t.Context(), wordTime)
		if word == "ask" {
			d.say(t.Context(), tc.nonce, tc.seal)
			word, rest, err = d.hear(t.Context(), wordTime)
		}
		if word != tc.word || strings.Contains(rest, "confirmed") {
			t.Errorf("%s: %q %q %v", tc.name, word, rest, err)
		}
		if got := h.state(); got != "applied" {
			t.Fatalf("%s: state %s", tc.name, got)
		}
	}
	h.confirms(p)
}

// The shell that confirms dies before it has decided: it is as if nobody had come.
func TestRow52KilledBeforeTheDecision(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before, boot := h.table(), h.sh("cat /var/lib/fwpush/boot.nft")
	p := h.begin(h.candidate(rules(false, 443), 5*time.Second))
	h.dies("before", "confirming")
	r := p.Confirm(t.Context(), h.dialer)
	h.died()
	if r.Outcome != OutcomeReverted {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if got := h.table(); got != before || h.sh("cat /var/lib/fwpush/boot.nft") != boot {
		t.Errorf("rules:\n%s", got)
	}
	h.clean()
}

// It dies when it has decided and done nothing yet. That is not taken back: whoever asks next, or a
// timer, does the rest.
func TestRow53KilledAfterTheDecision(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"the controller asks again", "a timer comes"} {
		t.Run(next, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			h.mustApply(h.candidate(rules(false, 80), time.Minute))
			rs := rules(false, 443)
			p := h.begin(h.candidate(rs, 15*time.Second))
			proof, r := p.Prove(t.Context(), h.dialer)
			if proof == nil {
				t.Fatalf("%s: %v", r.Outcome, r.Err)
			}
			h.dies("after", "confirming")
			if next == "a timer comes" {
				proof.d.say(t.Context(), "commit")
				h.died()
				proof.Close()
				h.until("a timer goes on", 20*time.Second, func() bool { return h.state() == "confirmed" })
			} else {
				r := proof.Commit(t.Context(), h.dialer)
				h.died()
				if r.Outcome != OutcomeConfirmed {
					t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
				}
			}
			if got := h.sh("cat /var/lib/fwpush/boot.nft"); got+"\n" != rs.Text || !strings.Contains(h.table(), "443") {
				t.Errorf("boot file:\n%s\nrules:\n%s", got, h.table())
			}
			if got := h.sh("cut -d ' ' -f 3 /var/lib/fwpush/history"); got != "confirmed\nconfirmed" {
				t.Errorf("history: %s", got)
			}
			h.clean()
		})
	}
}

// The answer to commit is lost. Whoever asks again, and again, hears the same.
func TestRow55LostAnswerToCommit(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	p := h.begin(h.candidate(rules(false, 80), 20*time.Second))
	proof, r := p.Prove(t.Context(), h.dialer)
	if proof == nil {
		t.Fatalf("%s: %v", r.Outcome, r.Err)
	}
	p.told = true // as Commit does
	proof.d.say(t.Context(), "commit")
	h.until("the host has confirmed", 10*time.Second, func() bool { return h.state() == "confirmed" })
	proof.Close() // and nobody has heard it
	for range 2 {
		if word, rest, err := ask(t.Context(), h.dial(), "confirm", p.tx); err != nil || word != "over" || rest != "confirmed" {
			t.Errorf("%q %q %v", word, rest, err)
		}
		h.confirms(p)
	}
	if got := h.sh("ls /var/lib/fwpush/gen; cut -d ' ' -f 3 /var/lib/fwpush/history"); got != "1\nconfirmed" {
		t.Errorf("generations and history: %s", got)
	}
	h.clean()
}
