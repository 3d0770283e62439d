package simhost

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"fwpush/internal/commit"
	"fwpush/transport"
)

// on is a subject for the i-th host of a fleet.
func on(t *testing.T, f *Fleet, i int) *subject {
	return &subject{t: t, endpoint: f.Endpoint(i), dialer: transport.New(transport.Options{}), from: f.Controller().String(),
		lockOut: func() bool { return false }}
}

// TestUntouched: what only looks writes nothing, and an unchanged host costs one
// connection; a change is counted.
func TestUntouched(t *testing.T) {
	f := New(t, 2, Options{})
	s := on(t, f, 0)
	rs := s.rules(false, 80)
	s.facts()
	if got, want := f.Host(0).Counts(), (Counts{Connections: 1, Execs: 1}); got != want {
		t.Errorf("after a look: %+v, want %+v", got, want)
	}
	s.apply(s.candidate(1, rs, 30*time.Second))
	before := f.Host(0).Counts()
	if before.Connections != 3 || before.Execs != 3 || before.Writes == 0 {
		t.Errorf("after a commit: %+v", before)
	}
	s.apply(s.candidate(2, rs, 30*time.Second))
	if got, want := f.Host(0).Counts(), (Counts{before.Connections + 1, before.Execs + 1, before.Writes}); got != want {
		t.Errorf("unchanged: %+v, want %+v", got, want)
	}
	if text, n := f.Host(0).Confirmed(); text != rs.Text || n != 1 || f.Host(0).State() != "confirmed" {
		t.Errorf("generation %d, %s", n, f.Host(0).State())
	}
	if got := f.Host(1).Counts(); got != (Counts{}) || f.Writes() != before.Writes {
		t.Errorf("the other host: %+v", got)
	}
}

// TestFaults has a host fail in the ways that a test may ask for.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults Faults
		want   string // end of the story
		writes bool
	}{
		// A connection that is cut at once is what a full sshd does, and tried again.
		{"nobody answers", Faults{Unreachable: Refuse}, "dial", false},
		{"the key is not taken", Faults{Unreachable: Deny}, "dial", false},
		{"the check refuses", Faults{Refuse: "no such set"}, `failed at "stage": new rules refused: no such set ()`, true},
		{"the load fails", Faults{Fail: "no memory"}, `reverted at "apply": load failed (status X): no memory ()`, true},
		{"it lies of its owner", Faults{Lie: func(l string) string { return strings.Replace(l, "proto 1", "proto 7", 1) }},
			`failed at "inspect": the host speaks protocol 7, this fwpush 1 (use the same version of fwpush everywhere)`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := New(t, 1, Options{Systemd: true})
			f.Host(0).SetFaults(tt.faults)
			s := on(t, f, 0)
			conn, err := s.dialer.Dial(t.Context(), s.endpoint)
			if tt.want == "dial" {
				if err == nil {
					t.Fatal("it let us in")
				}
			} else {
				if err != nil {
					t.Fatal(err)
				}
				_, r := commit.Begin(t.Context(), conn, s.candidate(1, s.rules(false, 80), 30*time.Second))
				s.ended("begin", r)
				if got := strings.ReplaceAll(s.story[0], "status 1", "status X"); !strings.HasSuffix(got, tt.want) {
					t.Errorf("%s\nwant %s", got, tt.want)
				}
			}
			f.Host(0).SetFaults(Faults{})
			connections := 1
			if tt.faults.Unreachable == Refuse {
				connections = 4
			}
			if c := f.Host(0).Counts(); c.Connections != connections || (c.Writes > 0) != tt.writes {
				t.Errorf("%+v, want %d connections", c, connections)
			}
			if facts := s.facts(); facts.Pending != nil || facts.Running != "" || facts.Unit != "absent" {
				t.Errorf("something is left: %+v", facts)
			}
		})
	}
}

// TestHeld: a host that another run holds is locked until that one takes itself back.
func TestHeld(t *testing.T) {
	f := New(t, 1, Options{})
	h, s := f.Host(0), on(t, f, 0)
	s.apply(s.candidate(1, s.rules(false, 80), 30*time.Second))
	h.Hold("20260102T030405Z-0000000f", "somebody", 2*time.Second)
	s.begin(s.candidate(2, s.rules(false, 443), 30*time.Second))
	if got := s.story[len(s.story)-1]; got != "holder: applied X-0000000f somebody" {
		t.Error(got)
	}
	if err := h.Await(t.Context(), "reverted"); err != nil {
		t.Fatal(err)
	}
	s.apply(s.candidate(3, s.rules(false, 443), 30*time.Second))
	if _, n := h.Confirmed(); n != 2 {
		t.Errorf("generation %d", n)
	}
}

// TestStrange: a host answers to nothing but the programs of this version.
func TestStrange(t *testing.T) {
	f := New(t, 1, Options{})
	s := on(t, f, 0)
	for _, tt := range []struct{ command, program string }{
		{"uname -a", ""},
		{`sh -s -- "$SSH_CONNECTION" ` + draw() + " auto none coexist", "echo hello\n"},
		{`sh -s -- $SSH_CONNECTION ` + draw() + " auto none coexist", commit.HostTexts().Inspect},
		{`sh -s -- "$SSH_CONNECTION" ` + draw() + " auto", commit.HostTexts().Inspect},
		{`sh -s -- "$SSH_CONNECTION" ` + draw() + " auto $(reboot)", commit.HostTexts().Inspect},
	} {
		x, err := s.dial().Start(t.Context(), tt.command)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = x.Write([]byte(tt.program)) // it may have ended already
		_ = x.CloseWrite()
		var exit *transport.ExitError
		if err := x.Wait(t.Context()); !errors.As(err, &exit) || exit.Status != 127 {
			t.Errorf("%s: %v", tt.command, err)
		}
	}
}

// TestThousand asks as many hosts at once as a large fleet has forks.
func TestThousand(t *testing.T) {
	const n = 1000
	f := New(t, n, Options{})
	dialer := transport.New(transport.Options{})
	began := time.Now()
	var group sync.WaitGroup
	slots := make(chan struct{}, 50)
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			conn, err := dialer.Dial(t.Context(), f.Endpoint(i))
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if facts, r := commit.Inspect(t.Context(), conn, "", commit.ModeCoexist, ""); r.Err != nil || facts.Hostname != f.Host(i).Name() {
				t.Errorf("%s: %v", f.Host(i).Name(), r.Err)
			}
		})
	}
	group.Wait()
	t.Logf("%d hosts in %s", n, time.Since(began))
	if f.Connections() != n || f.Writes() != 0 {
		t.Errorf("%d connections, %d writes", f.Connections(), f.Writes())
	}
}
