package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"fwpush/internal/sshtest"
)

// trustServer stands for the hosts 127.1.0.N of trust's scripts. Each has an ed25519 key of
// its own, but 127.1.0.8 and 127.1.0.9, which share one, and 127.1.0.7, which has the
// certificate of an authority. All of them let keys/good in and connect on.
func trustServer(t *testing.T, keys string) func(*testscript.Env) {
	t.Helper()
	good, err := os.ReadFile(filepath.Join(keys, "good.pub"))
	if err != nil {
		t.Fatal(err)
	}
	user, _, _, _, err := ssh.ParseAuthorizedKey(good)
	if err != nil {
		t.Fatal(err)
	}
	host := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{127, 1, 0, byte(n)}) }
	hostKeys := map[netip.Addr]ssh.Signer{}
	for n := range 9 {
		hostKeys[host(n)] = sshtest.NewKey(t)
	}
	hostKeys[host(9)] = hostKeys[host(8)]
	authority := sshtest.NewKey(t)
	cert := &ssh.Certificate{Key: hostKeys[host(7)].PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{"127.1.0.7"},
		ValidBefore: uint64(time.Now().Add(time.Hour).Unix())}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	certified, err := ssh.NewCertSigner(cert, hostKeys[host(7)])
	if err != nil {
		t.Fatal(err)
	}
	server := sshtest.New(t, sshtest.Config{
		ManyHosts: true, Keys: []ssh.PublicKey{user},
		Forward: func(_ context.Context, address string) string { return address },
		HostKeys: func(at netip.Addr) []ssh.Signer {
			if at == host(7) {
				return []ssh.Signer{certified, hostKeys[at]}
			}
			return []ssh.Signer{hostKeys[at]}
		},
	})
	port := server.Addr().Port()
	name := func(n int) string { return fmt.Sprintf("[%s]:%d", host(n), port) }
	stranger := sshtest.NewKey(t).PublicKey()
	var fingerprints strings.Builder
	for n := 1; n <= 2; n++ {
		fmt.Fprintf(&fingerprints, "web%d %s\n", n, ssh.FingerprintSHA256(hostKeys[host(n)].PublicKey()))
	}
	fmt.Fprintf(&fingerprints, "256 %s root@web3 (ED25519)\n", ssh.FingerprintSHA256(stranger))
	files := map[string]string{
		"other":        knownhosts.Line([]string{name(1)}, stranger) + "\n",
		"authority":    "@cert-authority [127.1.0.*]:* " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(authority.PublicKey()))) + "\n",
		"revoked":      "@revoked * " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(hostKeys[host(1)].PublicKey()))) + "\n",
		"fingerprints": fingerprints.String(),
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(keys, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(env *testscript.Env) {
		env.Setenv("PORT", fmt.Sprint(port))
		env.Setenv("WEB1", ssh.FingerprintSHA256(hostKeys[host(1)].PublicKey()))
	}
}
