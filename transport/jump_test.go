package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"fwpush/internal/sshtest"
	"fwpush/inventory"
	"fwpush/transport/trust"
)

// maze is hosts behind a jump host.
type maze struct {
	jump, far *sshtest.Server
	dialer    *Dialer
	via       inventory.Endpoint
	identity  string
	known     string
	keys      []ssh.PublicKey
}

// newMaze starts a jump host that lets through what forward says, nil for all there is,
// and hosts behind it. Config is that of the hosts, jump that of the jump host.
func newMaze(t testing.TB, config, jump sshtest.Config, opts Options) *maze {
	t.Helper()
	identity, key := sshtest.NewIdentity(t, "")
	m := &maze{identity: identity, keys: []ssh.PublicKey{key}}
	config.Keys, config.ManyHosts, jump.Keys = m.keys, true, m.keys
	m.far = sshtest.New(t, config)
	if jump.Forward == nil {
		jump.Forward = anywhere
	}
	m.jump = sshtest.New(t, jump)
	m.known = writeFile(t, "known_hosts", m.jump.KnownHosts(1)+m.far.KnownHosts(20))
	opts.Log = slog.New(slog.NewTextHandler(new(bytes.Buffer), nil))
	m.dialer = New(opts)
	t.Cleanup(func() { m.dialer.Close() })
	m.via = m.endpoint(m.jump.Addr(), "bastion1")
	return m
}

func anywhere(_ context.Context, address string) string { return address }

func (m *maze) endpoint(addr netip.AddrPort, name string) inventory.Endpoint {
	return inventory.Endpoint{
		Name: name, Address: addr.Addr().String(), Port: addr.Port(), User: "admin",
		Identity: []string{m.identity}, KnownHosts: []string{m.known}, ConnectTimeout: soon,
	}
}

// host is the i-th host behind the jump host.
func (m *maze) host(i int) inventory.Endpoint {
	ep := m.endpoint(m.far.Host(i), fmt.Sprintf("web%d", i))
	ep.Via = &m.via
	return ep
}

func (m *maze) dial(t testing.TB, ep inventory.Endpoint) *Conn {
	t.Helper()
	conn, err := m.dialer.Dial(t.Context(), ep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// greet has a host run a command.
func greet(ctx context.Context, conn *Conn) error {
	x, err := conn.Start(ctx, "hello")
	if err != nil {
		return err
	}
	if err := x.CloseWrite(); err != nil {
		return err
	}
	return x.Wait(ctx)
}

// Every login is its own, to the host itself; the connection to the jump host is one.
func TestLoginsShareTheJumpHost(t *testing.T) {
	const hosts = 12
	m := newMaze(t, sshtest.Config{}, sshtest.Config{}, Options{})
	done := make(chan error, hosts)
	for i := range hosts {
		go func() {
			conn, err := m.dialer.Dial(t.Context(), m.host(i+1))
			if err == nil {
				defer conn.Close()
				err = greet(t.Context(), conn)
			}
			done <- err
		}()
	}
	for range hosts {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := m.jump.Connections(); n != 1 {
		t.Errorf("%d connections to the jump host, want 1", n)
	}
	if n := m.far.Connections(); n != hosts {
		t.Errorf("%d connections to hosts, want %d", n, hosts)
	}
	if commands := m.jump.Commands(); len(commands) != 0 {
		t.Errorf("the jump host was asked to run %q", commands)
	}
	conn := m.dial(t, m.host(3))
	if got, want := conn.RemoteAddr(), m.far.Host(3); got != want || conn.Pinned().Addr() != want || conn.Peer().Addr != want.String() {
		t.Errorf("remote %s, pinned %s, peer %s; want %s", got, conn.Pinned().Addr(), conn.Peer(), want)
	}
	if local := conn.LocalAddr(); !local.Addr().IsLoopback() || local.Port() == 0 {
		t.Errorf("local %s", local)
	}
}

// A chain is gone through hop by hop, each with its own key, user and address.
func TestTwoJumpHosts(t *testing.T) {
	m := newMaze(t, sshtest.Config{Handler: who}, sshtest.Config{}, Options{})
	inner := sshtest.New(t, sshtest.Config{Keys: m.keys, Forward: anywhere})
	m.known = writeFile(t, "known_hosts", m.jump.KnownHosts(1)+m.far.KnownHosts(4)+inner.KnownHosts(1))
	second := m.endpoint(inner.Addr(), "bastion2")
	second.Via = &m.via
	ep := m.host(1)
	ep.Via = &second
	for range 2 {
		if err := greet(t.Context(), m.dial(t, ep)); err != nil {
			t.Fatal(err)
		}
	}
	if a, b, c := m.jump.Connections(), inner.Connections(), m.far.Connections(); a != 1 || b != 1 || c != 2 {
		t.Errorf("%d, %d and %d connections, want 1, 1 and 2", a, b, c)
	}
	if got := m.dial(t, ep).LocalAddr(); got.Port() == 0 {
		t.Errorf("local %s", got)
	}
	// Down at the first of two, each of those behind says which one.
	m.jump.Close()
	_, err := New(Options{}).Dial(t.Context(), ep)
	want := fmt.Sprintf("web1 (%s): through bastion2 (%s): through bastion1 (%s): connection refused; check the port, and that sshd runs",
		m.far.Host(1), inner.Addr(), m.jump.Addr())
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// Another address of a host behind a jump host is reached through it too.
func TestRedialAtBehindAJumpHost(t *testing.T) {
	m := newMaze(t, sshtest.Config{}, sshtest.Config{}, Options{})
	conn, err := m.dialer.RedialAt(t.Context(), m.dial(t, m.host(1)).Pinned(), m.far.Host(2), soon)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	again, err := m.dialer.Redial(t.Context(), conn.Pinned())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if conn.RemoteAddr() != m.far.Host(2) || again.RemoteAddr() != m.far.Host(2) || m.jump.Connections() != 1 {
		t.Errorf("connected to %s and %s over %d connections", conn.RemoteAddr(), again.RemoteAddr(), m.jump.Connections())
	}
	if asked := m.asked(); !slices.Equal(asked, []string{m.far.Host(1).String(), m.far.Host(2).String(), m.far.Host(2).String()}) {
		t.Errorf("the jump host was asked for %q", asked)
	}
}

// asked are the addresses that the jump host was to connect to.
func (m *maze) asked() []string {
	var list []string
	for _, r := range m.jump.Requests() {
		var open struct {
			Host string
			Port uint32
			Rest []byte `ssh:"rest"`
		}
		if r.Type == "direct-tcpip" && ssh.Unmarshal(r.Payload, &open) == nil {
			list = append(list, net.JoinHostPort(open.Host, strconv.Itoa(int(open.Port))))
		}
	}
	return list
}

// A name is looked up by the jump host, and its key is looked up here by that name.
func TestJumpHostLooksUpNames(t *testing.T) {
	var moved atomic.Bool
	other := sshtest.New(t, sshtest.Config{})
	var m *maze
	m = newMaze(t, sshtest.Config{}, sshtest.Config{Forward: func(_ context.Context, address string) string {
		switch {
		case address != "db.inside:5022":
			return ""
		case moved.Load():
			return other.Addr().String()
		}
		return m.far.Host(1).String()
	}}, Options{})
	ep := m.host(1)
	ep.Address, ep.Port = "db.inside", 5022
	ep.KnownHosts = []string{writeFile(t, "known_hosts", strings.ReplaceAll(m.far.KnownHosts(1), fmt.Sprintf("[127.0.0.1]:%d", m.far.Addr().Port()), "[db.inside]:5022"))}
	conn := m.dial(t, ep)
	if conn.RemoteAddr().IsValid() || conn.Peer().Addr != "db.inside:5022" {
		t.Errorf("remote %s, peer %s", conn.RemoteAddr(), conn.Peer())
	}
	again, err := m.dialer.Redial(t.Context(), conn.Pinned())
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	moved.Store(true)
	_, err = m.dialer.Redial(t.Context(), conn.Pinned())
	var key *HostKeyError
	if !errors.As(err, &key) || key.Kind != trust.Changed || key.Peer.Host != "web1" {
		t.Errorf("another machine under the name: %v", err)
	}
}

// The key of each hop is checked, and an error says whose it is. Nobody behind a jump
// host with a bad key is dialled.
func TestJumpHostKeys(t *testing.T) {
	stranger := sshtest.NewKey(t)
	for _, tt := range []struct {
		name  string
		known func(m *maze) string
		jump  bool // it is about the jump host
		kind  trust.Kind
	}{
		{"jump host unknown", func(m *maze) string { return m.far.KnownHosts(2) }, true, trust.Unknown},
		{"jump host changed", func(m *maze) string { return keyLine("", m.jump.Addr(), stranger.PublicKey()) + m.far.KnownHosts(2) }, true, trust.Changed},
		{"jump host revoked", func(m *maze) string {
			return "@revoked " + strings.Replace(m.jump.KnownHosts(1), "[127.0.0.1]", "[192.0.2.1]", 1) + m.jump.KnownHosts(1) + m.far.KnownHosts(2)
		}, true, trust.Revoked},
		{"host unknown", func(m *maze) string { return m.jump.KnownHosts(1) }, false, trust.Unknown},
		// The key of the jump host does not do for the host.
		{"host changed", func(m *maze) string {
			return m.jump.KnownHosts(1) + strings.ReplaceAll(m.jump.KnownHosts(1), m.knownName(), m.farName())
		}, false, trust.Changed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMaze(t, sshtest.Config{}, sshtest.Config{}, Options{})
			m.known = writeFile(t, "known_hosts", tt.known(m))
			m.via = m.endpoint(m.jump.Addr(), "bastion1")
			_, err := m.dialer.Dial(t.Context(), m.host(1))
			var key *HostKeyError
			var dial *DialError
			whose := "web1"
			if tt.jump {
				whose = "bastion1"
			}
			if !errors.As(err, &key) || key.Kind != tt.kind || key.Peer.Host != whose {
				t.Fatalf("got %v", err)
			}
			if got := errors.As(err, &dial) && dial.Jump(); got != tt.jump {
				t.Errorf("error of the jump host: %t in %v", got, err)
			}
			if tt.jump && (!strings.Contains(err.Error(), "): through bastion1 ("+m.jump.Addr().String()+"): host key ") && tt.kind != trust.Changed ||
				dial.Hint() != key.Hint() || !strings.HasSuffix(err.Error(), key.Hint())) {
				t.Errorf("message %q", err)
			}
			if tt.jump && m.far.Connections() != 0 {
				t.Error("the host was dialled")
			}
		})
	}
}

func (m *maze) knownName() string { return fmt.Sprintf("[127.0.0.1]:%d", m.jump.Addr().Port()) }
func (m *maze) farName() string {
	return fmt.Sprintf("[%s]:%d", m.far.Host(1).Addr(), m.far.Addr().Port())
}

// At most JumpLogins logins are under way through one jump host. Those that wait do not
// lose their own time, and can be called off.
func TestLoginsAtATimeThroughAJumpHost(t *testing.T) {
	const hosts, bound = 9, 3
	var now, most atomic.Int64
	arrived, release := make(chan struct{}), make(chan struct{})
	m := newMaze(t, sshtest.Config{}, sshtest.Config{Forward: func(ctx context.Context, address string) string {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		arrived <- struct{}{}
		<-release
		now.Add(-1)
		return address
	}}, Options{})
	m.via.JumpLogins = bound
	done := make(chan error, hosts)
	for i := range hosts {
		go func() {
			ep := m.host(i + 1)
			ep.ConnectTimeout = time.Minute
			conn, err := m.dialer.Dial(t.Context(), ep)
			if err == nil {
				conn.Close()
			}
			done <- err
		}()
	}
	for range bound {
		<-arrived
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	cancelled := make(chan error, 1)
	go func() {
		_, err := m.dialer.Dial(ctx, m.host(10))
		cancelled <- err
	}()
	cancel(interrupted)
	if err := <-cancelled; !errors.Is(err, interrupted) {
		t.Errorf("called off: %v", err)
	}
	_, err := m.dialer.Dial(shortly(t), m.host(11))
	var dial *DialError
	if !errors.As(err, &dial) || dial.Kind != DialTimeout || !dial.Jump() || !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "waiting for one of the 3 at a time") {
		t.Errorf("out of the caller's time: %v", err)
	}
	for i := range hosts {
		release <- struct{}{}
		if i < hosts-bound {
			<-arrived
		}
	}
	for range hosts {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := most.Load(); n != bound {
		t.Errorf("%d at a time, want %d", n, bound)
	}
}

// The time of a host begins when it has its place.
func TestWaitingForAPlaceTakesNoTimeFromTheHost(t *testing.T) {
	release := make(chan struct{})
	arrived := make(chan string, 2)
	m := newMaze(t, sshtest.Config{}, sshtest.Config{Forward: func(ctx context.Context, address string) string {
		arrived <- address
		<-release
		return address
	}}, Options{})
	m.via.JumpLogins = 1
	done := make(chan error, 2)
	login := func(ep inventory.Endpoint) {
		conn, err := m.dialer.Dial(t.Context(), ep)
		if err == nil {
			conn.Close()
		}
		done <- err
	}
	slow := m.host(1)
	slow.ConnectTimeout = time.Minute
	go login(slow)
	<-arrived
	waits := m.host(2)
	waits.ConnectTimeout = 3 * time.Second // enough for a login on a busy machine
	go login(waits)
	<-time.After(waits.ConnectTimeout + 100*time.Millisecond)
	close(release)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
