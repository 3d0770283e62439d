package transport

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"fwpush/internal/sshtest"
)

// That somebody gives up while the others wait for the same jump host is not their end.
func TestGivingUpOnAJumpHostIsNobodyElsesMatter(t *testing.T) {
	accepted := make(chan int, 4)
	m := newMaze(t, sshtest.Config{}, sshtest.Config{Fault: func(conn int) sshtest.Fault {
		accepted <- conn
		if conn == 1 {
			return sshtest.Fault{At: sshtest.Accept, Do: sshtest.Hang}
		}
		return sshtest.Fault{}
	}}, Options{})
	m.via.ConnectTimeout = time.Minute
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	gaveUp, other := make(chan error, 1), make(chan error, 1)
	go m.login(ctx, 1, gaveUp)
	<-accepted
	waiting := newWaiter(t)
	go m.login(waiting, 2, other)
	<-waiting.waits
	cancel(interrupted)
	if err := <-gaveUp; !errors.Is(err, interrupted) {
		t.Errorf("who gave up: %v", err)
	}
	if err := <-other; err != nil {
		t.Errorf("the other: %v", err)
	}
}

// whenLoggedIn runs something as soon as somebody is logged in, before that one is told.
type whenLoggedIn struct {
	slog.Handler
	do func()
}

func (h whenLoggedIn) Enabled(context.Context, slog.Level) bool { return true }

func (h whenLoggedIn) Handle(context.Context, slog.Record) error {
	h.do()
	return nil
}

// That somebody gives up in the moment when the login at the jump host is done leaves a
// connection that the others go on with.
func TestGivingUpOnceInTheJumpHost(t *testing.T) {
	m := newMaze(t, sshtest.Config{}, sshtest.Config{}, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	m.dialer.opts.Log = slog.New(whenLoggedIn{slog.DiscardHandler, cancel})
	if _, err := m.dialer.Dial(ctx, m.host(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up: %v", err)
	}
	other := make(chan error, 1)
	within(t, slack, "the other's login", func() { m.login(t.Context(), 2, other) })
	if err := <-other; err != nil {
		t.Errorf("the other: %v", err)
	}
	if n := m.jump.Connections(); n != 1 {
		t.Errorf("%d connections to the jump host, want 1", n)
	}
}
