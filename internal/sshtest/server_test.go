package sshtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(t *testing.T, s *Server, key ssh.Signer) *ssh.Client {
	t.Helper()
	client, err := ssh.Dial("tcp", s.Addr().String(), &ssh.ClientConfig{
		User: "me", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(s.hostKey.PublicKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// What sshd would refuse without being configured for it is refused here, so
// that a client under test cannot come to depend on it.
func TestRefusesWhatSSHDRefuses(t *testing.T) {
	key := NewKey(t)
	s := New(t, Config{Keys: []ssh.PublicKey{key.PublicKey()}})
	client := connect(t, s, key)
	for _, kind := range []string{"direct-tcpip", "direct-streamlocal@openssh.com", "x11", "auth-agent@openssh.com"} {
		if channel, _, err := client.OpenChannel(kind, nil); err == nil {
			channel.Close()
			t.Errorf("channel %s was opened", kind)
		}
	}
	for _, kind := range []string{"tcpip-forward", "no-more-sessions@openssh.com"} {
		if ok, _, err := client.SendRequest(kind, true, nil); ok || err != nil {
			t.Errorf("%s: %t, %v", kind, ok, err)
		}
	}
	channel, requests, err := client.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(requests)
	for _, kind := range []string{"env", "pty-req", "x11-req", "auth-agent-req@openssh.com", "shell", "subsystem"} {
		if ok, err := channel.SendRequest(kind, true, nil); ok || err != nil {
			t.Errorf("%s: %t, %v", kind, ok, err)
		}
	}
	command := ssh.Marshal(struct{ Command string }{"true"})
	for i, want := range []bool{true, false} {
		if ok, err := channel.SendRequest("exec", true, command); ok != want || err != nil {
			t.Errorf("exec number %d: %t, %v", i+1, ok, err)
		}
	}
	if got := s.Commands(); !slices.Equal(got, []string{"true", "true"}) {
		t.Errorf("commands %q", got)
	}
}

// A client that mentions a good key and then logs in with another is the other
// (CVE-2024-45337).
func TestLoginIsTheKeyThatSigned(t *testing.T) {
	mentioned, used := NewKey(t), NewKey(t)
	s := New(t, Config{
		Keys: []ssh.PublicKey{mentioned.PublicKey(), used.PublicKey()},
		Handler: func(x *Exec) Exit {
			fmt.Fprint(x.Stdout, x.Key)
			return Exit{}
		},
	})
	client, err := ssh.Dial("tcp", s.Addr().String(), &ssh.ClientConfig{
		User: "me", Auth: []ssh.AuthMethod{ssh.PublicKeys(noSigner{mentioned.PublicKey()}, used)},
		AuthCallback: func(auth *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
			if slices.Contains(auth.TriedMethods, "publickey") {
				return ssh.PublicKeys(used), nil
			}
			return nil, nil
		},
		HostKeyCallback: ssh.FixedHostKey(s.hostKey.PublicKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, err := session.Output("who")
	if want := ssh.FingerprintSHA256(used.PublicKey()); string(out) != want || err != nil {
		t.Errorf("got %s, %v, want %s", out, err, want)
	}
}

// noSigner has a public key and cannot sign.
type noSigner struct{ key ssh.PublicKey }

func (s noSigner) PublicKey() ssh.PublicKey { return s.key }

func (noSigner) Sign(io.Reader, []byte) (*ssh.Signature, error) { return nil, io.ErrUnexpectedEOF }

// TestRoundTrip: an answer comes no earlier than a round trip after its question, the first one two
// after the connection was asked for; and what was sent arrives before the end does.
func TestRoundTrip(t *testing.T) {
	const far = 30 * time.Millisecond
	s := New(t, Config{RoundTrip: far})
	began := time.Now()
	raw, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	in := bufio.NewReader(raw)
	if _, err := in.ReadString('\n'); err != nil || time.Since(began) < 2*far {
		t.Errorf("the version came after %v: %v", time.Since(began), err)
	}
	began = time.Now()
	raw.(*net.TCPConn).CloseWrite() // and so the server gives up
	if _, err := io.Copy(io.Discard, in); err != nil || time.Since(began) < far {
		t.Errorf("the end came after %v: %v", time.Since(began), err)
	}
}
