package roles

import (
	"net/netip"
	"testing"

	"fwpush/inventory"
)

func TestVerdict(t *testing.T) {
	tcp := func(from, to uint16) []inventory.PortRange {
		return []inventory.PortRange{{Proto: "tcp", From: from, To: to}}
	}
	udp53 := []inventory.PortRange{{Proto: "udp", From: 53, To: 53}}
	bad := peer(SetPeer, "bad", "198.51.100.0-198.51.100.255")
	p := opsPolicy()
	p.Inbound, p.Outbound, p.Ping, p.DHCPClient = inventory.Drop, inventory.Reject, true, true
	p.In = []Rule{
		{Deny: true, All: true, From: []Peer{bad}, Comment: "bad"},
		{Ports: tcp(80, 90), Comment: "web"},
		{Ports: tcp(5432, 5432), From: []Peer{peer(RolePeer, "web", "192.0.2.11")}, To: []Peer{peer(HostPeer, "db", "192.0.2.21", "2001:db8::21")}, Comment: "pg"},
	}
	p.Out = []Rule{
		{Deny: true, Ports: tcp(25, 25), Comment: "mail"},
		{Ports: udp53, Comment: "dns"},
		{Ports: tcp(1, 100), Comment: "low"},
	}
	open := p
	open.Outbound = inventory.Accept
	quiet := p
	quiet.Ping, quiet.DHCPClient = false, false

	for _, tt := range []struct {
		name   string
		policy Policy
		packet Packet
		want   inventory.Verdict
		rule   string // comment of the deciding rule
	}{
		{"web", p, in("tcp", "203.0.113.9", "192.0.2.1", 80), inventory.Accept, "web"},
		{"end of a range, IPv6", p, in("tcp", "2001:db8:9::9", "2001:db8::1", 90), inventory.Accept, "web"},
		{"behind the range", p, in("tcp", "203.0.113.9", "192.0.2.1", 91), inventory.Drop, ""},
		{"other protocol", p, in("udp", "203.0.113.9", "192.0.2.1", 80), inventory.Drop, ""},
		{"deny beats allow", p, in("tcp", "198.51.100.7", "192.0.2.1", 80), inventory.Drop, "bad"},
		{"deny beats ping", p, in("ping", "198.51.100.7", "192.0.2.1", 0), inventory.Drop, "bad"},
		{"all means every protocol", p, in("gre", "198.51.100.7", "192.0.2.1", 0), inventory.Drop, "bad"},
		{"ping", p, in("ping", "203.0.113.9", "192.0.2.1", 0), inventory.Accept, ""},
		{"ping off", quiet, in("ping", "203.0.113.9", "192.0.2.1", 0), inventory.Drop, ""},
		{"from and to", p, in("tcp", "192.0.2.11", "192.0.2.21", 5432), inventory.Accept, "pg"},
		{"from, not to", p, in("tcp", "192.0.2.11", "192.0.2.22", 5432), inventory.Drop, ""},
		{"to, not from", p, in("tcp", "192.0.2.12", "192.0.2.21", 5432), inventory.Drop, ""},
		{"a peer without the family", p, in("tcp", "2001:db8::11", "2001:db8::21", 5432), inventory.Drop, ""},
		{"management", p, in("tcp", "10.0.0.7", "192.0.2.1", 22), inventory.Accept, ""},
		{"management is for SSH only", p, in("tcp", "10.0.0.7", "192.0.2.1", 23), inventory.Drop, ""},
		{"management is tcp", p, in("udp", "10.0.0.7", "192.0.2.1", 22), inventory.Drop, ""},
		{"dhcp answer", p, withSource(in("udp", "192.0.2.254", "255.255.255.255", 68), 67), inventory.Accept, ""},
		{"dhcp answer, not asked for", quiet, withSource(in("udp", "192.0.2.254", "255.255.255.255", 68), 67), inventory.Drop, ""},
		{"dhcpv6 answer", p, withSource(in("udp", "fe80::1", "fe80::2", 546), 547), inventory.Accept, ""},
		{"dhcpv6 answer from afar", p, withSource(in("udp", "2001:db8::1", "fe80::2", 546), 547), inventory.Drop, ""},

		{"answer of sshd", p, withSource(out("tcp", "192.0.2.1", "10.0.0.7", 50000), 22), inventory.Accept, ""},
		{"answer of sshd to a stranger", p, withSource(out("tcp", "192.0.2.1", "203.0.113.9", 50000), 22), inventory.Reject, ""},
		{"dns out", p, out("udp", "192.0.2.1", "203.0.113.53", 53), inventory.Accept, "dns"},
		{"closed out", p, out("udp", "192.0.2.1", "203.0.113.53", 123), inventory.Reject, ""},
		{"deny out", p, out("tcp", "192.0.2.1", "203.0.113.25", 25), inventory.Reject, "mail"},
		{"deny out of an open host", open, out("tcp", "192.0.2.1", "203.0.113.25", 25), inventory.Reject, "mail"},
		{"open out", open, out("udp", "192.0.2.1", "203.0.113.53", 123), inventory.Accept, ""},
		{"ping out", p, out("ping", "192.0.2.1", "203.0.113.9", 0), inventory.Accept, ""},
		{"no ping out", quiet, out("ping", "192.0.2.1", "203.0.113.9", 0), inventory.Reject, ""},
		{"dhcp question", p, withSource(out("udp", "0.0.0.0", "255.255.255.255", 67), 68), inventory.Accept, ""},
		{"dhcpv6 question", p, withSource(out("udp", "fe80::2", "ff02::1:2", 547), 546), inventory.Accept, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, rule := tt.policy.Verdict(tt.packet)
			comment := ""
			if rule != nil {
				comment = rule.Comment
			}
			if got != tt.want || comment != tt.rule {
				t.Errorf("got %s by %q, want %s by %q", got, comment, tt.want, tt.rule)
			}
		})
	}
}

func in(proto, src, dst string, port uint16) Packet {
	return Packet{Direction: Input, Proto: proto, Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), SrcPort: 50000, DstPort: port}
}

func out(proto, src, dst string, port uint16) Packet {
	k := in(proto, src, dst, port)
	k.Direction = Output
	return k
}

func withSource(k Packet, port uint16) Packet {
	k.SrcPort = port
	return k
}
