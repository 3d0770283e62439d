package transport

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"fwpush/internal/sshtest"
)

// newAgent serves an ssh-agent with n new keys and makes it the one in use.
func newAgent(t *testing.T, n int) (keys []ssh.PublicKey) {
	t.Helper()
	ring := agent.NewKeyring()
	for i := range n {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := ring.Add(agent.AddedKey{PrivateKey: private, Comment: fmt.Sprintf("key %d", i+1)}); err != nil {
			t.Fatal(err)
		}
		key, err := ssh.NewPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	serveAgent(t, func(conn net.Conn) { agent.ServeAgent(ring, conn) })
	return keys
}

// serveAgent listens where SSH_AUTH_SOCK points to.
func serveAgent(t *testing.T, serve func(net.Conn)) {
	t.Helper()
	// The path of a socket holds 107 bytes (unix(7)), a test's own directory may be longer.
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	t.Setenv("SSH_AUTH_SOCK", listener.Addr().String())
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
}

// homeless gives the test a home directory without keys.
func homeless(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("SSH_AUTH_SOCK", "")
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	return home
}

func who(x *sshtest.Exec) sshtest.Exit {
	fmt.Fprintln(x.Stdout, x.User, x.Key)
	return sshtest.Exit{}
}

// loggedInAs returns user and key fingerprint of a new login.
func (f *fixture) loggedInAs(t *testing.T) string {
	t.Helper()
	x := start(t, f.dial(t), "who")
	line, err := x.ReadLine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestLoginRefused(t *testing.T) {
	homeless(t)
	f := newFixture(t, sshtest.Config{Fault: func(int) sshtest.Fault {
		return sshtest.Fault{At: sshtest.Auth, Do: sshtest.Refuse}
	}}, Options{})
	_, err := f.dialer.Dial(t.Context(), f.ep)
	var auth *AuthError
	if !errors.As(err, &auth) || len(auth.Tried) != 1 {
		t.Fatalf("got %v", err)
	}
	want := fmt.Sprintf("web1 (%s): login as admin refused; tried %s; the server accepts: publickey; "+
		"add one of these keys to the authorized_keys of admin on the host, or name another under ssh.identity", f.Addr(), auth.Tried[0])
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	if !strings.HasPrefix(auth.Tried[0], f.ep.Identity[0]+" SHA256:") {
		t.Errorf("tried %q", auth.Tried)
	}
}

// With a named identity nothing else the agent holds is offered: each offer is a
// failure on the host's account.
func TestNamedIdentityOnly(t *testing.T) {
	homeless(t)
	newAgent(t, 3)
	f := newFixture(t, sshtest.Config{Handler: who}, Options{})
	other, key := sshtest.NewIdentity(t, "")
	f.ep.Identity = []string{other}
	_, err := f.dialer.Dial(t.Context(), f.ep)
	var auth *AuthError
	if !errors.As(err, &auth) || len(auth.Tried) != 1 || !strings.HasSuffix(auth.Tried[0], ssh.FingerprintSHA256(key)) {
		t.Fatalf("got %v", err)
	}
}

// No more keys than sshd looks at are offered, and the message says so.
func TestKeysAreCapped(t *testing.T) {
	homeless(t)
	newAgent(t, 8)
	f := newFixture(t, sshtest.Config{}, Options{})
	f.ep.Identity = nil
	_, err := f.dialer.Dial(t.Context(), f.ep)
	var auth *AuthError
	if !errors.As(err, &auth) || len(auth.Tried) != 5 {
		t.Fatalf("got %v", err)
	}
	for _, text := range []string{`agent key "key 1" SHA256:`, "3 more keys were not tried"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("message lacks %q: %s", text, err)
		}
	}
}

func TestAgentLogin(t *testing.T) {
	homeless(t)
	keys := newAgent(t, 3)
	f := newFixture(t, sshtest.Config{Handler: who, Keys: keys[2:]}, Options{})
	f.ep.Identity = nil
	f.ep.User = "deploy"
	if got, want := f.loggedInAs(t), "deploy "+ssh.FingerprintSHA256(keys[2]); got != want {
		t.Errorf("logged in as %q, want %q", got, want)
	}
}

// The key that logged in is offered first when dialling again: no refused offer
// is added to the host's count.
func TestRedialOffersTheRightKeyFirst(t *testing.T) {
	homeless(t)
	keys := newAgent(t, 3)
	f := newFixture(t, sshtest.Config{Handler: who, Keys: keys[2:]}, Options{})
	f.ep.Identity = nil
	target := f.dial(t).Pinned()
	l := &login{order: order{ep: f.ep, peer: peerOf(f.ep), hostKeys: target.pin, prefer: target.identity}}
	conn, err := f.dialer.login(t.Context(), l, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if len(l.tried) != 1 || !strings.HasSuffix(l.tried[0], ssh.FingerprintSHA256(keys[2])) {
		t.Errorf("offered %q", l.tried)
	}
}

func TestDefaultIdentity(t *testing.T) {
	home := homeless(t)
	f := newFixture(t, sshtest.Config{Handler: who}, Options{})
	text, err := os.ReadFile(f.ep.Identity[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "id_ed25519"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	f.ep.Identity = nil
	f.dial(t)
	f.ep.Identity = []string{"~/.ssh/id_ed25519"}
	f.dial(t)
}

// Without any key nothing is sent to the host: a connection without a login
// would be held against us (PerSourcePenalties).
func TestNoKeyAtAll(t *testing.T) {
	homeless(t)
	f := newFixture(t, sshtest.Config{}, Options{})
	f.ep.Identity = nil
	_, err := f.dialer.Dial(t.Context(), f.ep)
	want := fmt.Sprintf("web1 (%s): login as admin: no key to offer; SSH_AUTH_SOCK is not set; "+
		"load a key with ssh-add, or name a key file under ssh.identity", f.Addr())
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if f.Connections() != 0 {
		t.Error("a connection was made")
	}
	var auth *AuthError
	if err := f.dialer.Check(t.Context(), f.ep); !errors.As(err, &auth) {
		t.Errorf("Check: %v", err)
	}
}

// An encrypted key is usable through an agent that holds it, and only then.
func TestEncryptedKey(t *testing.T) {
	homeless(t)
	path, key := sshtest.NewIdentity(t, "secret")
	f := newFixture(t, sshtest.Config{Handler: who, Keys: []ssh.PublicKey{key}}, Options{})
	f.ep.Identity = []string{path}
	_, err := f.dialer.Dial(t.Context(), f.ep)
	if want := path + " is encrypted, and SSH_AUTH_SOCK is not set; type: ssh-add " + path; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}

	newAgent(t, 1)
	f.dialer = New(Options{})
	_, err = f.dialer.Dial(t.Context(), f.ep)
	if want := path + " is encrypted, and ssh-agent does not hold it; type: ssh-add " + path; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	private, err := ssh.ParseRawPrivateKeyWithPassphrase(text, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Add(agent.AddedKey{PrivateKey: stranger}); err != nil {
		t.Fatal(err)
	}
	serveAgent(t, func(conn net.Conn) { agent.ServeAgent(ring, conn) })
	f.dialer = New(Options{})
	if got, want := f.loggedInAs(t), "admin "+ssh.FingerprintSHA256(key); got != want {
		t.Errorf("logged in as %q, want %q", got, want)
	}
	// The agent's other key is not offered.
	other := newFixture(t, sshtest.Config{}, Options{})
	other.ep.Identity = []string{path}
	_, err = other.dialer.Dial(t.Context(), other.ep)
	var auth *AuthError
	if !errors.As(err, &auth) || len(auth.Tried) != 1 || !strings.HasSuffix(auth.Tried[0], ssh.FingerprintSHA256(key)) {
		t.Errorf("got %v", err)
	}
}

// A certificate beside the key file is offered, as ssh does.
func TestUserCertificate(t *testing.T) {
	homeless(t)
	authority := sshtest.NewKey(t)
	f := newFixture(t, sshtest.Config{Handler: who, Authority: authority.PublicKey()}, Options{})
	path, key := sshtest.NewIdentity(t, "")
	cert := &ssh.Certificate{Key: key, CertType: ssh.UserCert, ValidPrincipals: []string{"admin"}, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"-cert.pub", ssh.MarshalAuthorizedKey(cert), 0o644); err != nil {
		t.Fatal(err)
	}
	f.ep.Identity = []string{path}
	f.dial(t)
}

// A broken agent costs its own time and no more; files still log in.
func TestBadAgents(t *testing.T) {
	tests := []struct {
		name  string
		serve func(net.Conn)
	}{
		{"silent", func(conn net.Conn) { io.Copy(io.Discard, conn) }},
		{"success for an answer", func(conn net.Conn) {
			conn.Write([]byte{0, 0, 0, 1, 6})
			io.Copy(io.Discard, conn)
		}},
		{"empty answer", func(conn net.Conn) {
			conn.Write([]byte{0, 0, 0, 0})
			io.Copy(io.Discard, conn)
		}},
		{"huge answer", func(conn net.Conn) {
			conn.Write([]byte{0xff, 0xff, 0xff, 0xff})
			io.Copy(io.Discard, conn)
		}},
		{"garbage keys", func(conn net.Conn) {
			conn.Write([]byte{0, 0, 0, 9, 12, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff})
			io.Copy(io.Discard, conn)
		}},
		{"hangs up", func(conn net.Conn) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			home := homeless(t)
			serveAgent(t, tt.serve)
			f := newFixture(t, sshtest.Config{Handler: who}, Options{})
			text, err := os.ReadFile(f.ep.Identity[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(home, ".ssh", "id_ed25519"), text, 0o600); err != nil {
				t.Fatal(err)
			}
			f.ep.Identity = nil
			f.ep.ConnectTimeout *= 4 // the agent has 2 s of it
			within(t, 4*soon+slack, "Dial", func() { f.dial(t) })
		})
	}
}

// An agent that stops answering when asked to sign, as while a person looks for
// a token, is waited for no longer than the login may take.
func TestAgentHangsInSigning(t *testing.T) {
	homeless(t)
	ring := agent.NewKeyring()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	serveAgent(t, func(conn net.Conn) { agent.ServeAgent(slowAgent{ring}, conn) })
	f := newFixture(t, sshtest.Config{Keys: []ssh.PublicKey{key}}, Options{})
	f.ep.Identity = nil
	within(t, soon+slack, "Dial", func() {
		_, err := f.dialer.Dial(t.Context(), f.ep)
		var dial *DialError
		if !errors.As(err, &dial) || dial.Kind != DialTimeout || dial.Stage != stageLogin {
			t.Errorf("got %v", err)
		} else if !strings.Contains(err.Error(), "agent key ") || !strings.Contains(err.Error(), "did not sign within") {
			t.Errorf("the host is blamed: %v", err)
		}
	})
}

// What logged in with a key file is not kept from the confirming connection by
// an agent that takes connections and says nothing.
func TestRedialAsksNoAgentForAKeyFile(t *testing.T) {
	home := homeless(t)
	var asked atomic.Int32
	serveAgent(t, func(conn net.Conn) {
		asked.Add(1)
		io.Copy(io.Discard, conn)
	})
	f := newFixture(t, sshtest.Config{}, Options{})
	key, err := os.ReadFile(f.ep.Identity[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "id_ed25519"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	f.ep.Identity, f.ep.ConnectTimeout = nil, 10*slack
	conn := f.dial(t)
	again, err := f.dialer.Redial(t.Context(), conn.Pinned())
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if n := asked.Load(); n != 1 {
		t.Errorf("the agent was asked %d times, want once, by the first login", n)
	}
}

type slowAgent struct{ agent.Agent }

func (slowAgent) Sign(ssh.PublicKey, []byte) (*ssh.Signature, error) {
	ctx, cancel := context.WithTimeout(context.Background(), soon+slack)
	defer cancel()
	<-ctx.Done()
	return nil, ctx.Err()
}

// An agent that refuses to sign with one key does not keep the others from
// being tried.
func TestAgentRefusesOneKey(t *testing.T) {
	home := homeless(t)
	keys := newAgent(t, 1)
	socket := os.Getenv("SSH_AUTH_SOCK")
	serveAgent(t, func(conn net.Conn) {
		inner, err := net.Dial("unix", socket)
		if err != nil {
			return
		}
		defer inner.Close()
		agent.ServeAgent(refusingAgent{agent.NewClient(inner)}, conn)
	})
	f := newFixture(t, sshtest.Config{Handler: who, Keys: keys}, Options{})
	text, err := os.ReadFile(f.ep.Identity[0])
	if err != nil {
		t.Fatal(err)
	}
	f.ep.Identity = nil
	_, err = f.dialer.Dial(t.Context(), f.ep)
	var auth *AuthError
	if !errors.As(err, &auth) || auth.Err == nil || !strings.Contains(err.Error(), "failed to sign") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "id_ed25519"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	f.dialer = New(Options{})
	f.dial(t)
}

type refusingAgent struct{ agent.Agent }

func (refusingAgent) Sign(ssh.PublicKey, []byte) (*ssh.Signature, error) {
	return nil, errors.New("no")
}
