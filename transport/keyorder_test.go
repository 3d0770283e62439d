package transport

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"fwpush/internal/sshtest"
)

var offering = regexp.MustCompile(`Offering public key: .* (SHA256:\S+)`)

// TestKeysInTheOrderOfSSH has an agent that holds more keys than a host looks at. Then the
// order decides about the login, and it is that of the real ssh.
func TestKeysInTheOrderOfSSH(t *testing.T) {
	need(t, "ssh")
	homeless(t)
	authority := sshtest.NewKey(t)
	ring := agent.NewKeyring()
	name := map[string]string{} // by fingerprint
	const held = 8
	var files []string
	for i := range held + 2 {
		path, key := sshtest.NewIdentity(t, "")
		cert := &ssh.Certificate{Key: key, CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity}
		if err := cert.SignCert(rand.Reader, authority); err != nil {
			t.Fatal(err)
		}
		for end, public := range map[string]ssh.PublicKey{".pub": key, ".cert": cert} {
			if err := os.WriteFile(path+end, ssh.MarshalAuthorizedKey(public), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		files = append(files, path)
		name[ssh.FingerprintSHA256(key)] = fmt.Sprint(i)
		if i >= held {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		private, err := ssh.ParseRawPrivateKey(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := ring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
			t.Fatal(err)
		}
	}
	serveAgent(t, func(conn net.Conn) { agent.ServeAgent(ring, conn) })
	for _, tt := range []struct{ name, key, certificate string }{
		{"the last of the agent", files[held-1], ""},
		{"one that only the agent can use", files[held-1] + ".pub", ""},
		{"one of a file", files[held], ""},
		{"a certificate of a key of the agent", files[held-1], files[held-2] + ".cert"},
		{"a certificate of a file", files[held], files[held] + ".cert"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, sshtest.Config{}, Options{})
			f.ep.Identity, f.ep.OtherKeys = []string{tt.key}, true
			args := []string{"-v", "-F", "none", "-p", fmt.Sprint(f.ep.Port), "-i", tt.key, "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=" + f.ep.KnownHosts[0]}
			if tt.certificate != "" {
				f.ep.Certificates = []string{tt.certificate}
				args = append(args, "-o", "CertificateFile="+tt.certificate)
			}
			out, _ := exec.CommandContext(t.Context(), "ssh", append(args, "admin@127.0.0.1", "true")...).CombinedOutput() // nobody is let in
			var got, want []string
			for _, m := range offering.FindAllSubmatch(out, -1) {
				want = append(want, name[string(m[1])])
			}
			var auth *AuthError
			if _, err := f.dialer.Dial(t.Context(), f.ep); !errors.As(err, &auth) {
				t.Fatal(err)
			}
			for _, tried := range auth.Tried {
				got = append(got, name[tried[strings.LastIndexByte(tried, ' ')+1:]])
			}
			if len(want) < len(got) || len(got) != 5 || !slices.Equal(got, want[:5]) {
				t.Errorf("offered %q, and ssh %q", got, want)
			}
		})
	}
}
