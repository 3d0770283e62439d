package transport

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"fwpush/internal/sshtest"
)

// asking answers questions for passphrases, one after the other.
type asking struct {
	answers []string
	asked   []string
	given   [][]byte
}

func (a *asking) passphrase(_ context.Context, path string, _ int) ([]byte, error) {
	a.asked = append(a.asked, path)
	if len(a.answers) == 0 {
		return nil, errors.New("nobody answers")
	}
	word := []byte(a.answers[0])
	a.answers = a.answers[1:]
	a.given = append(a.given, word)
	return word, nil
}

// A passphrase is asked for by Check, once for a key however many hosts need it, and what
// was typed is not kept.
func TestPassphrase(t *testing.T) {
	homeless(t)
	path, key := sshtest.NewIdentity(t, "secret")
	a := &asking{answers: []string{"wrong", "secret"}}
	f := newFixture(t, sshtest.Config{Handler: who, Keys: []ssh.PublicKey{key}}, Options{Passphrase: a.passphrase})
	f.ep.Identity = []string{path}
	for range 2 {
		if err := f.dialer.Check(t.Context(), f.ep); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{path, path}; !slices.Equal(a.asked, want) {
		t.Errorf("asked for %q, want %q", a.asked, want)
	}
	for _, word := range a.given {
		if strings.Trim(string(word), "\x00") != "" {
			t.Errorf("%q is kept", word)
		}
	}
	if got, want := f.loggedInAs(t), "admin "+ssh.FingerprintSHA256(key); got != want {
		t.Errorf("logged in as %q, want %q", got, want)
	}
}

// Three wrong ones are the end of it, for all hosts, before any was dialled.
func TestPassphraseWrong(t *testing.T) {
	homeless(t)
	path, _ := sshtest.NewIdentity(t, "secret")
	a := &asking{answers: []string{"a", "b", "c", "secret"}}
	f := newFixture(t, sshtest.Config{}, Options{Passphrase: a.passphrase})
	f.ep.Identity = []string{path}
	for range 2 {
		err := f.dialer.Check(t.Context(), f.ep)
		want := path + " is encrypted, 3 passphrases were wrong, and SSH_AUTH_SOCK is not set; type: ssh-add " + path
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	if len(a.asked) != 3 || f.Connections() != 0 {
		t.Errorf("asked %d times, %d connections", len(a.asked), f.Connections())
	}
}

// Nobody is asked for a key that the agent holds, nor for a usual one beside others that
// can be used; and a login never asks.
func TestNobodyIsAskedInVain(t *testing.T) {
	home := homeless(t)
	path, _ := sshtest.NewIdentity(t, "secret")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(home+"/.ssh/id_rsa", text, 0o600); err != nil {
		t.Fatal(err)
	}
	a := &asking{}
	f := newFixture(t, sshtest.Config{}, Options{Passphrase: a.passphrase})
	good, err := os.ReadFile(f.ep.Identity[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(home+"/.ssh/id_ed25519", good, 0o600); err != nil {
		t.Fatal(err)
	}
	f.ep.Identity = nil
	if err := f.dialer.Check(t.Context(), f.ep); err != nil {
		t.Fatal(err)
	}
	f.dial(t)
	f.ep.Identity = []string{path}
	if _, err := f.dialer.Dial(t.Context(), f.ep); err == nil {
		t.Error("logged in")
	}
	if len(a.asked) > 0 {
		t.Errorf("asked for %q", a.asked)
	}
	if err := f.dialer.Check(t.Context(), f.ep); err == nil || err.Error() != "nobody answers" {
		t.Errorf("got %v", err)
	}
}

// The only usual key is asked for, though nobody named it.
func TestUsualKeyIsAskedFor(t *testing.T) {
	home := homeless(t)
	path, key := sshtest.NewIdentity(t, "secret")
	if err := os.Rename(path, home+"/.ssh/id_ed25519"); err != nil {
		t.Fatal(err)
	}
	a := &asking{answers: []string{"secret"}}
	f := newFixture(t, sshtest.Config{Keys: []ssh.PublicKey{key}}, Options{Passphrase: a.passphrase})
	f.ep.Identity = nil
	if err := f.dialer.Check(t.Context(), f.ep); err != nil {
		t.Fatal(err)
	}
	f.dial(t)
}

// An old key file has no check of its passphrase: what comes out is no key.
func TestPassphraseOldFormat(t *testing.T) {
	need(t, "ssh-keygen")
	homeless(t)
	path := t.TempDir() + "/id"
	run(t, nil, "ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "secret", "-f", path)
	public, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(public)
	if err != nil {
		t.Fatal(err)
	}
	a := &asking{answers: []string{"x", "y", "secret"}}
	f := newFixture(t, sshtest.Config{Keys: []ssh.PublicKey{key}}, Options{Passphrase: a.passphrase})
	f.ep.Identity = []string{path}
	if err := f.dialer.Check(t.Context(), f.ep); err != nil {
		t.Fatal(err)
	}
	f.dial(t)
}

// A certificate that has expired is not offered, and the message says when it did; the
// key itself still is.
func TestUserCertificateExpired(t *testing.T) {
	homeless(t)
	authority := sshtest.NewKey(t)
	f := newFixture(t, sshtest.Config{Authority: authority.PublicKey()}, Options{})
	path, key := sshtest.NewIdentity(t, "")
	ended := time.Now().Add(-time.Hour)
	cert := &ssh.Certificate{Key: key, KeyId: "me@work", CertType: ssh.UserCert, ValidPrincipals: []string{"admin"}, ValidBefore: uint64(ended.Unix())}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"-cert.pub", ssh.MarshalAuthorizedKey(cert), 0o644); err != nil {
		t.Fatal(err)
	}
	f.ep.Identity = []string{path}
	_, err := f.dialer.Dial(t.Context(), f.ep)
	var auth *AuthError
	if !errors.As(err, &auth) || len(auth.Tried) != 1 {
		t.Fatalf("got %v", err)
	}
	want := `the certificate "me@work" of ` + path + " is expired " + ended.UTC().Format("2006-01-02T15:04:05Z") + ", and here it is "
	if !strings.Contains(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// The certificate beside an encrypted key is used with the agent's key.
func TestUserCertificateForAnAgentKey(t *testing.T) {
	homeless(t)
	authority := sshtest.NewKey(t)
	keys := newAgent(t, 2)
	path := writeFile(t, "id.pub", string(ssh.MarshalAuthorizedKey(keys[1])))
	cert := &ssh.Certificate{Key: keys[1], CertType: ssh.UserCert, ValidPrincipals: []string{"admin"}, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"-cert.pub", ssh.MarshalAuthorizedKey(cert), 0o644); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, sshtest.Config{Authority: authority.PublicKey()}, Options{})
	f.ep.Identity = []string{path}
	conn := f.dial(t)
	again, err := f.dialer.Redial(t.Context(), conn.Pinned())
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}
