package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"fwpush/internal/sshtest"
	"fwpush/transport/trust"
)

// TestJumpHostThatAnswersItself: whoever answers in the place of a host behind it has to have that host's
// key. The jump host's own does not do, nor does a certificate that was given to the jump host, nor that
// of another host behind it; and whoever answers does not get as far as to see who logs in.
func TestJumpHostThatAnswersItself(t *testing.T) {
	authority := sshtest.NewKey(t)
	certified := hostCert(t, sshtest.NewKey(t), authority, func(c *ssh.Certificate) { c.ValidPrincipals = []string{"bastion1", "192.0.2.1"} })
	for _, tt := range []struct {
		name string
		key  ssh.Signer // with which the jump host answers for web1, nil for its own
		far  int        // the host behind it that answers instead, 0 for none
		kind trust.Kind
	}{
		{"with its own key", nil, 0, trust.Changed},
		{"with a new key", sshtest.NewKey(t), 0, trust.Changed},
		{"with its certificate", certified, 0, trust.Unknown},
		{"by another host", nil, 2, trust.Changed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var impostor *sshtest.Server
			keys := map[netip.Addr][]ssh.Signer{}
			for i := range 3 {
				keys[netip.AddrFrom4([4]byte{127, 1, 0, byte(i)})] = []ssh.Signer{sshtest.NewKey(t)}
			}
			var m *maze
			m = newMaze(t, sshtest.Config{HostKeys: func(host netip.Addr) []ssh.Signer { return keys[host] }},
				sshtest.Config{Forward: func(context.Context, string) string {
					switch {
					case tt.far > 0:
						return m.far.Host(tt.far).String()
					case impostor != nil:
						return impostor.Addr().String()
					}
					return m.jump.Addr().String()
				}}, Options{})
			if tt.key != nil {
				impostor = sshtest.New(t, sshtest.Config{Keys: m.keys, HostKeys: func(netip.Addr) []ssh.Signer { return []ssh.Signer{tt.key} }})
			}
			if tt.key == certified {
				m.known = writeFile(t, "known_hosts", m.jump.KnownHosts(1)+keyLine("@cert-authority", m.far.Host(1), authority.PublicKey()))
				m.via = m.endpoint(m.jump.Addr(), "bastion1")
			}
			_, err := m.dialer.Dial(t.Context(), m.host(1))
			var key *HostKeyError
			if !errors.As(err, &key) || key.Peer.Host != "web1" || key.Kind != tt.kind {
				t.Fatalf("got %v", err)
			}
			for _, s := range []*sshtest.Server{m.far, impostor} {
				if s != nil && len(s.Requests()) > 0 {
					t.Errorf("somebody was logged in to: %+v", s.Requests())
				}
			}
		})
	}
}

// TestJumpHostThatListens: what passes through the jump host is a login of its own, and none of it can be
// read there; what it changes on the way ends the connection, and is taken for nothing that the host said.
func TestJumpHostThatListens(t *testing.T) {
	const secret = "the seal of this transaction"
	tell := func(x *sshtest.Exec) sshtest.Exit {
		text, _ := io.ReadAll(x.Stdin)
		io.WriteString(x.Stdout, strings.Repeat(string(text)+"\n", 500))
		return sshtest.Exit{}
	}
	for _, tt := range []struct {
		name  string
		flips int // the byte of what the host says that is changed, 0 for none
	}{{"and passes all on", 0}, {"and changes a byte", 4000}} {
		t.Run(tt.name, func(t *testing.T) {
			var tap *wiretap
			m := newMaze(t, sshtest.Config{Handler: tell}, sshtest.Config{Forward: func(_ context.Context, address string) string { return tap.before(address) }}, Options{})
			tap = newWiretap(t, tt.flips)
			conn, err := m.dialer.Dial(t.Context(), m.host(1))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			x, err := conn.Start(t.Context(), "greet "+secret)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.WriteString(x, secret)
			err = errors.Join(err, x.CloseWrite())
			lines := 0
			for err == nil {
				var line string
				if line, err = x.ReadLine(t.Context()); err == nil {
					if lines++; line != secret {
						t.Errorf("the host is taken to have said %q", line)
					}
				}
			}
			if tt.flips == 0 && (!errors.Is(err, io.EOF) || x.Wait(t.Context()) != nil || lines != 500) || tt.flips > 0 && (errors.Is(err, io.EOF) || lines == 500) {
				t.Errorf("%d lines, and then %v", lines, err)
			}
			if heard := tap.heard(); len(heard) < 10_000 || bytes.Contains(heard, []byte("seal of this")) || bytes.Contains(heard, []byte("admin")) {
				t.Errorf("of %d bytes some can be read", len(heard))
			}
		})
	}
}

// wiretap stands between the jump host and the hosts behind it.
type wiretap struct {
	listener net.Listener
	flips    int

	mu   sync.Mutex
	to   string
	text []byte
}

func newWiretap(t *testing.T, flips int) *wiretap {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wiretap{listener: l, flips: flips}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			w.mu.Lock()
			far, err := net.Dial("tcp", w.to)
			w.mu.Unlock()
			if err != nil {
				near.Close()
				continue
			}
			go w.pass(far, near, 0)
			go w.pass(near, far, w.flips)
		}
	}()
	return w
}

// before is where to connect to instead.
func (w *wiretap) before(address string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = address
	return w.listener.Addr().String()
}

func (w *wiretap) heard() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Clone(w.text)
}

func (w *wiretap) pass(to, from net.Conn, flips int) {
	defer to.Close()
	part := make([]byte, 4096)
	for sum := 0; ; {
		n, err := from.Read(part)
		if at := flips - sum; flips > 0 && at >= 0 && at < n {
			part[at] ^= 1
		}
		sum += n
		w.mu.Lock()
		w.text = append(w.text, part[:n]...)
		w.mu.Unlock()
		if _, err2 := to.Write(part[:n]); err != nil || err2 != nil {
			return
		}
	}
}
