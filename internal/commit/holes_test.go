package commit

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// The tests of this file are named after what went wrong in a prototype that
// had passed its own race and crash loops.

// slowNFT puts a wrapper in nft's place that runs a shell fragment before it
// loads (not before it checks or lists), with the arguments of nft at hand.
func (h *host) slowNFT(fragment string) {
	h.sh(`mv /usr/sbin/nft /usr/sbin/nft.real && cat >/usr/sbin/nft <<'X'
#!/bin/sh
case "$*" in
*-c*) ;;
-f*) ` + fragment + ` ;;
esac
exec /usr/sbin/nft.real "$@"
X
chmod 755 /usr/sbin/nft`)
}

func (h *host) mendNFT() { h.sh("mv -f /usr/sbin/nft.real /usr/sbin/nft") }

func TestRow29bHoleALoadThatHangsPastTheWindowNeverWins(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before := h.table()
	// The first load of something that is not the old rules stops itself, and
	// would go on long after the revert.
	h.slowNFT(`case $* in *old.nft*) ;; *) touch /run/hung; kill -STOP $$ ;; esac`)
	conn := h.dial()
	done := make(chan Result, 1)
	go func() {
		_, r := Begin(context.WithoutCancel(t.Context()), conn, h.candidate(rules(true, 443), 4*time.Second))
		done <- r
	}()
	h.until("the load hangs", 5*time.Second, func() bool {
		select {
		case r := <-done:
			t.Fatalf("nothing hung: %s at %s: %v", r.Outcome, r.Stage, r.Err)
		default:
		}
		return h.sh("ls /run/hung 2>/dev/null || true") != ""
	})
	h.until("the timer reverts", 8*time.Second, func() bool { return h.state() == "reverted" })
	h.sh("for p in /proc/[0-9]*; do case $(tr '\\0' ' ' <$p/cmdline 2>/dev/null) in *nft*kept*|*nft*boot.*) kill -CONT ${p#/proc/};; esac; done")
	<-done
	if got := h.table(); got != before {
		t.Errorf("the hung load came through after the revert:\n%s", got)
	}
	h.mendNFT()
	h.clean()
}

func TestHoleWhoWasToldTheSealCannotConfirm(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	p := h.begin(h.candidate(rules(false), 20*time.Second))
	told := h.dial()
	if _, _, err := ask(t.Context(), told, "tell", p.tx); err != nil {
		t.Fatal(err)
	}
	d, err := start(t.Context(), told, finishProgram(), "confirm", p.tx)
	if err != nil {
		t.Fatal(err)
	}
	d.hear(t.Context(), wordTime)
	d.say(t.Context(), p.nonce, p.seal)
	if word, rest, _ := d.hear(t.Context(), wordTime); word != "refused" {
		t.Errorf("may confirm: %q %q", word, rest)
	}
	// The answer to apply was lost: the way is one more connection to learn
	// the seal, and another one to confirm.
	p.seal, p.nonce = "", ""
	if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
		t.Errorf("%s: %v", r.Outcome, r.Err)
	}
}

// dialogue runs a program at the host's console, as if from a connection, with
// all words said at once after its first line.
func (h *host) dialogue(text, connection, words string, args ...string) string {
	h.t.Helper()
	argv := append([]string{"sh", "-s", "--", connection, "MARK"}, args...)
	cmd := h.Command(h.t.Context(), argv...)
	in, err := cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	go func() {
		defer in.Close()
		fmt.Fprint(in, oneLine(text))
		h.until("the program has read its line", 5*time.Second, func() bool { return true })
		time.Sleep(300 * time.Millisecond) // the shell reads its input in blocks until it evaluates the line
		fmt.Fprintln(in, words)
	}()
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func TestRow48cHoleStrangersKnockingChangeNothing(t *testing.T) {
	working(t)
	// An open port with a dynamic set: every stranger who knocks changes what
	// nft lists.
	knocked := func(port int) string {
		return strings.Replace(rules(false, port).Text, "\tchain input {\n",
			"\tset d_web {\n\t\ttype ipv4_addr\n\t\tsize 65535\n\t\tflags dynamic,timeout\n\t\ttimeout 2m\n\t}\n\tchain input {\n", 1)
	}
	with := func(port int) string {
		return strings.Replace(knocked(port), fmt.Sprintf("tcp dport %d accept", port),
			fmt.Sprintf("tcp dport %d ct state new update @d_web { ip saddr } accept", port), 1)
	}
	h := newHost(t, lab.HostOptions{})
	stranger := newHost(t, lab.HostOptions{Name: "stranger"})
	knock := func(stop <-chan struct{}) {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				stranger.Exec(context.Background(), "", "sh", "-c", fmt.Sprintf(
					"ip address add 10.99.251.%d/16 dev eth0 2>/dev/null; timeout 0.2 bash -c 'echo >/dev/tcp/%s/80'", i%250+1, h.Addr4()))
			}
		}
	}
	stop := make(chan struct{})
	go knock(stop)
	defer close(stop)

	if r := h.mustApply(h.candidate(ruleset(with(80)), time.Minute)); r.Err != nil {
		t.Error(r.Err)
	}
	h.until("somebody knocked", 10*time.Second, func() bool { return strings.Contains(h.table(), "elements") })
	if r := h.mustApply(h.candidate(ruleset(strings.Replace(with(80), "dport { 22, 2222 }", "dport { 22, 2222, 2022 }", 1)), time.Minute)); r.Err != nil {
		t.Error(r.Err)
	}
	p := h.begin(h.candidate(ruleset(strings.Replace(with(80), "dport { 22, 2222 }", "dport 22", 1)), 3*time.Second))
	p.hangUp()
	h.until("the old rules are back", 6*time.Second, func() bool { return h.state() == "reverted" })
	if got := h.sh("cat /var/lib/fwpush/history | tail -1"); !strings.Contains(got, " reverted ") {
		t.Errorf("history: %s", got)
	}
	if !strings.Contains(h.table(), "2022") {
		t.Errorf("not the old rules:\n%s", h.table())
	}
	_, r := Begin(t.Context(), h.dial(), h.candidate(ruleset(strings.Replace(with(80), "dport { 22, 2222 }", "dport { 22, 2222, 2022 }", 1)), time.Minute))
	if r.Outcome != OutcomeUnchanged {
		t.Errorf("a set that strangers changed is no drift: %s %v", r.Outcome, r.Err)
	}
}

// abandon leaves a transaction in a state whose owner is dead and whose timers
// are gone, as a crash at that moment would.
func (h *host) abandon(p *Pending, state string) {
	h.t.Helper()
	p.hangUp()
	h.sh(`set -e; cd /run/fwpush/tx/` + p.tx + `
gone=''
while read -r kind a b; do case $kind in process) kill $a; gone="$gone $a";; at) atrm $a || ! atq | grep -q "^$a	" || atrm $a;; esac; done <timers
for a in $gone; do while kill -0 $a 2>/dev/null; do sleep 0.01; done; done
cd /run/fwpush; IFS=.; set -- S.*; f=$1; set -- $f; unset IFS; mv "S.$2.$3.$4.$5.$6" "S.$2.` + state + `.$4.999999.1"`)
}

func TestHoleAStuckDecisionIsFinishedByTheNextRun(t *testing.T) {
	t.Parallel()
	t.Run("confirming", func(t *testing.T) {
		working(t)
		h := newHost(t, lab.HostOptions{})
		stuck := rules(false, 80)
		h.abandon(h.begin(h.candidate(stuck, time.Minute)), "confirming")
		if r := h.apply(h.candidate(stuck, time.Minute)); r.Outcome != OutcomeUnchanged {
			t.Errorf("the decision was to confirm: %s at %s: %v", r.Outcome, r.Stage, r.Err)
		}
		if got := h.sh("cat /var/lib/fwpush/boot.nft"); got+"\n" != stuck.Text {
			t.Errorf("boot file:\n%s", got)
		}
		h.clean()
	})
	t.Run("reverting", func(t *testing.T) {
		working(t)
		h := newHost(t, lab.HostOptions{})
		h.mustApply(h.candidate(rules(false, 80), time.Minute))
		before := h.table()
		h.abandon(h.begin(h.candidate(rules(false, 443), time.Minute)), "reverting")
		_, r := Begin(t.Context(), h.dial(), Candidate{Judge: func(f Facts) Verdict {
			if f.Running != before+"\n" {
				t.Errorf("facts were told before the revert was finished:\n%s", f.Running)
			}
			return Verdict{Act: Unchanged}
		}})
		if r.Outcome != OutcomeUnchanged || h.state() != "reverted" {
			t.Errorf("%s, state %s: %v", r.Outcome, h.state(), r.Err)
		}
		h.clean()
	})
	for _, state := range []string{"staged", "armed"} {
		t.Run(state, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			p := h.begin(h.candidate(rules(false, 80), time.Minute))
			h.abandon(p, state)
			// The rules of this test were applied; what counts is that the
			// next run takes the host over at once.
			h.mustApply(h.candidate(rules(false, 443), time.Minute))
			h.clean()
		})
	}
	t.Run("applied past its deadline", func(t *testing.T) {
		working(t)
		h := newHost(t, lab.HostOptions{})
		before := h.table()
		h.abandon(h.begin(h.candidate(rules(false, 80), 2*time.Second)), "applied")
		time.Sleep(2100 * time.Millisecond) // the deadline of a host without timers
		Begin(t.Context(), h.dial(), Candidate{Judge: func(f Facts) Verdict {
			if strings.TrimSpace(f.Running) != before {
				t.Errorf("an expired candidate still runs:\n%s", f.Running)
			}
			return Verdict{Act: Unchanged}
		}})
		h.clean()
	})
}

func TestHoleAtInTheHourOfAClockChange(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	// A time zone whose clocks are put back an hour half an hour from now, and
	// one where they were half an hour ago: local time is ambiguous in both.
	for _, offset := range []string{"30 minutes", "-30 minutes"} {
		h.sh(`set -e
at=$(date -u -d '` + offset + `' '+%m %d %H:%M'); set -- $at
months="x Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"; m=${1#0}; set -- $at $months; shift 3; shift $m
month=$1; set -- $at
cat >/tmp/zone <<Z
Rule Lab 2000 only - Jan 1 0:00 1:00 D
Rule Lab $(date -u +%Y) only - $month ${2#0} ${3}u 0 S
Zone Lab/Zone 0:00 Lab L%sT
Z
zic -d /tmp/zones /tmp/zone; ln -sf /tmp/zones/Lab/Zone /etc/localtime
pkill atd; for i in 1 2 3; do pgrep -x atd >/dev/null || break; sleep 0.1; done; atd`)
		p := h.begin(h.candidate(rules(false, 80), 3*time.Minute))
		due := h.sh(`set -- $(ls /var/spool/cron/atjobs | grep ^a); f=$1; m=${f#a?????}; echo $(( 0x$m * 60 - $(date +%s) ))`)
		var seconds int
		fmt.Sscan(due, &seconds)
		if seconds < 180 || seconds > 300 {
			t.Errorf("zone change in %s: the job is due in %d s, want 180 to 300", offset, seconds)
		}
		if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
			t.Errorf("%s: %v", r.Outcome, r.Err)
		}
		h.sh("rm -f /var/lib/fwpush/boot.nft")
	}
}
