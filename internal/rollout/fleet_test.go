package rollout

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fwpush/internal/commit"
	"fwpush/transport"
)

func TestFleetWithADeadHost(t *testing.T) {
	const n = 12
	hosts := labHosts(t, n)
	if err := hosts[3].LinkDown(t.Context()); err != nil {
		t.Fatal(err)
	}
	dead := map[string]string{"web04": "unreachable"}
	targets := labTargets(t, hosts, 80)
	targets[3].Host.SSH.ConnectTimeout = time.Second
	o := Options{Dialer: dialer(), Forks: 3}

	steps := map[string][]string{}
	o.Event = func(e Event) {
		steps[e.Host] = append(steps[e.Host], string(e.Step))
		if e.Step == StepApplied && time.Until(e.Deadline) < 20*time.Second {
			t.Errorf("%s is told to revert at %s, within a window of 30 s", e.Host, e.Deadline)
		}
		if e.Step == StepEnded && e.Host != "web04" && (e.Result.Facts == nil || e.Result.Facts.Hostname != e.Host) {
			t.Errorf("%s ended without its facts", e.Host)
		}
	}
	results := Apply(t.Context(), targets, o)
	expect(t, results, wholeFleet(n, "confirmed", dead))
	if got := ExitLine(results); got != "exit 4: 1 host unreachable: web04" {
		t.Errorf("last line %q", got)
	}
	for i, r := range results {
		want, way := 2, "connecting ready checked applied proved ended"
		if r.Name == "web04" {
			want, way = 0, "connecting ended"
		} else if !strings.Contains(table(t, hosts[i]), "tcp dport 80") {
			t.Errorf("%s does not run the candidate:\n%s", r.Name, table(t, hosts[i]))
		}
		if r.Connections != want || r.Execs != want {
			t.Errorf("%s: %d connections and %d executions, want %d of each", r.Name, r.Connections, r.Execs, want)
		}
		if got := strings.Join(steps[r.Name], " "); got != way {
			t.Errorf("%s went %q, want %q", r.Name, got, way)
		}
		if r.Facts != nil {
			t.Errorf("%s: its facts are kept", r.Name)
		}
		if r.Previous != "" || r.Digest != targets[i].Candidate.Rules.Digest {
			t.Errorf("%s: from %q to %q", r.Name, r.Previous, r.Digest)
		}
	}

	o.Event = nil
	results = Apply(t.Context(), targets, o)
	expect(t, results, wholeFleet(n, "unchanged", dead))
	for _, r := range results {
		if r.Name != "web04" && (r.Connections != 1 || r.Execs != 1 || r.Previous != r.Digest) {
			t.Errorf("unchanged %s: %d connections, %d executions, from %q", r.Name, r.Connections, r.Execs, r.Previous)
		}
	}

	await(t, "no connection is left open", 5*time.Second, func() bool {
		return sh(t, hosts[0], "ps ax -o args | grep '^sshd.*[n]otty' || true") == ""
	})

	before := sh(t, hosts[0], "ls -lR /run/fwpush /var/lib/fwpush; atq")
	for _, seen := range Inspect(t.Context(), targets, o) {
		switch {
		case seen.Name == "web04":
			if seen.Outcome != commit.OutcomeUnreachable || seen.Facts != nil {
				t.Errorf("web04 is %q", seen.Outcome)
			}
		case seen.Facts == nil || seen.Outcome != "" || !seen.Facts.Runs(targets[0].Candidate.Rules.Text):
			t.Errorf("%s tells no facts: %s %v", seen.Name, seen.Outcome, seen.Err)
		case seen.Connections != 1 || seen.Execs != 1:
			t.Errorf("%s: %d connections and %d executions, want one of each", seen.Name, seen.Connections, seen.Execs)
		}
	}
	if after := sh(t, hosts[0], "ls -lR /run/fwpush /var/lib/fwpush; atq"); after != before {
		t.Errorf("inspect changed the host:\n%s\nbefore\n%s", after, before)
	}

	for i := range targets {
		targets[i].Candidate.Remove = true
	}
	expect(t, Apply(t.Context(), targets, o), wholeFleet(n, "confirmed", dead))
	if got := table(t, hosts[0]); got != "" {
		t.Errorf("rules after remove:\n%s", got)
	}
	expect(t, Apply(t.Context(), targets, o), wholeFleet(n, "unchanged", dead))
}

func TestHostThatIsNotOursIsLeftAlone(t *testing.T) {
	hosts := labHosts(t, 2)
	targets := labTargets(t, hosts, 80)
	theirs := slices.Clone(targets)
	for i := range theirs {
		theirs[i].Candidate.Stamp.Fleet = "prod"
	}
	o := Options{Dialer: dialer(), Forks: 2, Strategy: eachForItself()}
	expect(t, Apply(t.Context(), theirs[:1], o), "web01 confirmed")
	before := table(t, hosts[0])

	results := Apply(t.Context(), labTargets(t, hosts, 443), o)
	expect(t, results, "web01 failed, web02 confirmed")
	if r := results[0]; r.Stage != commit.StageInspect || !strings.Contains(r.Err.Error(), `fleet "prod", confirmed 2`) {
		t.Errorf("at %q: %v", r.Stage, r.Err)
	}
	if got := table(t, hosts[0]); got != before {
		t.Errorf("its rules were changed:\n%s", got)
	}
	o.Accept.TakeOver = true
	expect(t, Apply(t.Context(), labTargets(t, hosts, 443), o), "web01 confirmed, web02 unchanged")
	o.Accept.TakeOver = false
	expect(t, Apply(t.Context(), labTargets(t, hosts, 443), o), "web01 unchanged, web02 unchanged")
}

func TestOnlineProofRefusesALockOut(t *testing.T) {
	hosts := labHosts(t, 2)
	targets := labTargets(t, hosts, 80)
	for i, h := range hosts {
		ssh := targets[i].Host.SSH
		targets[i] = target(t, policy(h.Name(), world.Addr4().Next(), 80)) // another machine's address
		targets[i].Host.SSH, targets[i].Candidate.Window = ssh, 15*time.Second
	}
	o := Options{Dialer: dialer(), Forks: 2}
	results := Apply(t.Context(), targets, o)
	expect(t, results, "web01 failed, web02 failed")
	if got := ExitLine(results); got != "exit 2: 2 hosts refused by the lock-out proof, no host was changed: web[01-02]" {
		t.Errorf("last line %q", got)
	}
	if want := "would lock out " + world.Addr4().String() + " → 22"; results[0].Err.Error() != want {
		t.Errorf("error %q, want %q", results[0].Err, want)
	}
	if got := sh(t, hosts[0], "nft list ruleset; atq; ls /run/fwpush /var/lib/fwpush 2>/dev/null || true"); got != "" {
		t.Errorf("a refused host was touched:\n%s", got)
	}

	o.Accept.LoseSSH = true
	results = Apply(t.Context(), targets[:1], o)
	expect(t, results, "web01 reverted")
	if code := ExitCode(results); code != 3 {
		t.Errorf("exit %d, want 3", code)
	}
	if got := table(t, hosts[0]); got != "" {
		t.Errorf("the host did not heal:\n%s", got)
	}
}

func TestConfirmAndRevertOfAPendingRun(t *testing.T) {
	const mine, other = "20260102T030405Z-0000000a", "20260102T030405Z-0000000b"
	hosts := labHosts(t, 3)
	targets := labTargets(t, hosts, 80)
	for i := range targets {
		targets[i].Candidate.Window = 5 * time.Minute
		targets[i].Candidate.Stamp.Run = mine
	}
	targets[1].Candidate.Stamp.Run = other
	o := Options{Dialer: dialer(), Forks: 3}
	begin(t, targets[0])
	begin(t, targets[1])

	expect(t, Apply(t.Context(), targets, o), "web01 locked, web02 locked, web03 confirmed")

	results := ConfirmRun(t.Context(), targets[:2], mine, o)
	expect(t, results, "web01 confirmed, web02 skipped")
	if code := ExitCode(results); code != 0 {
		t.Errorf("exit %d, want 0", code)
	}
	expect(t, ConfirmRun(t.Context(), targets[:2], mine, o), "web01 confirmed, web02 skipped")
	if !strings.Contains(sh(t, hosts[0], "cat /var/lib/fwpush/boot.nft"), "dport 80") {
		t.Error("what is confirmed was not made to last")
	}

	expect(t, RevertRun(t.Context(), targets, other, o), "web01 skipped, web02 reverted, web03 skipped")
	if got := table(t, hosts[1]); got != "" {
		t.Errorf("rules after the revert:\n%s", got)
	}
	expect(t, RevertRun(t.Context(), targets[1:2], other, o), "web02 reverted") // and again
	results = ConfirmRun(t.Context(), targets[1:2], other, o)
	expect(t, results, "web02 reverted")
	if code := ExitCode(results); code != 3 {
		t.Errorf("confirm after the revert: exit %d, want 3", code)
	}
	results = RevertRun(t.Context(), targets, mine, o)
	expect(t, results, "web01 confirmed, web02 skipped, web03 confirmed")
	if got := ExitLine(results); got != "exit 3: 2 hosts confirmed already: web[01,03]" {
		t.Errorf("last line %q", got)
	}
	if left := sh(t, hosts[1], "atq"); left != "" {
		t.Errorf("jobs left: %s", left)
	}
}

// holdingDialer keeps the way back in closed until it is told.
type holdingDialer struct {
	*transport.Dialer
	open   chan struct{}
	redial func()
}

func (d holdingDialer) Redial(ctx context.Context, t transport.Target) (*transport.Conn, error) {
	d.redial()
	<-d.open
	return d.Dialer.Redial(ctx, t)
}

func TestUnwindTakesBackWhatIsNotConfirmed(t *testing.T) {
	hosts := labHosts(t, 1)
	unwind := make(chan struct{})
	var once sync.Once
	o := Options{Forks: 1, Unwind: unwind, Dialer: holdingDialer{dialer(), unwind, func() { once.Do(func() { close(unwind) }) }}}
	results := Apply(t.Context(), labTargets(t, hosts, 80), o)
	expect(t, results, "web01 reverted")
	if got := ExitLine(results); got != "exit 130: 1 host reverted by the interrupt: web01" {
		t.Errorf("last line %q", got)
	}
	if got := table(t, hosts[0]); got != "" {
		t.Errorf("rules after the unwinding:\n%s", got)
	}
}

func TestPanicBetweenApplyAndConfirmLeavesTheHostToItsTimers(t *testing.T) {
	hosts := labHosts(t, 2)
	targets := labTargets(t, hosts, 80)
	for i := range targets {
		targets[i].Candidate.Window = 5 * time.Second
	}
	d := dialer()
	o := Options{Forks: 2, Dialer: holdingDialer{d, closed(), func() { panic("the way back in is gone") }}}
	results := Apply(t.Context(), targets[:1], o)
	expect(t, results, "web01 unknown")
	if err := results[0].Err; err == nil || !strings.Contains(err.Error(), "fleet_test.go:") {
		t.Errorf("error %v", err)
	}
	await(t, "the host heals itself", 20*time.Second, func() bool { return table(t, hosts[0]) == "" })
	expect(t, Apply(t.Context(), targets, Options{Forks: 2, Dialer: d}), "web01 confirmed, web02 confirmed")
}

// One whose worker fails once is looked at until the host says how it ended.
func TestPanicAfterApplyIsWatchedToItsEnd(t *testing.T) {
	hosts := labHosts(t, 1)
	targets := labTargets(t, hosts, 80)
	targets[0].Candidate.Window = 3 * time.Second
	var once sync.Once
	o := Options{Forks: 1, Dialer: holdingDialer{dialer(), closed(), func() { once.Do(func() { panic("the way back in is gone") }) }}}
	results := Apply(t.Context(), targets, o)
	expect(t, results, "web01 reverted")
	if err := results[0].Err; err == nil || !strings.Contains(err.Error(), "bug in fwpush") {
		t.Errorf("error %v", err)
	}
	if got := table(t, hosts[0]); got != "" {
		t.Errorf("rules:\n%s", got)
	}
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func TestRunWithoutAWayInSaysWhy(t *testing.T) {
	hosts := labHosts(t, 1)
	targets := labTargets(t, hosts, 80)
	targets[0].Host.SSH.User = "nobody"
	results := Apply(t.Context(), targets, Options{Forks: 1, Dialer: dialer()})
	expect(t, results, "web01 unreachable")
	var auth *transport.AuthError
	if r := results[0]; !errors.As(r.Err, &auth) || r.Hint == "" || r.Connections != 1 || r.Execs != 0 {
		t.Errorf("%d connections, %d executions, %v, hint %q", r.Connections, r.Execs, r.Err, r.Hint)
	}
}
