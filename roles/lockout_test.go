package roles

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"fwpush/inventory"
	"fwpush/roles/internal/addrs"
)

func peer(kind PeerKind, name string, texts ...string) Peer {
	var list []inventory.AddrRange
	for _, s := range texts {
		from, to, ok := strings.Cut(s, "-")
		if !ok {
			to = from
		}
		list = append(list, inventory.AddrRange{From: netip.MustParseAddr(from), To: netip.MustParseAddr(to)})
	}
	p := Peer{Kind: kind, Name: name}
	p.V4, p.V6 = addrs.Merge(list)
	return p
}

func opsPolicy() Policy {
	return Policy{
		Host: "web1",
		Management: Management{
			Peers: []Peer{peer(SetPeer, "ops", "10.0.0.0-10.0.0.255", "2001:db8::-2001:db8::ff")},
			Ports: []uint16{22, 2222},
		},
		Inbound: inventory.Drop, Outbound: inventory.Accept,
	}
}

func TestAdmitsManagement(t *testing.T) {
	for _, tt := range []struct {
		connection string
		want       string // the error, "" for admitted
		hint       string
	}{
		{"10.0.0.7 50000 192.0.2.1 22", "", ""},
		{"10.0.0.7 50000 192.0.2.1 2222", "", ""},
		{"2001:db8::7 50000 2001:db8:1::1 22", "", ""},
		{"10.0.1.7 50000 192.0.2.1 22", "would lock out 10.0.1.7 → 22", "management.from"},
		{"2001:db8::100 50000 2001:db8:1::1 22", "would lock out 2001:db8::100 → 22", "management.from"},
		// Row 28 of the bad inputs: sshd really listens elsewhere.
		{"10.0.0.7 50000 192.0.2.1 2022", "would lock out 10.0.0.7 → 2022", "sshd_ports"},
	} {
		c, err := ParseSSHConnection(tt.connection)
		if err != nil {
			t.Fatal(err)
		}
		err = opsPolicy().AdmitsManagement(c)
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.connection, err)
			}
			continue
		}
		var lockout *LockoutError
		if !errors.As(err, &lockout) || err.Error() != tt.want || !strings.Contains(lockout.Hint(), tt.hint) {
			t.Errorf("%s: got %v, want %q with a hint about %s", tt.connection, err, tt.want, tt.hint)
		}
	}
}

// A role's rule lets the source in, the management pair does not: that rule may
// be narrowed, denied or rate-limited at any time and proves nothing.
func TestAdmitsManagementIgnoresRoles(t *testing.T) {
	p := opsPolicy()
	ssh := Traffic{Ports: []inventory.PortRange{{Proto: "tcp", From: 22, To: 22}}}
	p.In = []Rule{{Verb: inventory.AllowVerb, Traffic: ssh}}
	c := SSHConnection{Client: netip.MustParseAddrPort("203.0.113.9:50000"), Server: netip.MustParseAddrPort("192.0.2.1:22")}
	if err := p.AdmitsManagement(c); err == nil {
		t.Error("a role's rule was taken for a management path")
	}
}

func TestAdmitsManagementWithoutPeers(t *testing.T) {
	p := opsPolicy()
	p.Management.Peers = nil
	c, err := ParseSSHConnection("10.0.0.7 50000 192.0.2.1 22")
	if err != nil {
		t.Fatal(err)
	}
	if p.AdmitsManagement(c) == nil {
		t.Error("an empty management pair admitted somebody")
	}
}

func TestParseSSHConnection(t *testing.T) {
	for _, tt := range []struct{ in, client, server string }{
		{"10.0.0.1 50000 10.0.0.2 22", "10.0.0.1:50000", "10.0.0.2:22"},
		{"2001:db8::1 50000 2001:db8::2 2222", "[2001:db8::1]:50000", "[2001:db8::2]:2222"},
		{"fe80::1%eth0 50000 fe80::2%eth0 22", "[fe80::1]:50000", "[fe80::2]:22"},
		{"::ffff:10.0.0.1 50000 ::ffff:10.0.0.2 22", "10.0.0.1:50000", "10.0.0.2:22"},
	} {
		c, err := ParseSSHConnection(tt.in)
		if err != nil || c.Client.String() != tt.client || c.Server.String() != tt.server {
			t.Errorf("%q: got %v, %v", tt.in, c, err)
		}
	}
	for _, in := range []string{
		"",
		"10.0.0.1 50000 10.0.0.2",
		"10.0.0.1 50000 10.0.0.2 22 ",
		" 10.0.0.1 50000 10.0.0.2 22",
		"10.0.0.1  50000 10.0.0.2 22",
		"10.0.0.1 50000 10.0.0.2 22\n",
		"10.0.0.1\t50000\t10.0.0.2\t22",
		"10.0.0.1 50000 10.0.0.2 0",
		"10.0.0.1 50000 10.0.0.2 022",
		"10.0.0.1 50000 10.0.0.2 +22",
		"10.0.0.1 50000 10.0.0.2 65558",
		"10.0.0.1 50000 10.0.0.2 ssh",
		"010.0.0.1 50000 10.0.0.2 22",
		"UNKNOWN 65535 UNKNOWN 65535",
		"10.0.0.1 50000 2001:db8::2 22",
		"0.0.0.0 50000 10.0.0.2 22",
		"224.0.0.1 50000 10.0.0.2 22",
		"10.0.0.1 50000 10.0.0.2 22\x00",
		strings.Repeat("1", 4096),
	} {
		if c, err := ParseSSHConnection(in); err == nil {
			t.Errorf("%q was taken for %v", in, c)
		} else if len(err.Error()) > 1000 || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
			t.Errorf("%q: the error would put it on a terminal raw or whole: %q", in, err)
		}
	}
}

func FuzzParseSSHConnection(f *testing.F) {
	f.Add("10.0.0.1 50000 10.0.0.2 22")
	f.Add("fe80::1%eth0 50000 fe80::2%eth0 22")
	f.Add("::ffff:10.0.0.1 50000 ::ffff:10.0.0.2 22")
	f.Add("\x1b]0;x\a 1 2 3")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseSSHConnection(s)
		if err != nil {
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("%q: raw control characters in %q", s, err)
			}
			return
		}
		for _, e := range []netip.AddrPort{c.Client, c.Server} {
			if !e.IsValid() || e.Port() == 0 || e.Addr().Zone() != "" || e.Addr().Is4In6() {
				t.Errorf("%q: %v is not plain", s, e)
			}
		}
		if c.Client.Addr().Is4() != c.Server.Addr().Is4() {
			t.Errorf("%q: two families in %v", s, c)
		}
		plain := fmt.Sprintf("%s %d %s %d", c.Client.Addr(), c.Client.Port(), c.Server.Addr(), c.Server.Port())
		if again, err := ParseSSHConnection(plain); err != nil || again != c {
			t.Errorf("%q: the plain form %q means %v, %v", s, plain, again, err)
		}
	})
}
