package sshtest

import (
	"fmt"
	"io"
	"slices"
	"testing"

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
