package commit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"fwpush/internal/lab"
)

func TestRow14TwoControllersAtOnceHaveOneWinner(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	for round := range 5 {
		results := make([]Result, 2)
		pending := make([]*Pending, 2)
		ready := make(chan struct{})
		var wg, inside sync.WaitGroup
		inside.Add(2)
		for i := range results {
			conn := h.dial()
			c := h.candidate(rules(false, 1000+10*round+i), time.Minute)
			c.Stamp.Actor = fmt.Sprintf("controller %d", i)
			c.Judge = func(Facts) Verdict {
				inside.Done()
				<-ready // both were told that nobody holds the host
				return Verdict{Act: Go}
			}
			wg.Go(func() { pending[i], results[i] = Begin(t.Context(), conn, c) })
		}
		inside.Wait()
		close(ready)
		wg.Wait()
		winner := 0
		if pending[0] == nil {
			winner = 1
		}
		loser := results[1-winner]
		if pending[winner] == nil || pending[1-winner] != nil || loser.Outcome != OutcomeLocked {
			t.Fatalf("round %d: %s (%v) and %s (%v)", round, results[0].Outcome, results[0].Err, results[1].Outcome, results[1].Err)
		}
		if want := fmt.Sprintf("controller %d", winner); loser.Holder.Who != want || !strings.Contains(loser.Err.Error(), want) {
			t.Errorf("held by %q (%v), want %q", loser.Holder.Who, loser.Err, want)
		}
		if r := pending[winner].Confirm(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
			t.Fatalf("the winner: %s: %v", r.Outcome, r.Err)
		}
	}
	h.clean()
}

func TestN9Row9UploadCutShortIsDropped(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	for _, size := range []int{0, 100, 900} {
		conn := h.dial()
		d, err := start(t.Context(), conn, beginProgram(ModeCoexist), "auto", "none", "coexist")
		if err != nil {
			t.Fatal(err)
		}
		f, err := d.facts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b := &beginning{Candidate: h.candidate(rules(false, 80), time.Minute), rules: rules(false, 80), facts: &f}
		payload, err := b.payload()
		if err != nil {
			t.Fatal(err)
		}
		part := payload[:bytes.Index(payload, []byte("add table"))+size]
		if len(part) >= len(payload) {
			t.Fatal("nothing is cut off")
		}
		d.send(t.Context(), part, time.Minute)
		h.until("the host was claimed", 5*time.Second, func() bool { return h.state() == "staged" || h.state() == "reverted" })
		conn.Close()
		h.until("the transaction is dropped", 5*time.Second, func() bool { return h.state() == "reverted" })
		h.until(fmt.Sprintf("nothing of %d bytes is left", size), 5*time.Second, func() bool {
			return h.sh("ls /run/fwpush/tx; nft list tables; ls -A /var/lib/fwpush 2>/dev/null | grep -v history || true") == ""
		})
		h.clean()
	}
}

func TestRow15bControllerThatStopsAfterTheFactsHoldsNothing(t *testing.T) {
	t.Parallel()
	h := newHost(t, lab.HostOptions{})
	d, err := start(t.Context(), h.dial(), beginProgram(ModeCoexist), "auto", "none", "coexist")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.facts(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.mustApply(h.candidate(rules(false, 80), time.Minute)) // another controller is not held up
	h.until("the silent one is given up", 75*time.Second, func() bool {
		return h.sh("ps ax -o args | grep -c '[s]h -s -- .* [0-9a-f]\\{32\\}$' || true") == "0"
	})
}

func TestRow12FullDiskIsFoundBeforeAnythingIsTouched(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{DiskMB: 16})
	h.sh("mkdir -p /var/lib/fwpush && chmod 700 /var/lib/fwpush; cat /dev/zero >/var/full 2>/dev/null || true")
	if got := h.sh("cp /bin/sh /var/more 2>&1 || true"); !strings.Contains(got, "No space left") {
		t.Fatalf("the disk is not full: %s", got)
	}
	r := h.apply(h.candidate(rules(false, 80), time.Minute))
	if r.Outcome != OutcomeFailed || r.Stage != StageStage || !strings.Contains(r.Err.Error(), "disk full") {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if h.table() != "" {
		t.Error("rules were loaded")
	}
	h.sh("rm /var/full")
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
}

func TestRow54ReadOnlyDiskAtTheConfirmReverts(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before, boot := h.table(), h.sh("cat /var/lib/fwpush/boot.nft")
	p := h.begin(h.candidate(rules(false, 443), 30*time.Second))
	h.sh("mount --bind /var/lib/fwpush /var/lib/fwpush && mount -o remount,ro,bind /var/lib/fwpush")
	if got := h.sh("touch /var/lib/fwpush/x 2>/dev/null || echo refused"); got != "refused" {
		t.Fatal("the disk is not read-only")
	}
	r := p.Confirm(t.Context(), h.dialer)
	if r.Outcome != OutcomeReverted || !strings.Contains(r.Err.Error(), "cannot write") {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if got := h.table(); got != before {
		t.Errorf("rules:\n%s", got)
	}
	h.sh("umount /var/lib/fwpush")
	if got := h.sh("cat /var/lib/fwpush/boot.nft"); got != boot {
		t.Errorf("boot file:\n%s", got)
	}
	h.mustApply(h.candidate(rules(false, 443), time.Minute))
	h.clean()
}

func TestBootFileThatCannotBeRenamedReverts(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before, boot := h.table(), h.sh("cat /var/lib/fwpush/boot.nft")
	p := h.begin(h.candidate(rules(false, 443), 30*time.Second))
	// The decision is made, then the generation cannot be moved in.
	h.sh(`mv /bin/mv /bin/mv.real && cat >/bin/mv <<'X'
#!/bin/sh
case "$*" in *gen/.*) echo "mv: Read-only file system" >&2; exit 1;; esac
exec /bin/mv.real "$@"
X
chmod 755 /bin/mv`)
	r := p.Confirm(t.Context(), h.dialer)
	h.sh("/bin/mv.real -f /bin/mv.real /bin/mv")
	if r.Outcome != OutcomeReverted || r.Stage != StagePersist {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if got := h.table(); got != before {
		t.Errorf("rules:\n%s", got)
	}
	if got := h.sh("cat /var/lib/fwpush/boot.nft"); got != boot {
		t.Errorf("boot file:\n%s", got)
	}
	h.clean()
}

func TestRow45RulesChangedBySomebodyElseAreNotConfirmed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"a rule more":        "nft add rule inet fwpush input tcp dport 23 accept",
		"all rules are gone": "nft flush ruleset",
	} {
		t.Run(name, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			h.mustApply(h.candidate(rules(false, 80), time.Minute))
			before := h.table()
			p := h.begin(h.candidate(rules(false, 443), 30*time.Second))
			applied := h.table()
			h.sh(change)
			if h.table() == applied {
				t.Fatal("nothing was changed")
			}
			r := p.Confirm(t.Context(), h.dialer)
			if r.Outcome != OutcomeReverted || !strings.Contains(r.Err.Error(), "somebody else") {
				t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			if got := h.table(); got != before {
				t.Errorf("rules:\n%s", got)
			}
			h.clean()
		})
	}
}

func TestOldRulesThatDoNotLoad(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	confirmed := h.table()

	p := h.begin(h.candidate(rules(false, 443), 3*time.Second))
	h.slowNFT(`case $* in *old.nft*) echo "Error: no such device" >&2; exit 1 ;; esac`)
	p.hangUp()
	h.until("the boot file stands in", 15*time.Second, func() bool { return h.state() == "reverted" })
	if got := h.table(); got != confirmed {
		t.Errorf("rules:\n%s", got)
	}
	if got := h.sh("tail -n 1 /var/lib/fwpush/history"); !strings.Contains(got, "reverted differs") {
		t.Errorf("history: %s", got)
	}
	h.mendNFT()

	p = h.begin(h.candidate(rules(false, 443), 3*time.Second))
	h.slowNFT(`case $* in *old.nft*|*boot.nft*) echo "Error: no such device" >&2; exit 1 ;; esac`)
	p.hangUp()
	h.until("the host is open", 25*time.Second, func() bool { return h.table() == "" })
	h.until("a successor is queued", 10*time.Second, func() bool { return h.sh("atq | wc -l") >= "1" })
	f, _ := Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
	if f.Pending == nil || f.Pending.State != "reverting" || !f.Pending.Open {
		t.Errorf("facts: %+v", f.Pending)
	}

	_, r := Begin(t.Context(), h.dial(), h.candidate(rules(false, 443), time.Minute))
	if r.Outcome != OutcomeUnknown || r.Stage != StageRevert || !errors.Is(r.Err, errStuck) || !strings.Contains(r.Err.Error(), "no such device") {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	c := h.candidate(rules(false, 443), time.Minute)
	c.AcceptStuckRevert = true
	h.mendNFT()
	h.mustApply(c)
}

func TestN15Row10RefusedRulesetIsDroppedByTheCheck(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	bad := ruleset("add table inet fwpush\ndelete table inet fwpush\ntable inet fwpush {\n\tchain input {\n\t\tjump nowhere\n\t}\n}\n")
	r := h.apply(h.candidate(bad, time.Minute))
	// The kernel's own words, and where they are about.
	if r.Outcome != OutcomeFailed || r.Stage != StageStage || !strings.Contains(r.Err.Error(), "refused") || !strings.Contains(r.Err.Error(), "jump nowhere") {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if got := h.sh("nft list tables"); got != "" {
		t.Errorf("tables: %s", got)
	}
	h.clean()
}

func TestRow28LoadThatFailsIsAReverted(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before := h.table()
	h.slowNFT(`case $* in *old.nft*) ;; *) echo "Error: Could not process rule" >&2; exit 1 ;; esac`)
	r := h.apply(h.candidate(rules(false, 443), time.Minute))
	// The words are those of the load that failed: the check had nothing to say against it.
	if r.Outcome != OutcomeReverted || r.Stage != StageApply || !strings.Contains(r.Err.Error(), "Could not process") {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.mendNFT()
	if got := h.table(); got != before {
		t.Errorf("rules:\n%s", got)
	}
	h.clean()
}

func TestGateHoldsAndStops(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	c := h.candidate(rules(false, 80), time.Minute)
	c.Gate = func(context.Context) error {
		if got := h.table(); got != "" {
			t.Errorf("applied before the gate opened:\n%s", got)
		}
		return errors.New("another host of the group is not ready")
	}
	if p, r := Begin(t.Context(), h.dial(), c); p != nil || r.Outcome != OutcomeFailed {
		t.Errorf("%s: %v", r.Outcome, r.Err)
	}
	h.until("dropped", 5*time.Second, func() bool { return h.state() == "reverted" })
	h.clean()
}

func TestRow13StrangeStateDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]string{
		"symlink":              "mkdir /tmp/x && ln -s /tmp/x /run/fwpush",
		"symlink to nowhere":   "ln -s /tmp/nowhere /run/fwpush",
		"another user":         "mkdir /run/fwpush && chown nobody /run/fwpush",
		"a file":               "echo x >/var/lib/fwpush",
		"symlink of the store": "mkdir /tmp/x && ln -s /tmp/x /var/lib/fwpush",
		"another user's store": "mkdir /var/lib/fwpush && chown nobody /var/lib/fwpush",
	} {
		t.Run(name, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			h.sh(harm)
			r := h.apply(h.candidate(rules(false, 80), time.Minute))
			if r.Outcome != OutcomeFailed || !strings.Contains(r.Err.Error(), "remove it") {
				t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			if h.table() != "" {
				t.Error("rules were loaded")
			}
			h.sh("rm -rf /run/fwpush /var/lib/fwpush") // as it is told to
			h.mustApply(h.candidate(rules(false, 80), time.Minute))
		})
	}
}
