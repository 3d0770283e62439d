package transport

import (
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"fwpush/internal/sshtest"
)

// Which agent is asked, and for which of its keys, is the endpoint's to say.
func TestAgentOfAnEndpoint(t *testing.T) {
	homeless(t)
	keys := newAgent(t, 2)
	socket := os.Getenv("SSH_AUTH_SOCK")
	newAgent(t, 1) // the usual one has other keys
	f := newFixture(t, sshtest.Config{Handler: who, Keys: keys[1:]}, Options{})
	file := f.ep.Identity
	f.ep.Identity, f.ep.IdentityAgent = nil, socket
	if got, want := f.loggedInAs(t), "admin "+ssh.FingerprintSHA256(keys[1]); got != want {
		t.Errorf("logged in as %q, want %q", got, want)
	}

	stranger, _ := sshtest.NewIdentity(t, "")
	f.ep.Identity = []string{stranger}
	var auth *AuthError
	if _, err := f.dialer.Dial(t.Context(), f.ep); !errors.As(err, &auth) || len(auth.Tried) != 1 {
		t.Errorf("with IdentitiesOnly: %v", err)
	}
	f.ep.OtherKeys = true
	if got, want := f.loggedInAs(t), "admin "+ssh.FingerprintSHA256(keys[1]); got != want {
		t.Errorf("logged in as %q, want %q", got, want)
	}

	f.ep.Identity, f.ep.OtherKeys, f.ep.IdentityAgent = nil, false, "none"
	if _, err := f.dialer.Dial(t.Context(), f.ep); err == nil || !strings.Contains(err.Error(), "no key to offer; IdentityAgent is none; load a key") {
		t.Errorf("without an agent: %v", err)
	}
	f.ep.Identity = file
	f.dial(t)
}

// A certificate that is named goes with the key of an agent or of a file, whichever has it,
// and one that is no certificate is told before anything is sent.
func TestNamedCertificate(t *testing.T) {
	homeless(t)
	authority := sshtest.NewKey(t)
	agentKeys := newAgent(t, 2)
	path, fileKey := sshtest.NewIdentity(t, "")
	for name, key := range map[string]ssh.PublicKey{"of an agent's key": agentKeys[1], "of a file's key": fileKey} {
		cert := &ssh.Certificate{Key: key, CertType: ssh.UserCert, ValidPrincipals: []string{"admin"}, ValidBefore: ssh.CertTimeInfinity}
		if err := cert.SignCert(rand.Reader, authority); err != nil {
			t.Fatal(err)
		}
		f := newFixture(t, sshtest.Config{Authority: authority.PublicKey()}, Options{})
		f.ep.Identity = []string{path}
		f.ep.Certificates = []string{writeFile(t, "me-cert.pub", string(ssh.MarshalAuthorizedKey(cert)))}
		if _, err := f.dialer.Dial(t.Context(), f.ep); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		f.ep.Certificates = []string{path}
		if err := f.dialer.Check(t.Context(), f.ep); err == nil || !strings.Contains(err.Error(), path+" is not a certificate; ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
