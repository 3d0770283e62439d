package render_test

import (
	"net/netip"
	"strings"

	"fwpush/inventory"
	"fwpush/roles"
)

// The policies of these tests are built by hand, so that each shows one concept
// and nothing of what roles makes of a fleet file.

func at(line int) inventory.Place {
	return inventory.Place{File: "fleet.toml", Line: line, Col: 3}
}

// peer reads addresses, prefixes and a-b ranges into a peer.
func peer(kind roles.PeerKind, name string, addrs ...string) roles.Peer {
	name, net, _ := strings.Cut(name, "@")
	p := roles.Peer{Kind: kind, Name: name, Net: net}
	for _, a := range addrs {
		r := addrRange(a)
		if r.From.Is4() {
			p.V4 = append(p.V4, r)
		} else {
			p.V6 = append(p.V6, r)
		}
	}
	return p
}

func addrRange(s string) inventory.AddrRange {
	if from, to, ok := strings.Cut(s, "-"); ok {
		return inventory.AddrRange{From: netip.MustParseAddr(from), To: netip.MustParseAddr(to)}
	}
	if !strings.Contains(s, "/") {
		return inventory.AddrRange{From: netip.MustParseAddr(s), To: netip.MustParseAddr(s)}
	}
	p := netip.MustParsePrefix(s)
	last := p.Addr().AsSlice()
	for i := p.Bits(); i < len(last)*8; i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	to, _ := netip.AddrFromSlice(last)
	return inventory.AddrRange{From: p.Addr(), To: to}
}

func peers(p ...roles.Peer) []roles.Peer { return p }

func tcp(ports ...uint16) []inventory.PortRange { return singles("tcp", ports) }
func udp(ports ...uint16) []inventory.PortRange { return singles("udp", ports) }

func singles(proto string, ports []uint16) []inventory.PortRange {
	var out []inventory.PortRange
	for _, p := range ports {
		out = append(out, inventory.PortRange{Proto: proto, From: p, To: p})
	}
	return out
}

func portRange(proto string, from, to uint16) []inventory.PortRange {
	return []inventory.PortRange{{Proto: proto, From: from, To: to}}
}

// Addresses that several policies use.
var (
	ops     = peer(roles.SetPeer, "ops", "198.51.100.16/28", "2001:db8:0:16::/64")
	bastion = peer(roles.RolePeer, "bastion@lan", "10.20.0.5", "2001:db8:20::5")
	db1     = peer(roles.HostPeer, "db1", "10.20.2.21", "2001:db8:20:2::21")
)

// lifelines are those of a closed host without rules of its own for them.
var lifelines = append(tcp(53), udp(53, 123)...)

// base is a policy with the defaults of a fleet file and no rules.
func base(change ...func(*roles.Policy)) roles.Policy {
	p := roles.Policy{
		Host:       "web1",
		Management: roles.Management{Peers: peers(ops, bastion), Ports: []uint16{22}},
		Inbound:    inventory.Drop,
		Outbound:   inventory.Accept,
		Log:        inventory.Log{On: true},
		Ping:       inventory.Ping{On: true},
		AcceptRA:   true,
		Antispoof:  true,
	}
	for _, c := range change {
		c(&p)
	}
	return p
}
