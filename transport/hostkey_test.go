package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"fwpush/internal/sshtest"
	"fwpush/transport/trust"
)

func ecdsaKey(t testing.TB) ssh.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return signer(t, key, err)
}

func rsaKey(t testing.TB) ssh.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	return signer(t, key, err)
}

func signer(t testing.TB, key any, err error) ssh.Signer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// certify signs a host key for 127.0.0.1.
func certify(t testing.TB, key, authority ssh.Signer, until time.Time) ssh.Signer {
	t.Helper()
	cert := &ssh.Certificate{
		Key: key.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{"127.0.0.1"},
		ValidAfter: 1, ValidBefore: uint64(until.Unix()),
	}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewCertSigner(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func keyLine(marker string, addr netip.AddrPort, key ssh.PublicKey) string {
	return strings.TrimSpace(marker+" "+knownhosts.Line([]string{addr.String()}, key)) + "\n"
}

// A host with keys of several types, or with a certificate, is accepted by
// whatever is recorded for it, and only by that.
func TestHostKeys(t *testing.T) {
	ed, ec, rs, other := sshtest.NewKey(t), ecdsaKey(t), rsaKey(t), sshtest.NewKey(t)
	authority := sshtest.NewKey(t)
	tomorrow, yesterday := time.Now().Add(24*time.Hour), time.Now().Add(-24*time.Hour)
	all := []ssh.Signer{rs, ec, ed}
	public := func(k ssh.Signer) ssh.PublicKey { return k.PublicKey() }
	tests := []struct {
		name  string
		keys  []ssh.Signer
		known func(netip.AddrPort) string
		want  trust.Kind // "": accepted
		says  []string   // in the message
	}{
		{"only ed25519 recorded", all, func(a netip.AddrPort) string { return keyLine("", a, public(ed)) }, "", nil},
		{"only ecdsa recorded", all, func(a netip.AddrPort) string { return keyLine("", a, public(ec)) }, "", nil},
		{"only rsa recorded", all, func(a netip.AddrPort) string { return keyLine("", a, public(rs)) }, "", nil},
		{"hashed name", all, func(a netip.AddrPort) string {
			return knownhosts.HashHostname(knownhosts.Normalize(a.String())) + " ssh-ed25519 " + blob(public(ed)) + "\n"
		}, "", nil},
		{"wildcard without a port", all, func(netip.AddrPort) string { return "127.0.0.* ssh-ed25519 " + blob(public(ed)) + "\n" }, "", nil},
		{"two keys recorded, one valid", []ssh.Signer{ed}, func(a netip.AddrPort) string {
			return keyLine("", a, public(other)) + keyLine("", a, public(ed))
		}, "", nil},
		{"unknown", all, func(netip.AddrPort) string { return "" }, trust.Unknown,
			[]string{"is not in ", "/known_hosts", "type: fwpush trust -l web1, which shows it and asks; compare with ssh-keygen -lf "}},
		{"another port", all, func(a netip.AddrPort) string {
			return keyLine("", netip.AddrPortFrom(a.Addr(), a.Port()+1), public(ed))
		}, trust.Unknown, nil},
		{"no port, as ssh looks for it last", all, func(netip.AddrPort) string { return "127.0.0.1 ssh-ed25519 " + blob(public(ed)) + "\n" }, "", nil},
		{"no port, another key", []ssh.Signer{ec}, func(netip.AddrPort) string { return "127.0.0.1 ssh-ed25519 " + blob(public(ed)) + "\n" }, trust.Unknown, nil},
		{"no port, beside another key with it", []ssh.Signer{ed}, func(a netip.AddrPort) string {
			return keyLine("", a, public(other)) + "127.0.0.1 ssh-ed25519 " + blob(public(ed)) + "\n"
		}, trust.Changed, nil},
		{"changed", []ssh.Signer{ed}, func(a netip.AddrPort) string { return "# a comment\n" + keyLine("", a, public(other)) }, trust.Changed,
			[]string{ssh.FingerprintSHA256(public(ed)), ssh.FingerprintSHA256(public(other)), "/known_hosts:2", "ssh-keygen -R '[127.0.0.1]:", "/known_hosts && fwpush trust -l web1"}},
		{"changed type", []ssh.Signer{ec}, func(a netip.AddrPort) string { return keyLine("", a, public(ed)) }, trust.Changed,
			[]string{ssh.FingerprintSHA256(public(ec)), ssh.FingerprintSHA256(public(ed)), "/known_hosts:1"}},
		{"revoked", []ssh.Signer{ed}, func(a netip.AddrPort) string {
			return keyLine("", a, public(ed)) + keyLine("@revoked", a, public(ed))
		}, trust.Revoked, []string{"/known_hosts:2", "do not use this host"}},
		{"revoked, only that key recorded", []ssh.Signer{ed}, func(netip.AddrPort) string {
			return "@revoked * ssh-ed25519 " + blob(public(ed)) + "\n"
		}, trust.Revoked, []string{"/known_hosts:1"}},
		{"certificate", []ssh.Signer{certify(t, ed, authority, tomorrow)}, func(a netip.AddrPort) string {
			return keyLine("@cert-authority", a, public(authority))
		}, "", nil},
		// The library asks for certificates of the authority's own key type only.
		{"certificate of another type than its authority", []ssh.Signer{certify(t, ec, authority, tomorrow)}, func(a netip.AddrPort) string {
			return keyLine("@cert-authority", a, public(authority))
		}, "", nil},
		{"certificate beside a plain key, only that recorded", []ssh.Signer{certify(t, ec, authority, tomorrow), ec}, func(a netip.AddrPort) string {
			return keyLine("", a, public(ec))
		}, "", nil},
		{"authority recorded, no certificate", []ssh.Signer{ed}, func(a netip.AddrPort) string {
			return keyLine("@cert-authority", a, public(authority))
		}, trust.Unknown, []string{"has no certificate", "authority ssh-ed25519 " + ssh.FingerprintSHA256(public(authority))}},
		{"certificate has expired", []ssh.Signer{certify(t, ed, authority, yesterday)}, func(a netip.AddrPort) string {
			return keyLine("@cert-authority", a, public(authority))
		}, trust.Unknown, []string{"expired"}},
		{"certificate of another authority", []ssh.Signer{certify(t, ed, other, tomorrow)}, func(a netip.AddrPort) string {
			return keyLine("@cert-authority", a, public(authority))
		}, trust.Unknown, []string{"no @cert-authority line for it has the authority ssh-ed25519 SHA256:"}},
		{"authority revoked", []ssh.Signer{certify(t, ed, authority, tomorrow)}, func(a netip.AddrPort) string {
			return keyLine("@cert-authority", a, public(authority)) + keyLine("@revoked", a, public(authority))
		}, trust.Revoked, []string{"/known_hosts:2"}},
		{"certified key revoked", []ssh.Signer{certify(t, ed, authority, tomorrow)}, func(a netip.AddrPort) string {
			return keyLine("@cert-authority", a, public(authority)) + keyLine("@revoked", a, public(ed))
		}, trust.Revoked, []string{"/known_hosts:2"}},
		{"odd lines around it", all, func(a netip.AddrPort) string {
			return "@strange x y z\nweb1 ssh-ed25519 AAAA\n|2|x|y ssh-rsa AAAA\n" + keyLine("", a, public(ed)) + strings.Repeat("x", 70<<10) + "\n"
		}, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, sshtest.Config{HostKeys: func(netip.Addr) []ssh.Signer { return tt.keys }}, Options{})
			f.ep.KnownHosts = []string{writeFile(t, "known_hosts", tt.known(f.Addr()))}
			conn, err := f.dialer.Dial(t.Context(), f.ep)
			if err == nil {
				defer conn.Close()
			}
			if tt.want == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				again, err := f.dialer.Redial(t.Context(), conn.Pinned())
				if err != nil {
					t.Fatalf("redial refused: %v", err)
				}
				again.Close()
				return
			}
			var refused *HostKeyError
			if !errors.As(err, &refused) || refused.Kind != tt.want {
				t.Fatalf("got %v, want kind %q", err, tt.want)
			}
			for _, text := range append(tt.says, "web1 ("+f.Addr().String()+"): ", refused.Fingerprint) {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("message lacks %q:\n%s", text, err)
				}
			}
		})
	}
}

func blob(key ssh.PublicKey) string {
	return strings.Fields(string(ssh.MarshalAuthorizedKey(key)))[1]
}

func TestUnknownHostMessage(t *testing.T) {
	f := newFixture(t, sshtest.Config{}, Options{})
	file := writeFile(t, "known hosts", "")
	f.ep.KnownHosts = []string{file}
	_, err := f.dialer.Dial(t.Context(), f.ep)
	var refused *HostKeyError
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	want := fmt.Sprintf("web1 (%[1]s): host key ssh-ed25519 %[2]s is not in %[3]s; "+
		"type: fwpush trust -l web1, which shows it and asks; "+
		"compare with ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on the host's console", f.Addr(), refused.Fingerprint, file)
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

// Without files of its own a host is looked up where ssh would look, and it is
// no error that one of them is missing.
func TestDefaultKnownHosts(t *testing.T) {
	f := newFixture(t, sshtest.Config{}, Options{})
	home := t.TempDir()
	t.Setenv("HOME", home)
	f.ep.KnownHosts = nil
	_, err := f.dialer.Dial(t.Context(), f.ep)
	want := "is not in " + home + "/.ssh/known_hosts or /etc/ssh/ssh_known_hosts; "
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	// The second file of the kind is read where there is one.
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	key := f.KnownHosts(1)
	for name, text := range map[string]string{"known_hosts": key, "known_hosts2": "@revoked " + key} {
		if err := os.WriteFile(filepath.Join(home, ".ssh", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err = New(Options{}).Dial(t.Context(), f.ep)
	var refused *HostKeyError
	if !errors.As(err, &refused) || refused.Kind != trust.Revoked {
		t.Errorf("revoked in known_hosts2: %v", err)
	}
}

// A skipped line is named, once, however many hosts are looked up.
func TestOddLinesAreNamed(t *testing.T) {
	f := newFixture(t, sshtest.Config{}, Options{})
	file := writeFile(t, "known_hosts", "\nnot a line\n"+f.KnownHosts(1))
	f.ep.KnownHosts = []string{file}
	f.dial(t)
	f.dial(t)
	if got := f.log.String(); strings.Count(got, file+":2") != 1 || !strings.Contains(got, "level=WARN") {
		t.Errorf("log:\n%s", got)
	}
}

// Redial goes to the address that answered and accepts only the key seen there,
// whatever known_hosts would allow.
func TestRedial(t *testing.T) {
	first, second := sshtest.NewKey(t), sshtest.NewKey(t)
	current := make(chan ssh.Signer, 1)
	current <- first
	f := newFixture(t, sshtest.Config{HostKeys: func(netip.Addr) []ssh.Signer {
		key := <-current
		current <- key
		return []ssh.Signer{key}
	}}, Options{})
	known := keyLine("", f.Addr(), first.PublicKey()) + keyLine("", f.Addr(), second.PublicKey())
	f.ep.KnownHosts = []string{writeFile(t, "known_hosts", known)}
	conn := f.dial(t)
	target := conn.Pinned()
	again, err := f.dialer.Redial(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if f.Connections() != 2 || again.LocalAddr() == conn.LocalAddr() {
		t.Errorf("%d connections, from %s and %s: not a new one", f.Connections(), conn.LocalAddr(), again.LocalAddr())
	}
	if again.Pinned().Addr() != target.Addr() {
		t.Errorf("redialled %s, pinned %s", again.Pinned().Addr(), target.Addr())
	}
	<-current
	current <- second
	_, err = f.dialer.Redial(t.Context(), target)
	var refused *HostKeyError
	if !errors.As(err, &refused) || refused.Kind != trust.Changed {
		t.Fatalf("the second key was accepted: %v", err)
	}
	for _, key := range []ssh.Signer{first, second} {
		if !strings.Contains(err.Error(), ssh.FingerprintSHA256(key.PublicKey())) {
			t.Errorf("message lacks a fingerprint: %s", err)
		}
	}
	// A new run may accept it: it is recorded.
	f.dial(t)
}
