package rollout

import (
	"strings"
	"sync/atomic"
	"testing"

	"fwpush/internal/simhost"
	"fwpush/internal/sshtest"
)

// slowTo keeps a host from saying a word until it is let.
func slowTo(f *simhost.Fleet, i int, word string) (asked, let chan struct{}) {
	asked, let = make(chan struct{}), make(chan struct{})
	f.Host(i).SetFaults(simhost.Faults{Lie: func(line string) string {
		if strings.HasPrefix(line, word) {
			close(asked)
			<-let
		}
		return line
	}})
	return asked, let
}

// knocked tells of the first connection to a host, and counts all.
func knocked(f *simhost.Fleet, i int) (first chan struct{}, count *atomic.Int32) {
	first, count = make(chan struct{}), new(atomic.Int32)
	faults := f.Host(i).Faults()
	faults.Connection = func(n int) sshtest.Fault {
		if count.Add(1) == 1 {
			close(first)
		}
		return sshtest.Fault{}
	}
	f.Host(i).SetFaults(faults)
	return first, count
}

// TestSomeOfTheNextGroupLogInEarly: while a group proves itself some hosts are connected
// to, nothing is asked of them, and their connection is the one that is used then.
func TestSomeOfTheNextGroupLogInEarly(t *testing.T) {
	f, targets := simulated(t, 8, 80)
	asked, let := slowTo(f, 1, "fresh")
	first, count := knocked(f, 4)
	_, none := knocked(f, 5)
	o := options(t, targets, Strategy{})
	o.Forks = 4
	go func() {
		<-asked
		<-first
		if h := f.Host(4); h.Counts().Execs != 0 || none.Load() != 0 {
			t.Errorf("before its turn: %d executions on %s, %d connections to the one after it", h.Counts().Execs, h.Name(), none.Load())
		}
		close(let)
	}()
	results := Apply(t.Context(), targets, o)
	expect(t, results, wholeFleet(8, "confirmed", nil))
	for _, r := range results {
		if r.Connections != 2 || r.Execs != 2 {
			t.Errorf("%s: %d connections, %d executions", r.Name, r.Connections, r.Execs)
		}
	}
	if count.Load() != 2 {
		t.Errorf("%d connections to %s", count.Load(), f.Host(4).Name())
	}
}

// TestTheNextGroupLogsInWhileTheGateWaits: its logins fill the time in which the last host of a group
// comes to the gate.
func TestTheNextGroupLogsInWhileTheGateWaits(t *testing.T) {
	f, targets := simulated(t, 16, 80)
	asked, let := slowTo(f, 1, "checked")
	first, count := knocked(f, 8)
	_, none := knocked(f, 9)
	o := options(t, targets, Strategy{})
	o.Forks = 8
	go func() {
		<-asked
		<-first
		if f.Host(8).Counts().Execs != 0 || none.Load() != 0 || f.Host(0).Running() != "" {
			t.Errorf("before the gate: %d executions, %d connections to the one after it, %q applied", f.Host(8).Counts().Execs, none.Load(), f.Host(0).Running())
		}
		close(let)
	}()
	expect(t, Apply(t.Context(), targets, o), wholeFleet(16, "confirmed", nil))
	if count.Load() != 2 {
		t.Errorf("%d connections to %s", count.Load(), f.Host(8).Name())
	}
}

// TestEarlyLoginOfAHostThatHasNoTurn: where the run stops it is closed, and counted.
func TestEarlyLoginOfAHostThatHasNoTurn(t *testing.T) {
	f, targets := simulated(t, 8, 80)
	asked, let := slowTo(f, 1, "fresh")
	first, _ := knocked(f, 4)
	f.Host(2).SetFaults(simhost.Faults{LockOut: simhost.Refuse})
	o := options(t, targets, Strategy{})
	o.Forks = 4
	go func() {
		<-asked
		<-first
		close(let)
	}()
	results := Apply(t.Context(), targets, o)
	for i, r := range results[4:] {
		want := 0
		if i == 0 {
			want = 1
		}
		if r.Outcome != OutcomeSkipped || r.Connections != want || r.Execs != 0 || f.Host(4+i).Running() != "" {
			t.Errorf("%s: %s, %d connections, %d executions", r.Name, r.Outcome, r.Connections, r.Execs)
		}
	}
}

// TestEarlyLoginThatFails is how that host ends, and nobody else.
func TestEarlyLoginThatFails(t *testing.T) {
	f, targets := simulated(t, 5, 80)
	f.Host(4).SetFaults(simhost.Faults{Unreachable: simhost.Refuse})
	o := options(t, targets, Strategy{})
	o.Forks = 4
	expect(t, Apply(t.Context(), targets, o), "web01 confirmed, web02 confirmed, web03 confirmed, web04 confirmed, web05 unreachable")
}
