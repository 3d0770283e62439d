package roles

import (
	"net/netip"
	"strings"
	"testing"
)

func TestProveManagement(t *testing.T) {
	addr := func(s string) netip.Addr {
		if s == "" {
			return netip.Addr{}
		}
		return netip.MustParseAddr(s)
	}
	for _, tt := range []struct {
		name       string
		controller string // management.controller, separated by spaces
		local      string
		target     string
		want       ProofState
		say        string // part of the reason or of the error
	}{
		{"route admitted", "", "10.0.0.7", "10.1.0.1", Admitted, ""},
		{"route refused", "", "10.9.0.1", "10.1.0.1", Refused, "would lock out 10.9.0.1 → 22"},
		{"public route refused", "", "198.51.100.9", "203.0.113.1", Refused, "198.51.100.9"},
		{"IPv6 refused", "", "2001:db8:9::1", "2001:db8:1::1", Refused, "2001:db8:9::1"},
		{"link-local with a zone", "", "fe80::1%eth0", "fe80::2%eth0", Refused, "fe80::1 "},
		{"behind a NAT", "", "10.9.0.1", "203.0.113.1", Undecided, "private"},
		{"behind a NAT, although the private address is admitted", "", "10.0.0.7", "203.0.113.1", Undecided, "private"},
		{"carrier NAT", "", "100.64.1.2", "203.0.113.1", Undecided, "private"},
		{"unique local to global", "", "fd00::1", "2001:db8:1::1", Undecided, "private"},
		{"public to private, refused", "", "198.51.100.9", "10.1.0.1", Refused, "198.51.100.9"},
		{"no address", "", "10.0.0.7", "", Undecided, "does not resolve"},
		{"no route", "", "", "10.1.0.1", Undecided, "no route"},
		{"forwarded port", "", "127.0.0.1", "127.0.0.1", Undecided, "forwarding"},

		{"declared, admitted", "10.0.0.7", "192.0.2.99", "203.0.113.1", Admitted, ""},
		{"declared, refused", "198.51.100.9", "10.0.0.7", "10.1.0.1", Refused, "198.51.100.9"},
		{"declared, one of two refused", "10.0.0.7 198.51.100.9", "10.0.0.7", "10.1.0.1", Refused, "198.51.100.9"},
		{"declared, the other family does not count", "10.0.0.7 2001:db8:9::9", "", "10.1.0.1", Admitted, ""},
		{"declared, none of the family", "2001:db8::1", "10.0.0.7", "10.1.0.1", Undecided, "no IPv4 address"},
		{"declared and no address, admitted", "10.0.0.7 2001:db8::7", "", "", Admitted, ""},
		{"declared and no address, refused", "10.9.0.7", "", "", Refused, "10.9.0.7"},
		{"declared and no address, one of two", "10.0.0.7 2001:db8:9::9", "", "", Undecided, "2001:db8:9::9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := opsPolicy()
			for _, s := range strings.Fields(tt.controller) {
				p.Management.Controller = append(p.Management.Controller, addr(s))
			}
			got := p.ProveManagement(Approach{Target: addr(tt.target), Port: 22, Local: addr(tt.local)})
			said := got.Reason
			if got.Err != nil {
				said = got.Err.Error()
			}
			if got.State != tt.want || !strings.Contains(said, tt.say) || (got.State == Refused) != (got.Err != nil) {
				t.Errorf("got %+v (%s), want %s, %q", got, said, tt.want, tt.say)
			}
		})
	}
}

// A host behind a jump sees one of the addresses of the jump, and not this machine.
func TestProveManagementBehindAJump(t *testing.T) {
	for _, tt := range []struct {
		name   string
		jump   string // its addresses, separated by spaces
		target string
		want   ProofState
		say    string
	}{
		{"admitted", "10.0.0.5", "10.1.0.1", Admitted, ""},
		{"refused", "10.9.0.5", "10.1.0.1", Refused, "would lock out 10.9.0.5 → 22"},
		{"one of two", "10.0.0.5 10.9.0.5", "10.1.0.1", Undecided, "through bastion1, of which 10.9.0.5 is not admitted"},
		{"the other family does not count", "10.0.0.5 2001:db8:9::5", "10.1.0.1", Admitted, ""},
		{"a private address does not reach a public host", "10.9.0.5", "203.0.113.1", Undecided, "which address bastion1 has"},
		{"not of the fleet", "", "10.1.0.1", Undecided, "which address bastion1 has"},
		{"no address of the host, admitted", "10.0.0.5", "", Admitted, ""},
		{"no address of the host, refused", "10.9.0.5", "", Undecided, "10.9.0.5 is not admitted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := Approach{Port: 22, Local: netip.MustParseAddr("198.51.100.9"), Jump: "bastion1"}
			if tt.target != "" {
				a.Target = netip.MustParseAddr(tt.target)
			}
			for _, s := range strings.Fields(tt.jump) {
				a.JumpAddrs = append(a.JumpAddrs, netip.MustParseAddr(s))
			}
			got := opsPolicy().ProveManagement(a)
			said := got.Reason
			if got.Err != nil {
				said = got.Err.Error()
			}
			if got.State != tt.want || !strings.Contains(said, tt.say) {
				t.Errorf("got %+v (%s), want %s, %q", got, said, tt.want, tt.say)
			}
		})
	}
}

// The host is dialled through a forwarded port that its sshd does not know: the
// refusal names the port of the management pair.
func TestProveManagementNamesTheHostsPort(t *testing.T) {
	got := opsPolicy().ProveManagement(Approach{
		Target: netip.MustParseAddr("10.1.0.1"), Port: 10022, Local: netip.MustParseAddr("10.9.0.1")})
	if got.Err == nil || got.Err.Port != 22 {
		t.Errorf("got %+v", got)
	}
}
