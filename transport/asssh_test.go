package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"fwpush/internal/sshtest"
)

// hostCert is a certificate of a host key as a test wants it.
func hostCert(t testing.TB, key, authority ssh.Signer, change func(*ssh.Certificate)) ssh.Signer {
	t.Helper()
	cert := &ssh.Certificate{
		Key: key.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{"127.0.0.1"},
		ValidAfter: 1, ValidBefore: uint64(time.Now().Add(time.Hour).Unix()),
	}
	change(cert)
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewCertSigner(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// withSHA1 signs with ssh-rsa, which ssh takes from no authority.
type withSHA1 struct{ ssh.Signer }

func (s withSHA1) Algorithms() []string { return []string{ssh.KeyAlgoRSA} }

func (s withSHA1) SignWithAlgorithm(_ interface{ Read([]byte) (int, error) }, data []byte, _ string) (*ssh.Signature, error) {
	return s.Signer.(ssh.AlgorithmSigner).SignWithAlgorithm(rand.Reader, data, ssh.KeyAlgoRSA)
}

// TestAsSSH asks the real ssh and the Dialer about the same server with the same
// known_hosts: what ssh refuses is refused, and what it accepts is accepted, but for the
// rows that say stricter. Host.Check has the list of these.
func TestAsSSH(t *testing.T) {
	need(t, "ssh")
	ed, ec, rs, other, otherEC := sshtest.NewKey(t), ecdsaKey(t), rsaKey(t), sshtest.NewKey(t), ecdsaKey(t)
	authority, rsaAuthority, wrong := sshtest.NewKey(t), rsaKey(t), sshtest.NewKey(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	ecAuthority := signer(t, p384, err)
	all := []ssh.Signer{rs, ec, ed}
	asIs := func(*ssh.Certificate) {}
	cert := func(key, by ssh.Signer, change func(*ssh.Certificate)) []ssh.Signer {
		return []ssh.Signer{hostCert(t, key, by, change), key}
	}
	line := func(names string, key ssh.Signer) string {
		return names + " " + key.PublicKey().Type() + " " + blob(key.PublicKey()) + "\n"
	}
	// @ stands for the server's [127.0.0.1]:port, # for that hashed, % for the port.
	tests := []struct {
		name     string
		keys     []ssh.Signer
		known    string
		accepted bool // by ssh
		stricter bool // we refuse what ssh accepts
	}{
		{"nothing", all, "", false, false},
		{"the key", all, line("@", ed), true, false},
		{"only rsa recorded", all, line("@", rs), true, false},
		{"only ecdsa recorded", all, line("@", ec), true, false},
		{"hashed with port", all, line("#", ed), true, false},
		{"hashed without port", all, line(knownhosts.HashHostname("127.0.0.1"), ed), true, false},
		{"hashed, another name", all, line(knownhosts.HashHostname("127.0.0.2"), ed), false, false},
		{"without port", all, line("127.0.0.1", ed), true, false},
		{"another port", all, line("[127.0.0.1]:1", ed), false, false},
		{"star", all, line("*", ed), true, false},
		{"star and port", all, line("[*]:%", ed), true, false},
		{"star for the port", all, line("[127.0.0.1]:*", ed), true, false},
		{"star in brackets, wrong port", all, line("[*]:1", ed), false, false},
		{"question marks", all, line("[12?.0.0.?]:%", ed), true, false},
		{"list", all, line("web1,@,10.0.0.1", ed), true, false},
		{"negated", all, line("!@,!127.0.0.1,*", ed), false, false},
		{"negated after", all, line("*,!127.0.0.1,!@", ed), false, false},
		{"negated with the port only", all, line("*,!@", ed), true, false},
		{"negated without the port only", all, line("*,!127.0.0.1", ed), true, false},
		{"negation of another", all, line("*,!10.0.0.1", ed), true, false},
		{"only a negation", all, line("!10.0.0.1", ed), false, false},
		{"lone !", all, line("@,!", ed), true, false},
		{"brackets without port", all, line("[127.0.0.1],@", ed), true, false},
		{"changed", []ssh.Signer{ed}, line("@", other), false, false},
		{"changed, right one behind", []ssh.Signer{ed}, line("@", other) + line("@", ed), true, false},
		{"changed type", []ssh.Signer{ec}, line("@", ed), false, false},
		{"changed without port", []ssh.Signer{ed}, line("127.0.0.1", other), false, false},
		{"right with port, wrong without", []ssh.Signer{ed}, line("127.0.0.1", other) + line("@", ed), true, false},
		{"wrong with port, right without", []ssh.Signer{ed}, line("@", other) + line("127.0.0.1", ed), false, false},
		{"one of two types changed, the one ssh asks for", []ssh.Signer{rs, ed}, line("@", rs) + line("@", other), false, false},
		{"one of two types changed, the other", []ssh.Signer{ec, ed}, line("@", otherEC) + line("@", ed), true, false},
		{"comment", all, strings.TrimSpace(line("@", ed)) + " root@web1 # 1\n", true, false},
		{"odd lines", all, "x\n@new @ ssh-rsa AAAA\n@ ssh-rsa !\n# \n\n\t" + line("@", ed), true, false},
		{"two markers", all, "@revoked @cert-authority " + line("@", ed), false, false},
		{"revoked", all, line("@", ed) + "@revoked " + line("@", ed), false, false},
		{"revoked for all", all, line("@", ed) + "@revoked " + line("*", ed), false, false},
		{"revoked, hashed", all, line("@", ed) + "@revoked " + line("#", ed), false, false},
		{"revoked for another host", all, line("@", ed) + "@revoked " + line("web1", ed), true, true},
		{"revoked without port", all, line("@", ed) + "@revoked " + line("127.0.0.1", ed), true, true},
		{"another key revoked", all, line("@", ed) + "@revoked " + line("*", other), true, false},
		{"authority", cert(ed, authority, asIs), "@cert-authority " + line("@", authority), true, false},
		{"authority for all", cert(ed, authority, asIs), "@cert-authority " + line("*", authority), true, false},
		{"authority hashed", cert(ed, authority, asIs), "@cert-authority " + line("#", authority), true, false},
		{"authority without port", cert(ed, authority, asIs), "@cert-authority " + line("127.0.0.*", authority), true, false},
		{"authority negated", cert(ed, authority, asIs), "@cert-authority " + line("*,!@,!127.0.0.1", authority), false, false},
		{"another authority with port, the right one without", cert(ed, authority, asIs),
			"@cert-authority " + line("@", wrong) + "@cert-authority " + line("127.0.0.1", authority), true, false},
		{"rsa authority, ed25519 key", cert(ed, rsaAuthority, asIs), "@cert-authority " + line("@", rsaAuthority), true, false},
		{"ecdsa authority, rsa key", cert(rs, ecAuthority, asIs), "@cert-authority " + line("@", ecAuthority), true, false},
		{"ed25519 authority, ecdsa key", cert(ec, authority, asIs), "@cert-authority " + line("@", authority), true, false},
		{"rsa authority with SHA-1", cert(ed, withSHA1{rsaAuthority}, asIs), "@cert-authority " + line("@", rsaAuthority), false, false},
		{"authority without marker", cert(ed, authority, asIs), line("@", authority), false, false},
		{"the key of an authority as host key", []ssh.Signer{authority}, "@cert-authority " + line("@", authority), false, false},
		{"no certificate", []ssh.Signer{ed}, "@cert-authority " + line("@", authority), false, false},
		{"no certificate, key recorded", []ssh.Signer{ed}, "@cert-authority " + line("@", authority) + line("@", ed), true, false},
		{"wrong authority", cert(ed, wrong, asIs), "@cert-authority " + line("@", authority), false, false},
		{"wrong authority, key recorded", cert(ed, wrong, asIs), "@cert-authority " + line("@", authority) + line("@", ed), true, false},
		{"certificate, only the key recorded", cert(ec, authority, asIs), line("@", ec), true, false},
		{"for all hosts", cert(ed, authority, func(c *ssh.Certificate) { c.ValidPrincipals = nil }), "@cert-authority " + line("@", authority), true, false},
		{"for another host", cert(ed, authority, func(c *ssh.Certificate) { c.ValidPrincipals = []string{"web1"} }), "@cert-authority " + line("@", authority), false, false},
		{"for a pattern", cert(ed, authority, func(c *ssh.Certificate) { c.ValidPrincipals = []string{"127.*"} }), "@cert-authority " + line("@", authority), false, false},
		{"for name and port", cert(ed, authority, func(c *ssh.Certificate) { c.ValidPrincipals = []string{"[127.0.0.1]:%"} }), "@cert-authority " + line("@", authority), false, false},
		{"expired", cert(ed, authority, func(c *ssh.Certificate) { c.ValidBefore = uint64(time.Now().Unix() - 1) }), "@cert-authority " + line("@", authority), false, false},
		{"expired, key recorded", cert(ed, authority, func(c *ssh.Certificate) { c.ValidBefore = uint64(time.Now().Unix() - 1) }),
			"@cert-authority " + line("@", authority) + line("@", ed), true, false},
		{"not yet valid", cert(ed, authority, func(c *ssh.Certificate) { c.ValidAfter = uint64(time.Now().Unix() + 900) }), "@cert-authority " + line("@", authority), false, false},
		{"for ever", cert(ed, authority, func(c *ssh.Certificate) { c.ValidBefore = ssh.CertTimeInfinity }), "@cert-authority " + line("@", authority), true, false},
		{"of a user", cert(ed, authority, func(c *ssh.Certificate) { c.CertType = ssh.UserCert }), "@cert-authority " + line("@", authority), false, false},
		{"critical option", cert(ed, authority, func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"source-address": "127.0.0.1"} }),
			"@cert-authority " + line("@", authority), false, false},
		{"authority revoked", cert(ed, authority, asIs), "@cert-authority " + line("@", authority) + "@revoked " + line("*", authority), false, false},
		{"certified key revoked", cert(ed, authority, asIs), "@cert-authority " + line("@", authority) + "@revoked " + line("*", ed), false, false},
		{"authority revoked, key recorded", cert(ed, authority, asIs), line("@", ed) + "@cert-authority " + line("@", authority) + "@revoked " + line("*", authority), false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, sshtest.Config{HostKeys: func(netip.Addr) []ssh.Signer { return tt.keys }}, Options{})
			name := knownhosts.Normalize(f.Addr().String())
			text := strings.NewReplacer("@ ", name+" ", "@,", name+",", ",@", ","+name, "#", knownhosts.HashHostname(name),
				"%", fmt.Sprint(f.Addr().Port())).Replace(tt.known)
			f.ep.KnownHosts = []string{writeFile(t, "known_hosts", text)}
			if got := sshAccepts(t, f); got != tt.accepted {
				t.Errorf("ssh accepts: %t, the table says %t\n%s", got, tt.accepted, text)
			}
			conn, err := f.dialer.Dial(t.Context(), f.ep)
			if err == nil {
				conn.Close()
			}
			if want := tt.accepted && !tt.stricter; (err == nil) != want {
				t.Errorf("we accept: %t, want %t: %v\n%s", err == nil, want, err, text)
			}
		})
	}
}

// TestAliasAsSSH has hosts looked up by an alias: then address and port mean nothing, and a
// certificate has to be for the alias.
func TestAliasAsSSH(t *testing.T) {
	need(t, "ssh")
	key, authority := sshtest.NewKey(t), sshtest.NewKey(t)
	cert := hostCert(t, key, authority, func(c *ssh.Certificate) { c.ValidPrincipals = []string{"web1.example"} })
	plain := " ssh-ed25519 " + blob(key.PublicKey()) + "\n"
	signed := " ssh-ed25519 " + blob(authority.PublicKey()) + "\n"
	for _, tt := range []struct {
		name, alias, known string
		accepted           bool
	}{
		{"alias", "web1.example", "web1.example" + plain, true},
		{"address", "web1.example", "127.0.0.1" + plain, false},
		{"alias and port", "web1.example", "[web1.example]:*" + plain, false},
		{"pattern", "web1.example", "*.example" + plain, true},
		{"upper case", "Web1.Example", "web1.example" + plain, true},
		{"certificate for the alias", "web1.example", "@cert-authority *.example" + signed, true},
		{"certificate for another name", "web2.example", "@cert-authority *.example" + signed, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, sshtest.Config{HostKeys: func(netip.Addr) []ssh.Signer { return []ssh.Signer{cert, key} }}, Options{})
			f.ep.KnownHosts = []string{writeFile(t, "known_hosts", tt.known)}
			if got := sshAccepts(t, f, "HostKeyAlias="+tt.alias); got != tt.accepted {
				t.Errorf("ssh accepts: %t, the table says %t", got, tt.accepted)
			}
			f.ep.HostKeyAlias = tt.alias
			conn, err := f.dialer.Dial(t.Context(), f.ep)
			if err == nil {
				conn.Close()
			}
			if (err == nil) != tt.accepted {
				t.Errorf("we accept: %t, want %t: %v", err == nil, tt.accepted, err)
			}
		})
	}
}

// TestRevokedKeysAsSSH has a file of RevokedHostKeys beside a known_hosts file that knows the
// host. What cannot be read, ssh takes for revoked.
func TestRevokedKeysAsSSH(t *testing.T) {
	need(t, "ssh")
	key, authority, other := sshtest.NewKey(t), sshtest.NewKey(t), sshtest.NewKey(t)
	cert := hostCert(t, key, authority, func(*ssh.Certificate) {})
	text := func(k ssh.Signer) string { return "# gone\n\n" + string(ssh.MarshalAuthorizedKey(k.PublicKey())) }
	for _, tt := range []struct {
		name, revoked, says string
		accepted            bool
	}{
		{"none of them", text(other), "", true},
		{"the key", text(other) + text(key), " is revoked by ssh-ed25519 SHA256:", false},
		{"its authority", text(authority), " is revoked by ssh-ed25519 SHA256:", false},
		{"an odd line", text(other) + "web1\n", ":4 is no public key, ", false},
		{"empty", "", "", true},
		{"binary", "SSHKRL\n\x00", " is a binary list of revoked keys, ", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, sshtest.Config{HostKeys: func(netip.Addr) []ssh.Signer { return []ssh.Signer{cert} }}, Options{})
			f.ep.KnownHosts = []string{writeFile(t, "known_hosts", keyLine("@cert-authority", f.Addr(), authority.PublicKey())+keyLine("", f.Addr(), key.PublicKey()))}
			f.ep.RevokedKeys = writeFile(t, "revoked", tt.revoked)
			if got := sshAccepts(t, f, "RevokedHostKeys="+f.ep.RevokedKeys); got != tt.accepted {
				t.Errorf("ssh accepts: %t, the table says %t", got, tt.accepted)
			}
			conn, err := f.dialer.Dial(t.Context(), f.ep)
			if err == nil {
				conn.Close()
			}
			if (err == nil) != tt.accepted || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}

// With accept-new, what is recorded afterwards is what ssh would have recorded.
func TestAcceptNewAsSSH(t *testing.T) {
	need(t, "ssh")
	ed, ec, rs, other, authority := sshtest.NewKey(t), ecdsaKey(t), rsaKey(t), sshtest.NewKey(t), sshtest.NewKey(t)
	for _, tt := range []struct {
		name  string
		keys  []ssh.Signer
		known func(netip.AddrPort) string
		same  bool // else we refuse what ssh records
	}{
		{"new", []ssh.Signer{rs, ec, ed}, func(netip.AddrPort) string { return "# mine\n" }, true},
		{"new, one type", []ssh.Signer{rs}, func(netip.AddrPort) string { return "" }, true},
		{"known", []ssh.Signer{rs, ec, ed}, func(a netip.AddrPort) string { return keyLine("", a, rs.PublicKey()) }, true},
		{"changed", []ssh.Signer{ed}, func(a netip.AddrPort) string { return keyLine("", a, other.PublicKey()) }, true},
		{"revoked", []ssh.Signer{ed}, func(a netip.AddrPort) string { return keyLine("@revoked", a, ed.PublicKey()) }, true},
		{"authority, no certificate", []ssh.Signer{ed}, func(a netip.AddrPort) string { return keyLine("@cert-authority", a, authority.PublicKey()) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, sshtest.Config{HostKeys: func(netip.Addr) []ssh.Signer { return tt.keys }}, Options{HostKeys: AcceptNew})
			theirs, ours := writeFile(t, "known_hosts", tt.known(f.Addr())), writeFile(t, "known_hosts", tt.known(f.Addr()))
			f.ep.KnownHosts = []string{theirs}
			accepted := sshAccepts(t, f, "StrictHostKeyChecking=accept-new", "HashKnownHosts=no")
			f.ep.KnownHosts = []string{ours}
			conn, err := f.dialer.Dial(t.Context(), f.ep)
			if err == nil {
				conn.Close()
			}
			want, _ := os.ReadFile(theirs)
			got, _ := os.ReadFile(ours)
			if (err == nil) != (accepted && tt.same) {
				t.Errorf("ssh accepts: %t, we: %v", accepted, err)
			}
			if tt.same != (string(got) == string(want)) {
				t.Errorf("recorded\n%sssh recorded\n%s", got, want)
			}
		})
	}
}

// sshAccepts asks ssh.
func sshAccepts(t *testing.T, f *fixture, options ...string) bool {
	t.Helper()
	args := []string{"-F", "none", "-p", fmt.Sprint(f.ep.Port), "-i", f.ep.Identity[0]}
	for _, o := range append(options, "BatchMode=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile="+f.ep.KnownHosts[0],
		"GlobalKnownHostsFile=/dev/null", "IdentitiesOnly=yes", "UpdateHostKeys=no") {
		args = append(args, "-o", o)
	}
	cmd := exec.CommandContext(t.Context(), "ssh", append(args, f.ep.User+"@"+f.ep.Address, "true")...)
	cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK=")
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(string(out), "Host key verification failed") {
		t.Errorf("ssh failed for another reason: %v\n%s", err, out)
	}
	return err == nil
}
