package commit

import (
	"errors"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// TestSecondProgramOnAConnection: a rollback asks for the past and begins on the same
// connection, and who looks how a transaction ended asks twice. Dropbear closed the channel
// of the second program.
func TestSecondProgramOnAConnection(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Root: root(t, "busybox")})
	c := h.candidate(rules(false, 80), time.Minute)
	c.Timers = 1
	h.mustApply(c)
	for i := range 6 {
		conn := h.dial()
		for j := range 2 {
			if _, r := Past(t.Context(), conn, Before); r.Err != nil && r.Outcome == OutcomeUnreachable {
				t.Fatalf("round %d, program %d: %v", i, 3*j+1, r.Err)
			}
			if _, r := Inspect(t.Context(), conn, "", ModeSame, ""); r.Err != nil {
				t.Fatalf("round %d, program %d: %v", i, 3*j+2, r.Err)
			}
			if _, _, err := ask(t.Context(), conn, "tell", strings.Repeat("0", 32)); err != nil {
				t.Fatalf("round %d, program %d: %v", i, 3*j+3, err)
			}
		}
		conn.Close()
	}
}

// TestHoleADecisionThatIsOverIsNotTurnedBack: who waits for the owner of a decided state found it gone
// after it had turned the state to its end, and turned that back: a confirmed host went once more
// through its confirm, where a disk that was full by then would have reverted it.
func TestHoleADecisionThatIsOverIsNotTurnedBack(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"confirming", "reverting"} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, lab.HostOptions{})
			h.mustApply(h.candidate(rules(false, 80), time.Minute))
			slow := map[string]string{"confirming": "sync", "reverting": "nft"}[word]
			h.wrap(slow, `case $(echo /run/fwpush/S.*) in *.`+word+`.*) [ -e /run/asked ] || { touch /run/decided; while [ ! -e /run/asked ]; do sleep 0.05; done; sleep 0.3; } ;; esac`)
			p := h.begin(h.candidate(rules(false, 443), time.Minute))
			end, ended := "confirmed", make(chan Result, 1)
			go func() {
				if word == "confirming" {
					ended <- p.Confirm(t.Context(), h.dialer)
					return
				}
				ended <- p.TakeBack(t.Context(), h.dialer, StageConfirm, errors.New("asked"))
			}()
			if word == "reverting" {
				end = "reverted"
			}
			h.until("the host is "+word, 10*time.Second, func() bool { return h.sh("ls /run/decided 2>/dev/null || true") != "" })
			decided := h.sh("echo /run/fwpush/S.*")
			conn, told := h.dial(), make(chan error, 1)
			go func() {
				_, _, err := ask(t.Context(), conn, "tell", p.Secrets().TX)
				told <- err
			}()
			h.until("somebody waits for the owner", 10*time.Second, func() bool { return h.sh("pgrep -fx 'sleep 1' || true") != "" })
			h.sh("touch /run/asked")
			if err := <-told; err != nil {
				t.Fatal(err)
			}
			<-ended
			owner := func(name string) string { return strings.Join(strings.Split(name, ".")[4:], ".") }
			if now := h.sh("echo /run/fwpush/S.*"); h.state() != end || owner(now) != owner(decided) {
				t.Errorf("%s was decided, and the state is %s", decided, now)
			}
		})
	}
}

// TestTakenBackTooLate: another run has confirmed what this one takes back. Over the first connection
// the host said that it had reverted, and it had not.
func TestTakenBackTooLate(t *testing.T) {
	t.Parallel()
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	p := h.begin(h.candidate(rules(false, 443), time.Minute))
	conn := h.dial()
	f, r := Inspect(t.Context(), conn, "", ModeSame, "")
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	other, r := Recall(conn, f, p.Secrets())
	if other == nil {
		t.Fatal(r.Err)
	}
	if r := other.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
		t.Fatalf("%s: %v", r.Outcome, r.Err)
	}
	if r := p.TakeBack(t.Context(), h.dialer, StageConfirm, errors.New("asked")); !confirmedByOthers(r) {
		t.Errorf("the host is %s, and %s is told (%v)", h.state(), r.Outcome, r.Err)
	}
}

// TestWhatCannotBeComparedIsNotTakenForOld: cmp failed when the boot file was to be put back, so the new
// one stayed there, and the host was called reverted.
func TestWhatCannotBeComparedIsNotTakenForOld(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"cmp", "grep"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, lab.HostOptions{})
			h.mustApply(h.candidate(rules(false, 80), time.Minute))
			old := h.sh("cat /var/lib/fwpush/boot.nft")
			h.wrap(program, `case $(echo /run/fwpush/S.*) in *.confirming.* | *.reverting.*) exit 2 ;; esac`)
			r := h.apply(h.candidate(rules(false, 443), time.Minute))
			if put := h.sh("cat /var/lib/fwpush/boot.nft") == old; r.Outcome != OutcomeReverted && r.Outcome != OutcomeUnknown || r.Outcome == OutcomeReverted && !put {
				t.Errorf("%s at %s (%v), and a boot loads the old rules: %t", r.Outcome, r.Stage, r.Err, put)
			}
			h.unwrap(program)
			h.mustApply(h.candidate(rules(false, 444), time.Minute))
		})
	}
}

// TestHoleRulesThatAreGoneOnceLoadedAreNotConfirmed: somebody deleted the table between the load and its
// listing. A confirm found no rules, as listed, and stored rules that nobody had got in under: a boot
// would have locked everybody out.
func TestHoleRulesThatAreGoneOnceLoadedAreNotConfirmed(t *testing.T) {
	t.Parallel()
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before, boot := h.table(), h.sh("cat /var/lib/fwpush/boot.nft")
	h.wrap("nft", `case "$*" in *-c* | *old.nft*) ;; -f*) "$real" "$@" && "$real" delete table inet fwpush; exit ;; esac`)
	if r := h.apply(h.candidate(rules(true, 443), time.Minute)); r.Outcome != OutcomeReverted {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.unwrap("nft")
	if now := h.table(); now != before || h.sh("cat /var/lib/fwpush/boot.nft") != boot {
		t.Errorf("it runs\n%s\nand boots\n%s", now, h.sh("cat /var/lib/fwpush/boot.nft"))
	}
}

// TestHoleAStateThatCannotBeTurnedIsTurnedLater: mv failed while the watchdog took the rules back. It
// took the timers away all the same, and the transaction stayed applied until somebody came by.
func TestHoleAStateThatCannotBeTurnedIsTurnedLater(t *testing.T) {
	t.Parallel()
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before := h.table()
	h.wrap("mv", "[ ! -e /run/nomv ] || exit 1")
	h.begin(h.candidate(rules(false, 443), 3*time.Second))
	h.sh("touch /run/nomv")
	h.until("the old rules are back", 10*time.Second, func() bool { return h.table() == before })
	h.until("that is on record", 10*time.Second, func() bool {
		return h.sh("tail -n 1 /var/lib/fwpush/history | cut -d ' ' -f 3") == "reverted"
	})
	if h.state() != "applied" {
		t.Fatalf("the state could be turned: it is %s", h.state())
	}
	h.until("the watchdog is through", 10*time.Second, func() bool {
		return h.sh("pgrep -f '[r]evert.sh' || true") == "" || h.sh("pgrep -fx 'sleep 1' || true") != ""
	})
	h.sh("rm /run/nomv")
	h.until("the transaction is over", 10*time.Second, func() bool { return h.state() == "reverted" })
	if n := h.sh("grep -c ' reverted ' /var/lib/fwpush/history"); n != "1" {
		t.Errorf("it was taken back %s times", n)
	}
	h.unwrap("mv")
	h.clean()
}

// confirmedByOthers says whether a result tells that the host is confirmed and that this run did
// not do it: no success, since this run saw nobody get in, and no revert either.
func confirmedByOthers(r Result) bool {
	return r.Outcome == OutcomeUnknown && strings.HasPrefix(r.Err.Error(), "the host says that it is confirmed, and this run did not tell it to")
}
