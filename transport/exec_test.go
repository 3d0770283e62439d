package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"fwpush/internal/sshtest"
)

// A dialogue: words both ways on one execution, with stdin left open until the
// last.
func TestDialogue(t *testing.T) {
	f := newFixture(t, sshtest.Config{Handler: func(x *sshtest.Exec) sshtest.Exit {
		fmt.Fprintf(x.Stdout, "hello %s\n", x.Command)
		buf := make([]byte, 3)
		io.ReadFull(x.Stdin, buf)
		fmt.Fprintf(x.Stdout, "got %s\r\n\n", buf)
		fmt.Fprint(x.Stderr, "complaint")
		rest, _ := io.ReadAll(x.Stdin)
		fmt.Fprintf(x.Stdout, "%d more\n", len(rest))
		return sshtest.Exit{Status: 3}
	}}, Options{})
	x := start(t, f.dial(t), `sh -s -- "$SSH_CONNECTION"`)
	ctx := t.Context()
	var got []string
	line := func() {
		l, err := x.ReadLine(ctx)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, l)
	}
	line()
	if _, err := io.WriteString(x, "abc"); err != nil {
		t.Fatal(err)
	}
	line()
	line()
	if _, err := x.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := x.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	line()
	want := []string{`hello sh -s -- "$SSH_CONNECTION"`, "got abc\r", "", "1048576 more"}
	if !slices.Equal(got, want) {
		t.Errorf("lines %q, want %q", got, want)
	}
	for range 2 {
		if l, err := x.ReadLine(ctx); err != io.EOF {
			t.Errorf("after the last line: %q, %v", l, err)
		}
	}
	err := x.Wait(ctx)
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Status != 3 || exit.Stderr != "complaint" {
		t.Fatalf("got %v", err)
	}
	if want := fmt.Sprintf("web1 (%s): remote command: exit status 3: complaint", f.Addr()); err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	if x.Stderr() != "complaint" {
		t.Errorf("stderr %q", x.Stderr())
	}
}

func TestExits(t *testing.T) {
	tests := []struct {
		name  string
		exit  sshtest.Exit
		check func(error) bool
	}{
		{"0", sshtest.Exit{}, func(err error) bool { return err == nil }},
		{"1", sshtest.Exit{Status: 1}, func(err error) bool {
			var e *ExitError
			return errors.As(err, &e) && e.Status == 1 && e.Signal == ""
		}},
		{"255", sshtest.Exit{Status: 255}, func(err error) bool {
			var e *ExitError
			return errors.As(err, &e) && e.Status == 255
		}},
		{"signal", sshtest.Exit{Signal: "KILL"}, func(err error) bool {
			var e *ExitError
			return errors.As(err, &e) && e.Signal == "KILL" && strings.Contains(err.Error(), "killed by signal KILL")
		}},
		{"hostile signal", sshtest.Exit{Signal: "\x1b[2J"}, func(err error) bool {
			return err != nil && strings.Contains(err.Error(), `killed by signal \x1b[2J`)
		}},
		// A session that ends without a word is no success, nor is one whose
		// output may not have arrived in full.
		{"cut after the status", sshtest.Exit{Cut: true}, func(err error) bool {
			var e *LostError
			return errors.As(err, &e)
		}},
		{"mute", sshtest.Exit{Mute: true}, func(err error) bool {
			var e *LostError
			return errors.As(err, &e)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, sshtest.Config{Handler: func(*sshtest.Exec) sshtest.Exit { return tt.exit }}, Options{})
			x := start(t, f.dial(t), "true")
			if err := x.Wait(t.Context()); !tt.check(err) {
				t.Errorf("Wait: %v", err)
			}
			_, err := x.ReadLine(t.Context())
			if tt.exit.Mute || tt.exit.Cut {
				if !tt.check(err) {
					t.Errorf("ReadLine: %v", err)
				}
			} else if err != io.EOF {
				t.Errorf("ReadLine: %v", err)
			}
		})
	}
}

// Faults between login and the command: bounded by the endpoint's time, and the
// error tells whether the command can have run.
func TestStartFaults(t *testing.T) {
	refused := func(stage string) func(error) bool {
		return func(err error) bool {
			var e *DialError
			return errors.As(err, &e) && e.Kind == DialRefused && e.Stage == stage
		}
	}
	lost := func(doing string) func(error) bool {
		return func(err error) bool {
			var e *LostError
			return errors.As(err, &e) && e.Doing == doing
		}
	}
	tests := []struct {
		name  string
		fault sshtest.Fault
		check func(error) bool
	}{
		{"session hangs", sshtest.Fault{At: sshtest.Session, Do: sshtest.Hang}, lost("opening a session")},
		{"session drops", sshtest.Fault{At: sshtest.Session, Do: sshtest.Drop}, lost("opening a session")},
		{"session refused", sshtest.Fault{At: sshtest.Session, Do: sshtest.Refuse}, refused(stageSession)},
		{"command hangs", sshtest.Fault{At: sshtest.Command, Do: sshtest.Hang}, lost("starting a command")},
		{"command drops", sshtest.Fault{At: sshtest.Command, Do: sshtest.Drop}, lost("starting a command")},
		{"command refused", sshtest.Fault{At: sshtest.Command, Do: sshtest.Refuse}, refused(stageExec)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, sshtest.Config{Fault: func(int) sshtest.Fault { return tt.fault }}, Options{})
			conn := f.dial(t)
			within(t, soon+slack, "Start", func() {
				_, err := conn.Start(t.Context(), "true")
				if !tt.check(err) {
					t.Errorf("got %v", err)
				}
				if !strings.HasPrefix(fmt.Sprint(err), "web1 ("+f.Addr().String()+"): ") {
					t.Errorf("message %q names no host and address", err)
				}
			})
		})
	}
}

// Whatever the host does while a command runs, reading, waiting and closing come
// back, and an end without an exit status is never taken for a success.
func TestRunningFaults(t *testing.T) {
	forever := func(x *sshtest.Exec) sshtest.Exit { <-x.Context().Done(); return sshtest.Exit{} }
	tests := []struct {
		name    string
		fault   sshtest.Fault
		handler sshtest.Handler
	}{
		{"drops after half a line", sshtest.Fault{}, func(x *sshtest.Exec) sshtest.Exit {
			io.WriteString(x.Stdout, "one\nfresh 1")
			x.Drop()
			return forever(x)
		}},
		{"deaf and mute", sshtest.Fault{}, func(x *sshtest.Exec) sshtest.Exit {
			io.WriteString(x.Stdout, "one\n")
			x.Stall()
			return forever(x)
		}},
		{"ends but never says how", sshtest.Fault{At: sshtest.Ending, Do: sshtest.Drop}, func(x *sshtest.Exec) sshtest.Exit {
			io.WriteString(x.Stdout, "one\n")
			return sshtest.Exit{}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, sshtest.Config{Handler: tt.handler, Fault: func(int) sshtest.Fault { return tt.fault }},
				Options{KeepAlive: 300 * time.Millisecond})
			conn := f.dial(t)
			x := start(t, conn, "true")
			if line, err := x.ReadLine(t.Context()); line != "one" || err != nil {
				t.Fatalf("first line: %q, %v", line, err)
			}
			within(t, 3*300*time.Millisecond+slack, "the end", func() {
				var lost *LostError
				if line, err := x.ReadLine(t.Context()); line != "" || !errors.As(err, &lost) {
					t.Errorf("ReadLine: %q, %v", line, err)
				}
				if err := x.Wait(t.Context()); !errors.As(err, &lost) {
					t.Errorf("Wait: %v", err)
				}
				if _, err := x.Write(make([]byte, 1)); !errors.As(err, &lost) && !errors.Is(err, io.ErrClosedPipe) {
					t.Errorf("Write: %v", err)
				}
				x.Close()
				conn.Close()
			})
		})
	}
}

// A command that ends while it is still being sent to, as sudo does that wants a password,
// is one that ended, and no connection that was lost.
func TestWriteToACommandThatEnds(t *testing.T) {
	f := newFixture(t, sshtest.Config{Handler: func(x *sshtest.Exec) sshtest.Exit {
		io.WriteString(x.Stderr, "sudo: a password is required\n")
		return sshtest.Exit{Status: 1}
	}}, Options{})
	conn := f.dial(t)
	for range 100 {
		x := start(t, conn, "sudo")
		var err error
		for err == nil {
			_, err = x.Write(make([]byte, 10<<10))
		}
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Fatal(err)
		}
	}
}

// A keepalive that a live host answers keeps a silent command going.
func TestKeepAliveKeeps(t *testing.T) {
	release := make(chan struct{})
	f := newFixture(t, sshtest.Config{Handler: func(x *sshtest.Exec) sshtest.Exit {
		select {
		case <-release:
		case <-x.Context().Done():
		}
		return sshtest.Exit{}
	}}, Options{KeepAlive: 100 * time.Millisecond})
	x := start(t, f.dial(t), "sleep")
	if _, err := x.ReadLine(shortly(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	timer := time.NewTimer(time.Second) // ten intervals, three would be the end
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-x.over:
		t.Fatalf("ended: %v", x.result)
	}
	close(release)
	if err := x.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

// A deadline that ends while waiting for a line or the end takes nothing away.
func TestReadLineTimeoutLeavesTheExecUsable(t *testing.T) {
	release := make(chan struct{})
	f := newFixture(t, sshtest.Config{Handler: func(x *sshtest.Exec) sshtest.Exit {
		io.WriteString(x.Stdout, "first")
		<-release
		io.WriteString(x.Stdout, " line\n")
		return sshtest.Exit{}
	}}, Options{})
	x := start(t, f.dial(t), "slow")
	within(t, slack, "ReadLine", func() {
		_, err := x.ReadLine(shortly(t))
		var lost *LostError
		if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &lost) {
			t.Errorf("got %v", err)
		}
		if err := x.Wait(shortly(t)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v", err)
		}
	})
	close(release)
	if line, err := x.ReadLine(t.Context()); line != "first line" || err != nil {
		t.Errorf("got %q, %v", line, err)
	}
	if err := x.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

// A host that takes no input holds up a write until the context of the command
// ends, or until the command is given up.
func TestWriteIsBounded(t *testing.T) {
	deaf := func(x *sshtest.Exec) sshtest.Exit {
		<-x.Context().Done()
		return sshtest.Exit{}
	}
	t.Run("context", func(t *testing.T) {
		f := newFixture(t, sshtest.Config{Handler: deaf}, Options{})
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		defer cancel()
		x, err := f.dial(t).Start(ctx, "sleep")
		if err != nil {
			t.Fatal(err)
		}
		within(t, soon+slack, "Write", func() {
			_, err := x.Write(make([]byte, 8<<20))
			var lost *LostError
			if !errors.As(err, &lost) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	})
	t.Run("close", func(t *testing.T) {
		f := newFixture(t, sshtest.Config{Handler: func(x *sshtest.Exec) sshtest.Exit {
			x.Stall()
			return deaf(x)
		}}, Options{KeepAlive: time.Hour})
		x := start(t, f.dial(t), "sleep")
		within(t, soon+slack, "Write", func() {
			timer := time.AfterFunc(200*time.Millisecond, func() { x.Close() })
			defer timer.Stop()
			if _, err := x.Write(make([]byte, 8<<20)); err == nil {
				t.Error("8 MiB went to a host that takes nothing")
			}
		})
	})
}

// The context given to Start ends the command, however long it would run.
func TestStartContextEndsTheCommand(t *testing.T) {
	f := newFixture(t, sshtest.Config{Handler: func(x *sshtest.Exec) sshtest.Exit {
		<-x.Context().Done()
		return sshtest.Exit{}
	}}, Options{})
	conn := f.dial(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	x, err := conn.Start(ctx, "sleep")
	if err != nil {
		t.Fatal(err)
	}
	interrupted := errors.New("interrupted")
	cancel(interrupted)
	within(t, slack, "Wait", func() {
		if err := x.Wait(t.Context()); !errors.Is(err, interrupted) {
			t.Errorf("got %v", err)
		}
	})
}

// A context that ends after the command did harms the connection no more, and
// neither does giving a command up.
func TestConnectionOutlivesItsCommands(t *testing.T) {
	f := newFixture(t, sshtest.Config{}, Options{})
	conn := f.dial(t)
	ctx, cancel := context.WithCancel(t.Context())
	x, err := conn.Start(ctx, "first")
	if err != nil {
		t.Fatal(err)
	}
	x.CloseWrite()
	if err := x.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	cancel()
	second := start(t, conn, "second")
	second.Close()
	within(t, slack, "Wait", func() { second.Wait(t.Context()) })
	third := start(t, conn, "third")
	third.CloseWrite()
	if err := third.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if got := f.Commands(); !slices.Equal(got, []string{"first", "second", "third"}) {
		t.Errorf("commands %q", got)
	}
}

// Closing needs nothing from the host, and everything that was under way ends.
func TestCloseNeverBlocks(t *testing.T) {
	f := newFixture(t, sshtest.Config{Handler: func(x *sshtest.Exec) sshtest.Exit {
		x.Stall()
		<-x.Context().Done()
		return sshtest.Exit{}
	}}, Options{KeepAlive: time.Hour})
	conn := f.dial(t)
	x := start(t, conn, "sleep")
	waited := make(chan error, 1)
	go func() { waited <- x.Wait(context.Background()) }()
	within(t, slack, "Close", func() {
		x.Close()
		conn.Close()
		conn.Close()
		if err := <-waited; !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
		if _, err := conn.Start(t.Context(), "more"); err == nil {
			t.Error("a command started on a closed connection")
		}
	})
}

// A host is asked for a session and a command, and now and then for a sign of
// life: never for a terminal, an environment or any forwarding.
func TestNothingElseIsAskedFor(t *testing.T) {
	f := newFixture(t, sshtest.Config{Handler: func(x *sshtest.Exec) sshtest.Exit {
		<-x.Asked("keepalive@openssh.com")
		return sshtest.Discard(x)
	}}, Options{KeepAlive: 10 * time.Millisecond})
	x := start(t, f.dial(t), "true")
	x.CloseWrite()
	if err := x.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, r := range f.Requests() {
		asked[r.Scope+" "+r.Type] = true
	}
	want := map[string]bool{"channel session": true, "session exec": true, "global keepalive@openssh.com": true}
	if fmt.Sprint(asked) != fmt.Sprint(want) {
		t.Errorf("asked for %v, want %v", asked, want)
	}
}
