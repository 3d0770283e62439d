package render_test

import (
	"net/netip"
	"time"

	"fwpush/inventory"
	"fwpush/roles"
)

// concepts are the inputs of the golden files, one folder of testdata each.
var concepts = map[string]roles.Policy{
	// What every host gets without a single rule.
	"defaults": base(),

	"web": base(func(p *roles.Policy) {
		p.In = []roles.Rule{
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: append(tcp(443, 80), udp(443)...)}, Place: at(14)},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(9100)}, From: peers(peer(roles.RolePeer, "monitoring@lan", "10.20.0.9", "2001:db8:20::9")), Place: at(15)},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(8080)}, From: peers(ops), Comment: "preview build", Place: at(22)},
		}
		p.Decided = map[string]roles.Decision{
			"inbound": {By: "defaults", Place: at(4)},
			"log":     {By: "default"},
		}
	}),

	// A deny beats an allow of the same port, wherever it stands.
	"deny-drop": base(func(p *roles.Policy) {
		p.In = []roles.Rule{
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}},
			{Verb: inventory.DenyVerb, Traffic: roles.Traffic{All: true}, From: peers(peer(roles.SetPeer, "badnets", "192.0.2.0/24", "2001:db8:bad::/48"))},
			{Verb: inventory.DenyVerb, Traffic: roles.Traffic{Ports: tcp(25)}},
		}
	}),

	"deny-reject": base(func(p *roles.Policy) {
		p.Inbound = inventory.Reject
		p.In = []roles.Rule{
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}},
			{Verb: inventory.DenyVerb, Traffic: roles.Traffic{All: true}, From: peers(peer(roles.SetPeer, "badnets", "192.0.2.0/24"))},
		}
	}),

	// Closed, and yet DNS, NTP, DHCP and ping work.
	"outbound-drop": base(func(p *roles.Policy) {
		p.Outbound, p.Lifelines = inventory.Drop, lifelines
		p.DHCPClient = true
	}),

	// With rules of its own for DNS and NTP a policy has no lifelines.
	"outbound-reject": base(func(p *roles.Policy) {
		p.Outbound = inventory.Reject
		p.Out = []roles.Rule{
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: append(tcp(53), udp(53)...)}, To: peers(peer(roles.SetPeer, "resolvers", "10.20.0.53", "2001:db8:20::53"))},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: udp(123)}, To: peers(peer(roles.SetPeer, "lan", "10.20.0.0/16", "2001:db8:20::/48"))},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(5432)}, To: peers(db1), Comment: "replication"},
			{Verb: inventory.DenyVerb, Traffic: roles.Traffic{Ports: tcp(25)}},
		}
	}),

	// A deny under an open default: answers, DNS and neighbours stay.
	"outbound-deny": base(func(p *roles.Policy) {
		p.Out = []roles.Rule{{Verb: inventory.DenyVerb, Traffic: roles.Traffic{Ports: tcp(25, 465, 587)}}}
	}),

	"dhcp-client": base(func(p *roles.Policy) { p.DHCPClient = true }),

	// A family without addresses gets no rule, and nothing is widened.
	"one-family": base(func(p *roles.Policy) {
		p.Management.Peers = peers(peer(roles.SetPeer, "ops", "2001:db8:0:16::/64"))
		p.In = []roles.Rule{
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}, From: peers(peer(roles.HostPeer, "old", "10.0.0.7"))},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{ICMP: []uint8{8}, ICMPv6: []uint8{128}}, From: peers(peer(roles.SetPeer, "six", "2001:db8:6::/48"))},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(81)}, From: peers(peer(roles.RolePeer, "nobody"))},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{All: true}, From: peers(peer(roles.HostPeer, "old", "10.0.0.7")), To: peers(peer(roles.Literal, "", "2001:db8::1"))},
		}
	}),

	// Merged, and in the shortest form: address, prefix, range.
	"literals": base(func(p *roles.Policy) {
		p.In = []roles.Rule{
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}, From: peers(peer(roles.Literal, "",
				"10.0.0.0/25", "10.0.0.128/25", "10.1.0.1", "10.1.0.2", "10.1.0.3", "2001:db8::/33", "2001:db8:8000::/33"))},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(81)}, From: peers(ops, peer(roles.Literal, "", "203.0.113.1"))},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(82)}, To: peers(peer(roles.Literal, "", "203.0.113.11", "2001:db8:1::11")), From: peers(ops)},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(83)}, From: peers(peer(roles.Literal, "", "0.0.0.0/0"))},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(84)}, From: peers(peer(roles.Literal, "", "0.0.0.0/1", "8000::/1"))},
		}
	}),

	"ports": base(func(p *roles.Policy) {
		p.In = []roles.Rule{
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: append(portRange("udp", 60000, 60100), udp(443)...)}},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80, 82, 84, 85)}}, // 84 and 85 touch
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: append(append(tcp(22, 2222, 8000), portRange("tcp", 8001, 8010)...), portRange("sctp", 1, 65535)...)}},
		}
	}),

	// Two readable names fall together three times; a set is called as ours is.
	"names": base(func(p *roles.Policy) {
		rule := func(kind roles.PeerKind, name, addr string) roles.Rule {
			return roles.Rule{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}, From: peers(peer(kind, name, addr))}
		}
		p.In = []roles.Rule{
			rule(roles.SetPeer, "a-b", "10.0.0.1"), rule(roles.SetPeer, "a_b", "10.0.0.2"),
			rule(roles.RolePeer, "web@lan", "10.0.1.1"), rule(roles.RolePeer, "web_lan", "10.0.1.2"),
			rule(roles.HostPeer, "db1.example.net", "10.0.2.1"), rule(roles.HostPeer, "db1-example.net", "10.0.2.2"),
			rule(roles.SetPeer, "mgmt", "10.0.3.1"),
			rule(roles.SetPeer, "web", "10.0.4.1"), rule(roles.RolePeer, "web", "10.0.4.2"), rule(roles.HostPeer, "web", "10.0.4.3"),
		}
	}),

	"management-any": base(func(p *roles.Policy) {
		p.Management = roles.Management{
			Peers: peers(peer(roles.Any, "", "0.0.0.0/0", "::/0")),
			Ports: []uint16{22, 2222},
		}
	}),

	// Every switch off.
	"bare": base(func(p *roles.Policy) {
		p.Log.On, p.Ping.On, p.Antispoof = false, false, false
		p.Outbound = inventory.Drop // and not even lifelines
	}),

	"log-prefix": base(func(p *roles.Policy) { p.Log.Prefix = "refused: " }),

	// Everything nft takes between quotes, and none of it read as nft.
	"comments": base(func(p *roles.Policy) {
		for i, c := range []string{
			`; flush ruleset`, `}`, `{ accept }`, `# no comment`, `$x`, `\`, `\n`, `*`, `ends in *`, `ünïcödé ✓`, `'quoted'`, ` `,
		} {
			p.In = append(p.In, roles.Rule{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(uint16(100 + i))}, Comment: c})
		}
	}),

	"service-all": base(func(p *roles.Policy) {
		p.In = []roles.Rule{
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{All: true}, From: peers(db1)},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{ICMP: []uint8{8}, ICMPv6: []uint8{128}}},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{ICMP: []uint8{8}, ICMPv6: []uint8{128}}, Place: at(30)},
		}
		p.Out = []roles.Rule{{Verb: inventory.DenyVerb, Traffic: roles.Traffic{All: true}, To: peers(peer(roles.SetPeer, "badnets", "192.0.2.0/24"))}}
	}),

	// Limits refuse what is over them before anything accepts; a shared one is a chain.
	"limits": base(func(p *roles.Policy) {
		p.Ping.Rate = inventory.Rate{N: 20, Per: time.Second, Scope: inventory.PerSource, Burst: 20}
		p.In = []roles.Rule{
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(22)}, From: peers(bastion), Name: "ssh", Rate: inventory.Rate{N: 10, Per: time.Minute, Scope: inventory.PerSource, Burst: 5}},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(443)}, Name: "https", Rate: inventory.Rate{N: 100, Per: time.Second, Scope: inventory.PerNet, Burst: 200}},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: udp(53)}, Name: "dns", Rate: inventory.Rate{N: 1000, Per: time.Second, Scope: inventory.Global, Burst: 1000}},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(5432)}, From: peers(db1), Name: "pg", MaxConns: 200},
		}
	}),

	// Over the limit is refused as everything else is.
	"limits-reject": base(func(p *roles.Policy) {
		p.Inbound = inventory.Reject
		p.In = []roles.Rule{{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(25)}, Name: "smtp", Rate: inventory.Rate{N: 3, Per: time.Hour, Scope: inventory.Global, Burst: 5}}}
	}),

	// A packet of several peers is counted once, whatever it is for, and what counts or
	// translates holds for ranges that iptables has no word for.
	"limits-overlap": base(func(p *roles.Policy) {
		near := peers(ops, peer(roles.HostPeer, "admin", "198.51.100.20"), peer(roles.Literal, "", "203.0.113.1-203.0.113.9"))
		p.In = []roles.Rule{
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: append(tcp(80), portRange("tcp", 7000, 7019)...), Protos: []uint8{47}}, From: near, Name: "app", Log: inventory.Log{On: true}},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: append(tcp(80), portRange("tcp", 8000, 8019)...)}, From: peers(peer(roles.Literal, "", "203.0.113.1-203.0.113.9")), Name: "conns", MaxConns: 3},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(22)}, From: peers(peer(roles.Literal, "", "0.0.0.0/0")), Name: "rare", Rate: inventory.Rate{N: 1, Per: time.Hour, Scope: inventory.PerSource, Burst: 24}},
		}
		p.Forwards = true
		p.NAT = []roles.NAT{
			{Kind: inventory.Redirect, Ports: tcp(80), ToPort: 3128, From: near[2:]},
			{Kind: inventory.DNAT, Ports: tcp(8443), ToAddr: netip.MustParseAddr("10.20.0.9"), ToPort: 443, From: near[2:], Family: inventory.IPv4},
		}
	}),

	// Names that look alike, and raw text that says what is said already.
	"alike": base(func(p *roles.Policy) {
		p.In = []roles.Rule{
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}, From: peers(peer(roles.SetPeer, "monitoring-servers-primary", "192.0.2.1"))},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(81)}, From: peers(peer(roles.SetPeer, "monitoring-servers-backup", "192.0.2.1"))},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(90)}},
		}
		p.Raw = []roles.Raw{{Chain: "input", At: "before-allow", Nft: []string{
			"tcp dport 90 accept", `tcp dport 25 log prefix "{25: " drop`, "tcp dport 90 accept",
		}, IPv4: []string{"-p tcp --dport 25 -j DROP"}, IPv6: []string{"-p tcp --dport 25 -j DROP"}}}
	}),

	// Types by name, protocols by number, one family, one interface, until a day.
	"conditions": base(func(p *roles.Policy) {
		p.In = []roles.Rule{
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{ICMP: []uint8{13}, ICMPv6: []uint8{139}}},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Protos: []uint8{47, 50}}, From: peers(bastion)},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(8080)}, Family: inventory.IPv6},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(3128)}, InIfaces: []string{"eth1"}},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(9090)}, InIfaces: []string{"eth1", "eth2"}, From: peers(ops)},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(8443)}, Expires: time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC), Comment: "preview"},
		}
	}),

	// What drops comes before what rejects; named rules have counters, logged ones a line.
	"verbs": base(func(p *roles.Policy) {
		p.In = []roles.Rule{
			{Verb: inventory.RejectVerb, Traffic: roles.Traffic{Ports: tcp(113)}},
			{Verb: inventory.DropVerb, Traffic: roles.Traffic{Ports: udp(137)}, Name: "noise", Counted: true},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}, Name: "web", Counted: true, Comment: "shop"},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(2222)}, Name: "door", Log: inventory.Log{On: true}},
			{Verb: inventory.DenyVerb, Traffic: roles.Traffic{All: true}, From: peers(peer(roles.SetPeer, "badnets", "192.0.2.0/24")), Name: "bad", Log: inventory.Log{On: true, Prefix: "bad: "}},
		}
	}),

	// A router: what passes through, and under which address.
	"gateway": base(func(p *roles.Policy) {
		p.Forwards, p.DHCPClient, p.IGMP, p.SendsRA, p.AcceptRA = true, true, true, true, false
		p.Outbound, p.Lifelines = inventory.Drop, lifelines
		lan := peers(peer(roles.SetPeer, "lan", "10.20.0.0/16", "2001:db8:20::/48"))
		p.Forward = []roles.Rule{
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{All: true}, From: lan, InIfaces: []string{"eth1"}, OutIfaces: []string{"eth0"}},
			{Verb: inventory.DenyVerb, Traffic: roles.Traffic{Ports: tcp(25)}},
		}
		p.NAT = []roles.NAT{
			{Kind: inventory.DNAT, Ports: tcp(8443), ToAddr: netip.MustParseAddr("10.20.0.9"), ToPort: 443, InIfaces: []string{"eth0"}, Family: inventory.IPv4},
			{Kind: inventory.DNAT, Ports: tcp(8443), ToAddr: netip.MustParseAddr("2001:db8:20::9"), ToPort: 443, InIfaces: []string{"eth0"}, Family: inventory.IPv6},
			{Kind: inventory.Masquerade, From: lan, OutIfaces: []string{"eth0"}, Family: inventory.IPv4, Comment: "one address for all"},
			{Kind: inventory.Redirect, Ports: tcp(80), ToPort: 3128, From: lan, InIfaces: []string{"eth1"}},
			{Kind: inventory.SNAT, From: peers(db1), ToAddr: netip.MustParseAddr("203.0.113.1"), OutIfaces: []string{"eth2"}, Family: inventory.IPv4},
		}
	}),

	// Ports that Docker publishes, on a host whose forwarding is Docker's own.
	"published": base(func(p *roles.Policy) {
		p.Publishes = true
		p.Published = []roles.Rule{
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: append(tcp(8080, 8443), portRange("udp", 6000, 6010)...)}, From: peers(ops), InIfaces: []string{"eth0"}},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}, Name: "shop", Counted: true, Rate: inventory.Rate{N: 10, Per: time.Second, Scope: inventory.PerSource, Burst: 20}, Log: inventory.Log{On: true}},
			{Verb: inventory.DenyVerb, Traffic: roles.Traffic{All: true}, From: peers(peer(roles.SetPeer, "badnets", "192.0.2.0/24"))},
		}
	}),

	// The same on a gateway, which has nat of its own.
	"published-gateway": base(func(p *roles.Policy) {
		p.Publishes, p.Forwards, p.Inbound = true, true, inventory.Reject
		p.Forward = []roles.Rule{{Verb: inventory.AllowVerb, Traffic: roles.Traffic{All: true}, InIfaces: []string{"eth1"}}}
		p.Published = []roles.Rule{{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(8080)}, Family: inventory.IPv4, Name: "app", Rate: inventory.Rate{N: 3, Per: time.Hour, Scope: inventory.Global, Burst: 5}}}
		p.NAT = []roles.NAT{{Kind: inventory.DNAT, Ports: tcp(8443), ToAddr: netip.MustParseAddr("10.20.0.9"), ToPort: 443, Family: inventory.IPv4}}
	}),

	// Text as it is, where the file puts it, and a helper of the kernel.
	"raw": base(func(p *roles.Policy) {
		p.In = []roles.Rule{{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}}, {Verb: inventory.DenyVerb, Traffic: roles.Traffic{Ports: tcp(25)}}}
		p.Raw = []roles.Raw{
			{Chain: "input", At: "before-allow", Nft: []string{"tcp dport 80 tcp flags & (fin | syn) == fin | syn counter drop"}, IPv4: []string{"-p tcp --dport 80 --tcp-flags FIN,SYN FIN,SYN -j DROP"}, IPv6: []string{"-p tcp --dport 80 --tcp-flags FIN,SYN FIN,SYN -j DROP"}},
			{Chain: "input", At: "before-default", Nft: []string{"udp dport 33434-33534 counter reject"}, IPv4: []string{"-p udp --dport 33434:33534 -j REJECT"}, IPv6: []string{"-p udp --dport 33434:33534 -j REJECT"}},
		}
	}),

	"raw-table": base(func(p *roles.Policy) {
		p.Raw = []roles.Raw{{At: "table", Nft: []string{"set x_own {", "type ipv4_addr", "flags interval", "elements = { 192.0.2.0/24 }", "}"}},
			{Chain: "input", At: "before-allow", Nft: []string{"ip saddr @x_own counter accept"}}}
	}),

	"helper": base(func(p *roles.Policy) {
		p.In = []roles.Rule{{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(21)}, From: peers(ops), Helpers: []roles.Helper{{Name: "ftp", Ports: tcp(21)}}}}
	}),
}
