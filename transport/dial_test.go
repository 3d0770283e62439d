package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fwpush/internal/sshtest"
	"fwpush/inventory"
)

// Every way in which a server can spoil a login ends within the time allowed,
// with the right kind of error, naming host and address.
func TestDialFaults(t *testing.T) {
	tests := []struct {
		name  string
		fault sshtest.Fault
		kind  DialKind
		stage string
	}{
		{"silent", sshtest.Fault{At: sshtest.Accept, Do: sshtest.Hang}, DialTimeout, stageHandshake},
		{"dripping", sshtest.Fault{Drip: 300 * time.Millisecond}, DialTimeout, stageHandshake},
		{"stalls in its version", sshtest.Fault{StallAfter: 5}, DialTimeout, stageHandshake},
		{"stalls in the key exchange", sshtest.Fault{StallAfter: 700}, DialTimeout, stageHandshake},
		{"hangs in the login", sshtest.Fault{At: sshtest.Auth, Do: sshtest.Hang}, DialTimeout, stageLogin},
		{"drops at once", sshtest.Fault{At: sshtest.Accept, Do: sshtest.Drop}, DialClosed, stageHandshake},
		{"cut in its version", sshtest.Fault{CutAfter: 5}, DialClosed, stageHandshake},
		{"cut in the key exchange", sshtest.Fault{CutAfter: 700}, DialClosed, stageHandshake},
		{"drops in the login", sshtest.Fault{At: sshtest.Auth, Do: sshtest.Drop}, DialClosed, stageLogin},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, sshtest.Config{Fault: func(int) sshtest.Fault { return tt.fault }}, Options{})
			within(t, soon+slack, "Dial", func() {
				conn, err := f.dialer.Dial(t.Context(), f.ep)
				if err == nil {
					conn.Close()
					t.Fatal("logged in")
				}
				var dial *DialError
				if !errors.As(err, &dial) || dial.Kind != tt.kind || dial.Stage != tt.stage {
					t.Errorf("got %#v, want kind %q in stage %q", err, tt.kind, tt.stage)
				}
				if want := "web1 (" + f.Addr().String() + "): "; !strings.HasPrefix(err.Error(), want) {
					t.Errorf("message %q does not start with %q", err, want)
				}
			})
		})
	}
}

func TestDialRefused(t *testing.T) {
	f := newFixture(t, sshtest.Config{}, Options{})
	f.Server.Close()
	_, err := f.dialer.Dial(t.Context(), f.ep)
	var dial *DialError
	if !errors.As(err, &dial) || dial.Kind != DialRefused || dial.Stage != stageConnect {
		t.Fatalf("got %v", err)
	}
	want := fmt.Sprintf("web1 (%s): connection refused; check the port, and that sshd runs", f.Addr())
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

// bad..name is refused by the resolver itself: nothing is sent to a name server.
func TestDialDNS(t *testing.T) {
	f := newFixture(t, sshtest.Config{}, Options{})
	f.ep.Address = "bad..name"
	_, err := f.dialer.Dial(t.Context(), f.ep)
	var dial *DialError
	if !errors.As(err, &dial) || dial.Kind != DialDNS {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), "bad..name") {
		t.Errorf("message %q does not name the name", err)
	}
}

// A name with several addresses is tried in order, and the one that answered is
// what Redial goes to.
func TestDialName(t *testing.T) {
	f := newFixture(t, sshtest.Config{}, Options{})
	f.ep.Address = "LOCALHOST" // ssh compares names in lower case
	known := strings.ReplaceAll(f.KnownHosts(1), "127.0.0.1", "localhost")
	f.ep.KnownHosts = []string{writeFile(t, "known_hosts", known)}
	conn := f.dial(t)
	if got := conn.Pinned().Addr(); got != f.Addr() {
		t.Errorf("pinned %s, want %s", got, f.Addr())
	}
	if got := conn.RemoteAddr(); got != f.Addr() {
		t.Errorf("remote %s, want %s", got, f.Addr())
	}
	if !conn.LocalAddr().Addr().IsLoopback() {
		t.Errorf("local %s", conn.LocalAddr())
	}
}

func TestConnectErrorKinds(t *testing.T) {
	tests := []struct {
		err  error
		kind DialKind
	}{
		{syscall.EHOSTUNREACH, DialNoRoute},
		{syscall.ENETUNREACH, DialNoRoute},
		{syscall.ECONNREFUSED, DialRefused},
		{syscall.ECONNRESET, DialClosed},
		{syscall.ETIMEDOUT, DialTimeout},
		{syscall.EMFILE, DialFailed},
		{context.DeadlineExceeded, DialTimeout},
		{&net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}, DialDNS},
	}
	for _, tt := range tests {
		l := &login{order: order{peer: Peer{"web1", "10.0.0.1:22"}}}
		err := l.connectError(t.Context(), &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", tt.err)})
		var dial *DialError
		if !errors.As(err, &dial) || dial.Kind != tt.kind {
			t.Errorf("%v: got %v, want kind %q", tt.err, err, tt.kind)
		}
	}
}

// The address and the step are told once, and the port of this end is not, by which the
// same trouble of many hosts would be many.
func TestConnectErrorTellsAddressesOnce(t *testing.T) {
	here, there := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 40123}, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 22}
	for want, err := range map[string]error{
		"web1 (10.0.0.1:22): connect: no route to host; check the address and the routes of this machine": &net.OpError{
			Op: "dial", Net: "tcp", Addr: there, Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)},
		"web1 (10.0.0.1:22): the host closed the connection during the connect: connection reset by peer; " +
			"sshd may be limiting connections (MaxStartups, PerSourcePenalties): wait, then try again": &net.OpError{
			Op: "read", Net: "tcp", Source: here, Addr: there, Err: os.NewSyscallError("read", syscall.ECONNRESET)},
	} {
		l := &login{order: order{peer: Peer{"web1", "10.0.0.1:22"}}}
		if got := l.connectError(t.Context(), err); got.Error() != want {
			t.Errorf("got  %v\nwant %s", got, want)
		}
	}
}

// Giving up on purpose is not the host's fault: the caller's own cause comes
// back, and at once.
func TestDialCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	f := newFixture(t, sshtest.Config{Fault: func(int) sshtest.Fault {
		cancel(interrupted)
		return sshtest.Fault{At: sshtest.Accept, Do: sshtest.Hang}
	}}, Options{})
	f.ep.ConnectTimeout = time.Hour
	within(t, slack, "Dial", func() {
		_, err := f.dialer.Dial(ctx, f.ep)
		var dial *DialError
		if !errors.Is(err, interrupted) || errors.As(err, &dial) {
			t.Errorf("got %v", err)
		}
	})
}

// A deadline of the caller counts like the endpoint's own, and the message tells
// the time there really was.
func TestDialCallersDeadline(t *testing.T) {
	f := newFixture(t, sshtest.Config{Fault: func(int) sshtest.Fault {
		return sshtest.Fault{At: sshtest.Accept, Do: sshtest.Hang}
	}}, Options{})
	f.ep.ConnectTimeout = time.Hour
	within(t, slack, "Dial", func() {
		_, err := f.dialer.Dial(shortly(t), f.ep)
		var dial *DialError
		if !errors.As(err, &dial) || dial.Kind != DialTimeout || dial.Limit > 200*time.Millisecond {
			t.Errorf("got %v", err)
		}
	})
}

func TestDialNotSSH(t *testing.T) {
	tests := []struct {
		name, says string
		kind       DialKind
	}{
		{"web server", "HTTP/1.1 400 Bad Request\r\n\r\n", DialClosed},
		{"endless text", strings.Repeat("\x1b]0;owned\x07 ", 2000), DialProtocol},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			listener, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				conn.Write([]byte(tt.says))
				if tt.kind == DialClosed {
					return
				}
				conn.SetReadDeadline(time.Now().Add(slack))
				for buf := make([]byte, 512); err == nil; {
					_, err = conn.Read(buf)
				}
			}()
			f := newFixture(t, sshtest.Config{}, Options{})
			f.ep.Port = uint16(listener.Addr().(*net.TCPAddr).Port)
			within(t, soon+slack, "Dial", func() {
				_, err := f.dialer.Dial(t.Context(), f.ep)
				var dial *DialError
				if !errors.As(err, &dial) || dial.Kind != tt.kind {
					t.Errorf("got %v, want kind %q", err, tt.kind)
				}
				if strings.ContainsAny(fmt.Sprint(err), "\x1b\x07") {
					t.Errorf("message %q carries control characters", err)
				}
			})
		})
	}
}

func TestDialCannotReadFiles(t *testing.T) {
	f := newFixture(t, sshtest.Config{}, Options{})
	missing := f.ep
	missing.KnownHosts = []string{"/nonexistent/known_hosts"}
	_, err := f.dialer.Dial(t.Context(), missing)
	if want := "/nonexistent/known_hosts does not exist"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	missing.Identity = []string{"/nonexistent/id"}
	err = f.dialer.Check(t.Context(), missing)
	for _, want := range []string{"/nonexistent/known_hosts does not exist", "/nonexistent/id does not exist"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check: got %v, want %q", err, want)
		}
	}
	fifo := filepath.Join(t.TempDir(), "known_hosts")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	missing = f.ep
	missing.KnownHosts = []string{fifo}
	if err := f.dialer.Check(t.Context(), missing); err == nil || !strings.Contains(err.Error(), fifo+" is no regular file") {
		t.Errorf("Check of a FIFO that nobody writes into: %v", err)
	}
	// A full or missing directory for temporary files keeps nobody out.
	t.Setenv("TMPDIR", "/nonexistent")
	if err := f.dialer.Check(t.Context(), f.ep); err != nil {
		t.Errorf("Check of a good endpoint: %v", err)
	}
	if n := f.Connections(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// Thousands of hosts stand behind one listener; each login sees its own.
func TestManyHosts(t *testing.T) {
	const hosts = 50
	f := newFixture(t, sshtest.Config{ManyHosts: true, Handler: func(x *sshtest.Exec) sshtest.Exit {
		fmt.Fprintln(x.Stdout, x.Host)
		return sshtest.Exit{}
	}}, Options{})
	known := writeFile(t, "known_hosts", f.KnownHosts(hosts))
	errs := make(chan error, hosts)
	for i := range hosts {
		go func() {
			ep := endpoint(f.Server, i)
			ep.Identity, ep.KnownHosts, ep.ConnectTimeout = f.ep.Identity, []string{known}, time.Minute
			errs <- visit(t.Context(), f.dialer, ep)
		}()
	}
	for range hosts {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func visit(ctx context.Context, d *Dialer, ep inventory.Endpoint) error {
	conn, err := d.Dial(ctx, ep)
	if err != nil {
		return err
	}
	defer conn.Close()
	x, err := conn.Start(ctx, "where am I")
	if err != nil {
		return err
	}
	line, err := x.ReadLine(ctx)
	if err != nil || line != ep.Address {
		return fmt.Errorf("%s: got %q, %v", ep.Address, line, err)
	}
	return x.Wait(ctx)
}
