package transport

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"fwpush/internal/sshtest"
	"fwpush/transport/trust"
)

// A host is asked for each type of key it has, with a connection for each and no more,
// and is never logged in to. The first key that is recorded is enough.
func TestShowing(t *testing.T) {
	ed, ec, rs := sshtest.NewKey(t), ecdsaKey(t), rsaKey(t)
	authority := sshtest.NewKey(t)
	certified := certify(t, ec, authority, time.Now().Add(time.Hour))
	tests := []struct {
		name        string
		keys        []ssh.Signer
		known       func(netip.AddrPort) string
		standing    Standing
		types       []string
		connections int
	}{
		{"unknown", []ssh.Signer{rs, ec, ed}, func(netip.AddrPort) string { return "" }, StandingNew, []string{"ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"}, 3},
		{"one key", []ssh.Signer{rs}, func(netip.AddrPort) string { return "" }, StandingNew, []string{"ssh-rsa"}, 1},
		{"known", []ssh.Signer{rs, ec, ed}, func(a netip.AddrPort) string { return keyLine("", a, ec.PublicKey()) }, StandingKnown, []string{"ecdsa-sha2-nistp256"}, 1},
		{"changed", []ssh.Signer{ec, ed}, func(a netip.AddrPort) string { return keyLine("", a, rs.PublicKey()) }, StandingChanged, []string{"ssh-ed25519", "ecdsa-sha2-nistp256"}, 2},
		{"certified", []ssh.Signer{ed, certified, ec}, func(a netip.AddrPort) string { return keyLine("@cert-authority", a, authority.PublicKey()) },
			StandingKnown, []string{"ecdsa-sha2-nistp256"}, 1},
		{"another authority", []ssh.Signer{certified, ec}, func(a netip.AddrPort) string { return keyLine("@cert-authority", a, ed.PublicKey()) },
			StandingUncertified, []string{"ecdsa-sha2-nistp256"}, 1},
		{"second key revoked", []ssh.Signer{ed, ec}, func(a netip.AddrPort) string { return keyLine("@revoked", a, ec.PublicKey()) },
			StandingRevoked, []string{"ssh-ed25519", "ecdsa-sha2-nistp256"}, 2},
		{"certificate of nobody known", []ssh.Signer{ed, certified}, func(netip.AddrPort) string { return "" }, StandingNew, []string{"ssh-ed25519"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, sshtest.Config{HostKeys: func(netip.Addr) []ssh.Signer { return tt.keys }}, Options{HostKeys: Collect})
			f.ep.KnownHosts = []string{writeFile(t, "known_hosts", tt.known(f.Addr()))}
			f.ep.Identity = []string{"/nonexistent"} // no key is needed
			s, err := f.dialer.Showing(t.Context(), f.ep)
			if err != nil {
				t.Fatal(err)
			}
			var types []string
			for _, key := range s.Keys {
				types = append(types, key.Type)
			}
			if !slices.Equal(types, tt.types) || f.Connections() != tt.connections || s.Standing != tt.standing {
				t.Errorf("%s: %q by %d connections, want %s: %q by %d", s.Standing, types, f.Connections(), tt.standing, tt.types, tt.connections)
			}
			if asked := f.Requests(); len(asked) > 0 {
				t.Errorf("asked for %v", asked)
			}
		})
	}
}

// A host that hangs up or says nothing is unreachable, and says so as a login would.
func TestShowingFaults(t *testing.T) {
	for at, want := range map[sshtest.Action]DialKind{sshtest.Drop: DialClosed, sshtest.Hang: DialTimeout} {
		f := newFixture(t, sshtest.Config{Fault: func(int) sshtest.Fault { return sshtest.Fault{At: sshtest.Accept, Do: at} }}, Options{HostKeys: Collect})
		_, err := f.dialer.Showing(t.Context(), f.ep)
		var dial *DialError
		if !errors.As(err, &dial) || dial.Kind != want {
			t.Errorf("%s: got %v", at, err)
		}
	}
}

// A new host that is met by two logins at a time, as one that is a jump host too, is one.
func TestMetOnce(t *testing.T) {
	f := newFixture(t, sshtest.Config{}, Options{HostKeys: AcceptNew})
	f.ep.KnownHosts = []string{writeFile(t, "known_hosts", "")}
	var both []order
	for range 2 {
		o, err := f.dialer.order(f.ep)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, o)
	}
	for _, o := range both {
		conn, err := f.dialer.enter(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	if met := f.dialer.Met(); len(met) != 1 {
		t.Errorf("met %v", met)
	}
}

// An sshd that takes no connection while others are logging in (MaxStartups) is asked again.
func TestShowingOfABusyHost(t *testing.T) {
	f := newFixture(t, sshtest.Config{Fault: func(conn int) sshtest.Fault {
		if conn == 1 {
			return sshtest.Fault{At: sshtest.Accept, Do: sshtest.Drop}
		}
		return sshtest.Fault{}
	}}, Options{HostKeys: Collect})
	f.ep.ConnectTimeout = time.Minute
	if s, err := f.dialer.Showing(t.Context(), f.ep); err != nil || s.Standing != StandingKnown {
		t.Errorf("%s, %v", s.Standing, err)
	}
}

// With accept-new an unknown key is recorded before the login, and so is known to the
// next run; keys that have changed, are revoked, or lack the certificate of a recorded
// authority are refused as ever.
func TestAcceptNew(t *testing.T) {
	ed, ec, other := sshtest.NewKey(t), ecdsaKey(t), sshtest.NewKey(t)
	tests := []struct {
		name  string
		known func(netip.AddrPort) string
		want  trust.Kind
	}{
		{"unknown", func(netip.AddrPort) string { return "# mine\n" }, ""},
		{"known", func(a netip.AddrPort) string { return keyLine("", a, ec.PublicKey()) }, ""},
		{"changed", func(a netip.AddrPort) string { return keyLine("", a, other.PublicKey()) }, trust.Changed},
		{"changed type", func(a netip.AddrPort) string { return keyLine("", a, rsaKey(t).PublicKey()) }, trust.Changed},
		{"revoked", func(a netip.AddrPort) string { return keyLine("@revoked", a, ed.PublicKey()) }, trust.Revoked},
		{"authority", func(a netip.AddrPort) string { return keyLine("@cert-authority", a, other.PublicKey()) }, trust.Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, sshtest.Config{HostKeys: func(netip.Addr) []ssh.Signer { return []ssh.Signer{ec, ed} }}, Options{HostKeys: AcceptNew})
			before := tt.known(f.Addr())
			f.ep.KnownHosts = []string{writeFile(t, "known_hosts", before)}
			conn, err := f.dialer.Dial(t.Context(), f.ep)
			if err == nil {
				conn.Close()
			}
			after, _ := os.ReadFile(f.ep.KnownHosts[0])
			var refused *HostKeyError
			switch {
			case tt.want == "" && err != nil:
				t.Fatal(err)
			case tt.want != "" && (!errors.As(err, &refused) || refused.Kind != tt.want):
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			want := before
			if tt.name == "unknown" {
				want += keyLine("", f.Addr(), ed.PublicKey())
				if met := f.dialer.Met(); len(met) != 1 || met[0] != (Met{"web1", f.ep.KnownHosts[0]}) {
					t.Errorf("met %v", met)
				}
				strict := New(Options{})
				conn, err := strict.Dial(t.Context(), f.ep)
				if err != nil {
					t.Fatal(err)
				}
				conn.Close()
			}
			if string(after) != want {
				t.Errorf("known_hosts:\n%s\nwant:\n%s", after, want)
			}
		})
	}
}

// Names are hidden where ssh_config(5) has HashKnownHosts, on first contact and by trust.
func TestHashedNames(t *testing.T) {
	for _, policy := range []HostKeyPolicy{AcceptNew, Collect} {
		f := newFixture(t, sshtest.Config{}, Options{HostKeys: policy})
		f.ep.KnownHosts, f.ep.HashNames = []string{writeFile(t, "known_hosts", "")}, true
		if policy == AcceptNew {
			f.dial(t)
		} else {
			s, err := f.dialer.Showing(t.Context(), f.ep)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Record(func(HostKey) bool { return true }); err != nil {
				t.Fatal(err)
			}
		}
		text, _ := os.ReadFile(f.ep.KnownHosts[0])
		if !strings.HasPrefix(string(text), "|1|") {
			t.Errorf("%s: known_hosts:\n%s", policy, text)
		}
		if !sshAccepts(t, f) {
			t.Errorf("%s: ssh does not find the host", policy)
		}
	}
}

// Hundreds of hosts that are met at once by two runs are all recorded, once each.
func TestAcceptNewLosesNoHost(t *testing.T) {
	const hosts = 150
	f := newFixture(t, sshtest.Config{ManyHosts: true}, Options{})
	file := t.TempDir() + "/new/known_hosts"
	runs := []*Dialer{New(Options{HostKeys: AcceptNew}), New(Options{HostKeys: AcceptNew})}
	places := make(chan struct{}, 20)
	errs := make(chan error)
	for _, run := range runs {
		for i := range hosts {
			go func() {
				places <- struct{}{}
				defer func() { <-places }()
				ep := endpoint(f.Server, i)
				ep.Identity, ep.KnownHosts, ep.ConnectTimeout = f.ep.Identity, []string{file}, 20*slack
				conn, err := run.Dial(context.Background(), ep)
				if err == nil {
					conn.Close()
				}
				errs <- err
			}()
		}
	}
	for range len(runs) * hosts {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := sorted(string(text)), sorted(f.KnownHosts(hosts)); !slices.Equal(got, want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
}

func sorted(text string) []string { return slices.Sorted(strings.Lines(text)) }

// A key that cannot be recorded is refused: the next run would meet a new host again.
func TestAcceptNewCannotRecord(t *testing.T) {
	f := newFixture(t, sshtest.Config{}, Options{HostKeys: AcceptNew})
	f.ep.KnownHosts = []string{"/dev/null"}
	_, err := f.dialer.Dial(t.Context(), f.ep)
	want := "is new and cannot be recorded: /dev/null is no regular file; make that file one that you can write, or name another under ssh.known_hosts"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// Whatever a host says first, its algorithms are read or not, and nothing else happens.
func FuzzOffers(f *testing.F) {
	f.Add([]byte("hello\r\nSSH-2.0-x\r\n\x00\x00\x00\x30\x04\x14" + string(make([]byte, 16)) + "\x00\x00\x00\x01a\x00\x00\x00\x03b,c"))
	f.Add([]byte("SSH-2.0-x\n"))
	f.Fuzz(func(t *testing.T, heard []byte) {
		all := strings.Join(offers(heard), ",")
		if !bytes.Contains(heard, []byte(all)) || all != "" && !bytes.HasPrefix(heard, []byte("SSH-")) && !bytes.Contains(heard, []byte("\nSSH-")) {
			t.Fatalf("%q offers %q", heard, all)
		}
	})
}

// OpenSSH's own server shows all of its keys, by one connection for each; with a
// certificate of a known authority one is enough.
func TestRealSSHDShowing(t *testing.T) {
	h := newSSHD(t, "")
	h.stop()
	run(t, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", h.path("ca"))
	run(t, nil, "ssh-keygen", "-q", "-s", h.path("ca"), "-h", "-I", "real", "-n", "127.0.0.1", h.path("host_ecdsa.pub"))
	h.start(t, "HostCertificate "+h.path("host_ecdsa-cert.pub"))
	authority, err := os.ReadFile(h.path("ca.pub"))
	if err != nil {
		t.Fatal(err)
	}
	for known, want := range map[string]Showing{
		"": {Standing: StandingNew, Keys: []HostKey{{Type: "ssh-ed25519"}, {Type: "ecdsa-sha2-nistp256"}}},
		"@cert-authority [127.0.0.1]:* " + string(authority): {Standing: StandingKnown, Keys: []HostKey{{Type: "ecdsa-sha2-nistp256", Certificate: true}}},
	} {
		ep := h.endpoint(t)
		ep.KnownHosts = []string{writeFile(t, "known_hosts", known)}
		s, err := New(Options{HostKeys: Collect}).Showing(t.Context(), ep)
		if err != nil {
			t.Fatal(err)
		}
		if s.Standing != want.Standing || len(s.Keys) != len(want.Keys) {
			t.Errorf("%s: %v, want %s: %v", s.Standing, s.Keys, want.Standing, want.Keys)
			continue
		}
		for i, k := range s.Keys {
			listed := run(t, nil, "ssh-keygen", "-lf", h.path("host_"+strings.Split(strings.TrimPrefix(k.Type, "ssh-"), "-")[0]+".pub"))
			if k.Type != want.Keys[i].Type || k.Certificate != want.Keys[i].Certificate || !strings.Contains(listed, " "+k.Fingerprint+" ") {
				t.Errorf("got %v, want %v, ssh-keygen says %s", k, want.Keys[i], listed)
			}
		}
	}
}
