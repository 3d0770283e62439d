package transport

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"fwpush/internal/sshtest"
	"fwpush/inventory"
	"fwpush/transport/trust"
)

// What keeps a jump host from connecting is told apart by who has to do something.
func TestJumpHostCannotConnect(t *testing.T) {
	silent := func(ctx context.Context, _ string) string {
		<-ctx.Done()
		return ""
	}
	for _, tt := range []struct {
		name    string
		config  sshtest.Config
		forward sshtest.Forwarding
		down    bool
		kind    DialKind
		stage   string
		want    string // %[1]s the host's address, %[2]s the jump host's
	}{
		{"prohibited", sshtest.Config{}, func(context.Context, string) string { return "" }, false, DialRefused, stageJump,
			"web1 (%[1]s): through bastion1 (%[2]s): sshd there does not connect to the host for us: open failed; allow it with AllowTcpForwarding local, or PermitOpen, in the sshd_config of that host"},
		{"refused", sshtest.Config{}, anywhere, true, DialFailed, stageConnect,
			"web1 (%[1]s): bastion1 (%[2]s) cannot connect to it: connection refused; check its address and port, that sshd runs there, and the firewalls between the two"},
		{"no answer", sshtest.Config{}, silent, false, DialTimeout, stageConnect,
			"web1 (%[1]s): bastion1 (%[2]s) connects to it, and there was no answer within 1.5s; check its address and port, that sshd runs there, and the firewalls between the two"},
		{"silent behind", sshtest.Config{Fault: always(sshtest.Fault{At: sshtest.Accept, Do: sshtest.Hang})}, anywhere, false, DialTimeout, stageHandshake,
			"web1 (%[1]s): connected, but the SSH handshake was not done within 1.5s; check that an SSH server answers on that port and is not overloaded, or raise connect_timeout"},
		{"silent in the login", sshtest.Config{Fault: always(sshtest.Fault{At: sshtest.Auth, Do: sshtest.Hang})}, anywhere, false, DialTimeout, stageLogin,
			"web1 (%[1]s): connected, but the SSH login was not done within 1.5s; check that an SSH server answers on that port and is not overloaded, or raise connect_timeout"},
		{"closed behind", sshtest.Config{Fault: always(sshtest.Fault{CutAfter: 700})}, anywhere, false, DialClosed, stageHandshake,
			"web1 (%[1]s): the host closed the connection during the handshake: EOF; sshd may be limiting connections (MaxStartups, PerSourcePenalties): wait, then try again"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMaze(t, tt.config, sshtest.Config{Forward: tt.forward}, Options{})
			if tt.down {
				m.far.Close()
			}
			within(t, soon+slack, "Dial", func() {
				_, err := m.dialer.Dial(t.Context(), m.host(1))
				var dial *DialError
				if !errors.As(err, &dial) || dial.Kind != tt.kind || dial.Stage != tt.stage {
					t.Fatalf("got %#v", err)
				}
				if want := fmt.Sprintf(tt.want, m.far.Host(1), m.jump.Addr()); err.Error() != want {
					t.Errorf("got  %s\nwant %s", err, want)
				}
				if !strings.HasSuffix(err.Error(), "; "+dial.Hint()) {
					t.Errorf("hint %q is not the end of %q", dial.Hint(), err)
				}
			})
			// The connection to the jump host is as good as before.
			if n := m.jump.Connections(); n != 1 {
				t.Errorf("%d connections to the jump host", n)
			}
		})
	}
}

func always(f sshtest.Fault) func(int) sshtest.Fault { return func(int) sshtest.Fault { return f } }

// waiter is a context that tells when somebody waits for its end, which is when a login
// has found out that another one already looks after the jump host.
type waiter struct {
	context.Context
	waits chan struct{}
}

func (w waiter) Done() <-chan struct{} {
	select {
	case w.waits <- struct{}{}:
	default:
	}
	return w.Context.Done()
}

func newWaiter(t testing.TB) waiter { return waiter{t.Context(), make(chan struct{}, 1)} }

// login logs in and out.
func (m *maze) login(ctx context.Context, i int, errs chan<- error) {
	conn, err := m.dialer.Dial(ctx, m.host(i))
	if err == nil {
		conn.Close()
	}
	errs <- err
}

// Those who need a jump host that is down find out together, and the next ones try anew.
func TestJumpHostDownIsFoundOutOnce(t *testing.T) {
	const hosts = 20
	accepted, fail := make(chan struct{}), make(chan struct{})
	m := newMaze(t, sshtest.Config{}, sshtest.Config{Fault: func(conn int) sshtest.Fault {
		if conn > 1 {
			return sshtest.Fault{}
		}
		close(accepted)
		<-fail
		return sshtest.Fault{CutAfter: 5} // one that closes without a word is asked again
	}}, Options{})
	m.via.JumpLogins = 2
	m.via.ConnectTimeout = time.Minute
	errs := make(chan error, hosts)
	go m.login(t.Context(), 1, errs)
	<-accepted
	for i := range hosts - 1 {
		ctx := newWaiter(t)
		go m.login(ctx, i+2, errs)
		<-ctx.waits
	}
	close(fail)
	for range hosts {
		err := <-errs
		var dial *DialError
		if !errors.As(err, &dial) || !dial.Jump() || dial.Kind != DialClosed {
			t.Errorf("got %v", err)
		}
	}
	if n := m.jump.Connections(); n != 1 {
		t.Errorf("%d connections to the jump host, want 1", n)
	}
	m.login(t.Context(), 1, errs)
	if err := <-errs; err != nil {
		t.Errorf("after that: %v", err)
	}
}

// A connection to a jump host that ends takes along what goes through it, says so, and is
// made anew by the next who needs it.
func TestJumpHostDies(t *testing.T) {
	cut := make(chan struct{}, 1)
	m := newMaze(t, sshtest.Config{Handler: func(x *sshtest.Exec) sshtest.Exit {
		<-x.Context().Done()
		return sshtest.Exit{}
	}}, sshtest.Config{Handler: func(x *sshtest.Exec) sshtest.Exit {
		<-cut
		x.Drop()
		return sshtest.Exit{}
	}}, Options{})
	conn := m.dial(t, m.host(1))
	x := start(t, conn, "wait")
	start(t, m.hop(t), "a way to cut the connection")
	cut <- struct{}{}
	err := x.Wait(t.Context())
	var lost *LostError
	if !errors.As(err, &lost) || !strings.Contains(err.Error(), "the connection to the jump host bastion1 ("+m.jump.Addr().String()+") was lost") {
		t.Errorf("got %v", err)
	}
	again, err := m.dialer.Redial(t.Context(), conn.Pinned())
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if n := m.jump.Connections(); n != 2 {
		t.Errorf("%d connections to the jump host, want 2", n)
	}
}

// A jump host that ends the connection when it is asked to connect is asked again once,
// over a new one.
func TestDeadConnectionToAJumpHostIsReplacedOnce(t *testing.T) {
	for _, tt := range []struct {
		name   string
		deaths int
		want   string // in the error, "" for none
	}{
		{"once", 1, ""},
		{"for ever", 9, "through bastion1 (%s): connection lost while logging in to web1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			left := tt.deaths
			var m *maze
			m = newMaze(t, sshtest.Config{}, sshtest.Config{Forward: func(ctx context.Context, address string) string {
				if left--; left >= 0 {
					m.hop(t).wire.Close()
					<-ctx.Done()
				}
				return address
			}}, Options{})
			conn, err := m.dialer.Dial(t.Context(), m.host(1))
			switch {
			case err == nil:
				conn.Close()
				if tt.want != "" {
					t.Error("logged in")
				}
			case tt.want == "" || !strings.Contains(err.Error(), fmt.Sprintf(tt.want, m.jump.Addr())):
				t.Errorf("got %v", err)
			}
			if n := m.jump.Connections(); n != 2 {
				t.Errorf("%d connections to the jump host, want 2", n)
			}
		})
	}
}

// So is one that ends in the middle of a login.
func TestConnectionToAJumpHostThatEndsUnderALogin(t *testing.T) {
	reached, cut := make(chan struct{}), make(chan struct{})
	m := newMaze(t, sshtest.Config{Fault: func(conn int) sshtest.Fault {
		if conn != 2 {
			return sshtest.Fault{}
		}
		close(reached)
		<-cut
		return sshtest.Fault{At: sshtest.Accept, Do: sshtest.Hang}
	}}, sshtest.Config{Handler: func(x *sshtest.Exec) sshtest.Exit {
		<-reached
		x.Drop()
		close(cut)
		return sshtest.Exit{}
	}}, Options{})
	m.dial(t, m.host(1))
	start(t, m.hop(t), "end the connection")
	if err := greet(t.Context(), m.dial(t, m.host(2))); err != nil {
		t.Error(err)
	}
	if a, b := m.jump.Connections(), m.far.Connections(); a != 2 || b != 3 {
		t.Errorf("%d connections to the jump host and %d behind it, want 2 and 3", a, b)
	}
}

// hop is the connection to the jump host that is in use.
func (m *maze) hop(t testing.TB) *Conn { return m.dialer.hopOf(t, m.via) }

// hopOf is the connection to a jump host that is in use.
func (d *Dialer) hopOf(t testing.TB, ep inventory.Endpoint) *Conn {
	t.Helper()
	h, err := d.hop(ep)
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last.conn
}

// A jump host that falls silent, with the connection open, ends no login later than the
// host's time, and what goes through it after three keepalives.
func TestJumpHostFallsSilent(t *testing.T) {
	t.Parallel()
	const beat = soon // so that the login ends first
	stall, stalled := make(chan struct{}), make(chan struct{})
	m := newMaze(t, sshtest.Config{Handler: func(x *sshtest.Exec) sshtest.Exit {
		<-x.Context().Done()
		return sshtest.Exit{}
	}}, sshtest.Config{Handler: func(x *sshtest.Exec) sshtest.Exit {
		<-stall
		x.Stall()
		close(stalled)
		return sshtest.Exit{}
	}}, Options{KeepAlive: beat})
	conn := m.dial(t, m.host(1))
	x := start(t, conn, "wait")
	start(t, m.hop(t), "fall silent")
	close(stall)
	<-stalled
	within(t, soon+slack, "Dial", func() {
		_, err := m.dialer.Dial(t.Context(), m.host(2))
		var dial *DialError
		if !errors.As(err, &dial) || dial.Kind != DialTimeout {
			t.Errorf("Dial: %v", err)
		}
	})
	within(t, missedKeepAlives*beat+slack, "Wait", func() {
		var lost *LostError
		if err := x.Wait(t.Context()); !errors.As(err, &lost) || !strings.Contains(err.Error(), "no sign of life") {
			t.Errorf("Wait: %v", err)
		}
	})
	within(t, slack, "Close", func() { conn.Close() })
}

// The same in the middle of a login, when the jump host has connected and would have to
// agree to the end of that.
func TestJumpHostFallsSilentUnderALogin(t *testing.T) {
	t.Parallel()
	keys := onceShown{make(chan struct{}), make(chan struct{})}
	m := newMaze(t, sshtest.Config{}, sshtest.Config{Handler: func(x *sshtest.Exec) sshtest.Exit {
		<-keys.shown
		x.Stall()
		close(keys.accept)
		return sshtest.Exit{}
	}}, Options{KeepAlive: time.Hour})
	conn := m.dial(t, m.host(1))
	start(t, m.hop(t), "fall silent")
	within(t, soon+slack, "Dial", func() {
		ep := m.host(2)
		_, err := m.dialer.through(t.Context(), order{ep: ep, peer: peerOf(ep), hostKeys: keys})
		var dial *DialError
		if !errors.As(err, &dial) || dial.Kind != DialTimeout || dial.Stage != stageLogin {
			t.Errorf("Dial: %v", err)
		}
	})
	within(t, slack, "the end of the connection before", func() {
		conn.Close()
		conn.client.Wait()
	})
}

// onceShown accepts a key once it is told to.
type onceShown struct{ shown, accept chan struct{} }

func (onceShown) Algorithms() []string { return []string{ssh.KeyAlgoED25519} }

func (k onceShown) Check(ssh.PublicKey) *trust.Refusal {
	close(k.shown)
	<-k.accept
	return nil
}

// DialApart shares nothing, and leaves nothing open.
func TestDialApart(t *testing.T) {
	m := newMaze(t, sshtest.Config{}, sshtest.Config{}, Options{})
	inner := sshtest.New(t, sshtest.Config{Keys: m.keys, Forward: anywhere})
	m.known = writeFile(t, "known_hosts", m.jump.KnownHosts(1)+m.far.KnownHosts(4)+inner.KnownHosts(1))
	second := m.endpoint(inner.Addr(), "bastion2")
	second.Via = &m.via
	ep := m.host(1)
	ep.Via = &second
	m.dial(t, ep)
	for i := range 2 {
		conn, err := m.dialer.DialApart(t.Context(), ep)
		if err != nil {
			t.Fatal(err)
		}
		if err := greet(t.Context(), conn); err != nil {
			t.Error(err)
		}
		if a, b, c := m.jump.Connections(), inner.Connections(), m.far.Connections(); a != i+2 || b != i+2 || c != i+2 {
			t.Errorf("%d, %d and %d connections, want %d of each", a, b, c, i+2)
		}
		conn.Close()
		for hop := conn.jump; hop != nil; hop = hop.jump {
			if hop.Gone() == nil {
				t.Errorf("the connection to %s was left open", hop.peer)
			}
		}
	}
	// The connections that are shared still are.
	m.dial(t, ep)
	if n := m.jump.Connections(); n != 3 {
		t.Errorf("%d connections to the first jump host, want 3", n)
	}
	m.far.Close()
	if _, err := m.dialer.DialApart(t.Context(), ep); err == nil || !strings.Contains(err.Error(), "bastion2 ("+inner.Addr().String()+") cannot connect to it") {
		t.Errorf("host down: %v", err)
	}
	inner.Close()
	if _, err := m.dialer.DialApart(t.Context(), ep); err == nil || !strings.Contains(err.Error(), "): through bastion2 (") {
		t.Errorf("jump host down: %v", err)
	}
}

// Nothing goes through a jump host once the Dialer is closed, and whoever is on the way is
// told.
func TestCloseEndsWhatGoesThroughJumpHosts(t *testing.T) {
	accepted := make(chan int, 2)
	m := newMaze(t, sshtest.Config{}, sshtest.Config{Fault: func(conn int) sshtest.Fault {
		accepted <- conn
		return sshtest.Fault{At: sshtest.Auth, Do: sshtest.Hang}
	}}, Options{})
	m.via.ConnectTimeout = time.Minute
	done := make(chan error, 1)
	go func() {
		_, err := m.dialer.Dial(t.Context(), m.host(1))
		done <- err
	}()
	<-accepted
	m.dialer.Close()
	within(t, slack, "Dial", func() {
		if err := <-done; !errors.Is(err, errClosed) {
			t.Errorf("on the way: %v", err)
		}
	})
	if _, err := m.dialer.Dial(t.Context(), m.host(1)); !errors.Is(err, errClosed) {
		t.Errorf("afterwards: %v", err)
	}

	m = newMaze(t, sshtest.Config{}, sshtest.Config{}, Options{})
	conn := m.dial(t, m.host(1))
	m.dialer.Close()
	if err := greet(t.Context(), conn); err == nil {
		t.Error("the connection still works")
	}
}

// Check looks at the files of every hop.
func TestCheckLooksAtJumpHosts(t *testing.T) {
	m := newMaze(t, sshtest.Config{}, sshtest.Config{}, Options{})
	if err := m.dialer.Check(t.Context(), m.host(1)); err != nil {
		t.Error(err)
	}
	m.via.KnownHosts, m.via.Identity = []string{"/nonexistent/known"}, []string{"/nonexistent/key"}
	err := m.dialer.Check(t.Context(), m.host(1))
	for _, want := range []string{"/nonexistent/known does not exist", "/nonexistent/key does not exist"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	_, err = m.dialer.Dial(t.Context(), m.host(1))
	var dial *DialError
	if !errors.As(err, &dial) || !dial.Jump() || !strings.Contains(err.Error(), "/nonexistent/known does not exist") {
		t.Errorf("got %v", err)
	}
	if n := m.jump.Connections(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}
