package render_test

import (
	"net/netip"
	"testing"

	"fwpush/inventory"
	"fwpush/roles"
)

// Addresses that no rule of these tests speaks of.
var (
	stranger4 = netip.MustParseAddr("203.0.113.77")
	stranger6 = netip.MustParseAddr("2001:db8:ffff::77")
	self4     = netip.MustParseAddr("10.20.1.11")
	self6     = netip.MustParseAddr("2001:db8:20:1::11")
	admin4    = netip.MustParseAddr("198.51.100.17")
	admin6    = netip.MustParseAddr("2001:db8:0:16::1")
	router    = netip.MustParseAddr("fe80::1")
	unset     = netip.IPv6Unspecified()
	allNodes  = netip.MustParseAddr("ff02::1")
)

// everythingDenied is the worst a fleet file can ask for.
func everythingDenied(p *roles.Policy) {
	p.In = []roles.Rule{{Verb: inventory.DenyVerb, Traffic: roles.Traffic{All: true}}}
	p.Out = []roles.Rule{{Verb: inventory.DenyVerb, Traffic: roles.Traffic{All: true}}}
	p.Ping.On = false
}

func closed(v inventory.Verdict) func(*roles.Policy) {
	return func(p *roles.Policy) {
		p.Inbound, p.Outbound, p.Lifelines = inventory.Drop, v, lifelines
		p.DHCPClient = true
	}
}

func TestCore(t *testing.T) {
	worst := base(everythingDenied)
	shut := base(everythingDenied, closed(inventory.Drop))
	shut.DHCPClient = false
	drop, reject := base(closed(inventory.Drop)), base(closed(inventory.Reject))
	silent := base(closed(inventory.Drop), func(p *roles.Policy) { p.Ping.On, p.DHCPClient = false, false })
	someDeny := base(func(p *roles.Policy) {
		p.Out = []roles.Rule{{Verb: inventory.DenyVerb, Traffic: roles.Traffic{Ports: tcp(25)}}}
	})
	renewing := base(everythingDenied, func(p *roles.Policy) { p.DHCPClient = true })
	rejectIn := base(func(p *roles.Policy) { p.Inbound = inventory.Reject })

	in4 := packet{chain: "input", src: stranger4, dst: self4}
	in6 := packet{chain: "input", src: stranger6, dst: self6}
	out4 := packet{chain: "output", src: self4, dst: stranger4}
	out6 := packet{chain: "output", src: self6, dst: stranger6}
	with := func(p packet, change func(*packet)) packet { change(&p); return p }
	conn := func(p packet, proto string, sport, dport uint16) packet {
		p.proto, p.sport, p.dport = proto, sport, dport
		return p
	}
	icmp := func(p packet, proto, typ string) packet { p.proto, p.icmp = proto, typ; return p }
	nd := func(p packet, typ string, hops int) packet {
		p.proto, p.icmp, p.hops, p.state = "icmpv6", typ, hops, "untracked"
		return p
	}

	for _, c := range []struct {
		name   string
		policy roles.Policy
		packet packet
		want   string
	}{
		{"management in, undeniable, v4", worst, conn(with(in4, func(p *packet) { p.src = admin4 }), "tcp", 40000, 22), "accept"},
		{"management in, undeniable, v6", worst, conn(with(in6, func(p *packet) { p.src = admin6 }), "tcp", 40000, 22), "accept"},
		{"management in, known wrongly", worst, conn(with(in4, func(p *packet) { p.src = admin4; p.state = "invalid" }), "tcp", 40000, 22), "accept"},
		{"management answers before conntrack knows, v4", shut, conn(with(out4, func(p *packet) { p.dst = admin4 }), "tcp", 22, 40000), "accept"},
		{"management answers before conntrack knows, v6", shut, conn(with(out6, func(p *packet) { p.dst = admin6 }), "tcp", 22, 40000), "accept"},
		{"management is for sshd's port only", worst, conn(with(in4, func(p *packet) { p.src = admin4 }), "tcp", 40000, 80), "drop"},
		{"management is for named sources only", base(), conn(in4, "tcp", 40000, 22), "drop"},
		{"its answers go to named sources only", shut, conn(out4, "tcp", 22, 40000), "drop"},

		{"loopback in", worst, conn(with(in4, func(p *packet) { p.iface, p.localSource = "lo", true }), "tcp", 1, 2), "accept"},
		{"loopback out", shut, conn(with(out4, func(p *packet) { p.oface = "lo" }), "tcp", 1, 2), "accept"},
		{"own address from outside", base(), conn(with(in6, func(p *packet) { p.src, p.localSource, p.state = self6, true, "established" }), "tcp", 1, 2), "drop"},

		{"answers in", worst, conn(with(in4, func(p *packet) { p.state = "established" }), "tcp", 80, 40000), "accept"},
		{"related in", worst, with(in4, func(p *packet) { p.proto, p.icmp, p.state = "icmp", "redirect", "related" }), "accept"},
		{"invalid in", base(), conn(with(in4, func(p *packet) { p.state = "invalid" }), "tcp", 80, 40000), "drop"},
		{"answers out under a deny", worst, conn(with(out4, func(p *packet) { p.state = "established" }), "tcp", 80, 40000), "accept"},
		{"answers out when closed", shut, conn(with(out6, func(p *packet) { p.state = "established" }), "tcp", 80, 40000), "accept"},
		{"new out under a deny", worst, conn(out4, "tcp", 40000, 80), "reset"},
		{"invalid out when open", someDeny, conn(with(out4, func(p *packet) { p.state = "invalid" }), "tcp", 1, 2), "accept"},

		{"fragmentation needed", worst, icmp(in4, "icmp", "destination-unreachable"), "accept"},
		{"time exceeded", worst, icmp(in4, "icmp", "time-exceeded"), "accept"},
		{"redirect", base(), icmp(in4, "icmp", "redirect"), "drop"},
		{"packet too big in", worst, icmp(in6, "icmpv6", "packet-too-big"), "accept"},
		{"packet too big of a connection nobody knows", base(), with(icmp(in6, "icmpv6", "packet-too-big"), func(p *packet) { p.state = "invalid" }), "accept"},
		{"packet too big out", shut, icmp(out6, "icmpv6", "packet-too-big"), "accept"},
		{"redirect of v6", base(), icmp(in6, "icmpv6", "nd-redirect"), "drop"},
		{"neighbour solicitation in", worst, nd(in6, "nd-neighbor-solicit", 255), "accept"},
		{"for duplicate address detection", worst, nd(with(in6, func(p *packet) { p.src = unset }), "nd-neighbor-solicit", 255), "accept"},
		{"neighbour advertisement in", worst, nd(in6, "nd-neighbor-advert", 255), "accept"},
		{"from beyond a router", base(), nd(in6, "nd-neighbor-advert", 254), "drop"},
		{"router advertisement", worst, nd(with(in6, func(p *packet) { p.src = router }), "nd-router-advert", 255), "accept"},
		{"router advertisement from no router", base(), nd(in6, "nd-router-advert", 255), "drop"},
		{"neighbour solicitation out", shut, nd(out6, "nd-neighbor-solicit", 255), "accept"},
		{"neighbour advertisement out", shut, nd(out6, "nd-neighbor-advert", 255), "accept"},
		{"router solicitation out", shut, nd(out6, "nd-router-solicit", 255), "accept"},
		{"router advertisement out", shut, nd(out6, "nd-router-advert", 255), "drop"},
		{"listener query", worst, nd(with(in6, func(p *packet) { p.src = router; p.multicast = true }), "mld-listener-query", 1), "accept"},
		{"listener report without an address", worst, nd(with(in6, func(p *packet) { p.src = unset }), "mld2-listener-report", 1), "accept"},
		{"listener query from afar", base(), nd(in6, "mld-listener-query", 1), "drop"},
		{"listener report out", shut, nd(with(out6, func(p *packet) { p.dst = allNodes }), "mld2-listener-report", 1), "accept"},

		{"ping in v4", base(), icmp(in4, "icmp", "echo-request"), "accept"},
		{"ping in v6", base(), icmp(in6, "icmpv6", "echo-request"), "accept"},
		{"ping in when off", silent, icmp(in4, "icmp", "echo-request"), "drop"},
		{"ping out when closed v4", drop, icmp(out4, "icmp", "echo-request"), "accept"},
		{"ping out when closed v6", reject, icmp(out6, "icmpv6", "echo-request"), "accept"},
		{"ping out when closed and off", silent, icmp(out6, "icmpv6", "echo-request"), "drop"},

		{"dns by udp when closed", drop, conn(out4, "udp", 40000, 53), "accept"},
		{"dns by tcp when closed", drop, conn(out6, "tcp", 40000, 53), "accept"},
		{"ntp when closed", reject, conn(out6, "udp", 40000, 123), "accept"},
		{"nothing else when closed", drop, conn(out4, "tcp", 40000, 443), "drop"},
		{"nor when rejecting, tcp", reject, conn(out4, "tcp", 40000, 443), "reset"},
		{"nor when rejecting, udp", reject, conn(out6, "udp", 40000, 443), "unreachable"},
		{"multicast out is not answered", reject, conn(with(out6, func(p *packet) { p.dst = allNodes }), "udp", 5353, 5353), "drop"},
		{"open", base(), conn(out4, "tcp", 40000, 443), "accept"},

		{"dhcp answer v4", drop, conn(in4, "udp", 67, 68), "accept"},
		{"dhcp answer v6", drop, conn(with(in6, func(p *packet) { p.src = router }), "udp", 547, 546), "accept"},
		{"dhcp answer v6 from afar", drop, conn(in6, "udp", 547, 546), "drop"},
		{"v4 ports on v6", drop, conn(in6, "udp", 67, 68), "drop"},
		{"dhcp question v4", drop, conn(with(out4, func(p *packet) { p.dst = netip.MustParseAddr("255.255.255.255") }), "udp", 68, 67), "accept"},
		{"dhcp question v6", drop, conn(with(out6, func(p *packet) { p.dst = netip.MustParseAddr("ff02::1:2") }), "udp", 546, 547), "accept"},
		{"dhcp question under a deny", renewing, conn(out4, "udp", 68, 67), "accept"},
		{"dhcp answer when off", base(), conn(in4, "udp", 67, 68), "drop"},
		{"dhcp question when off", silent, conn(out4, "udp", 68, 67), "drop"},

		{"refused tcp", rejectIn, conn(in4, "tcp", 40000, 81), "reset"},
		{"refused udp", rejectIn, conn(in6, "udp", 40000, 81), "unreachable"},
		{"refused broadcast", rejectIn, conn(with(in4, func(p *packet) { p.multicast = true }), "udp", 137, 137), "drop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := mustRender(t, c.policy).Text
			if got := readText(t, text).verdict(t, c.packet); got != c.want {
				t.Errorf("%s, want %s, for %+v in\n%s", got, c.want, c.packet, text)
			}
		})
	}
}

// TestLifelinesAreWhatThePolicySays: roles decides which of DNS and NTP a closed
// host may use; here each is opened by itself, and a deny wins over it.
func TestLifelinesAreWhatThePolicySays(t *testing.T) {
	resolver := netip.MustParseAddr("10.20.0.53")
	to := peers(peer(roles.SetPeer, "resolvers", "10.20.0.53"))
	dns, ntp := append(tcp(53), udp(53)...), udp(123)
	for _, c := range []struct {
		name  string
		lines []inventory.PortRange
		out   []roles.Rule
		dst   netip.Addr
		proto string
		port  uint16
		want  string
	}{
		{"none", nil, nil, stranger4, "udp", 53, "drop"},
		{"dns by udp", dns, nil, stranger4, "udp", 53, "accept"},
		{"dns by tcp", dns, nil, stranger6, "tcp", 53, "accept"},
		{"dns alone", dns, nil, stranger4, "udp", 123, "drop"},
		{"ntp", ntp, nil, stranger6, "udp", 123, "accept"},
		{"ntp alone", ntp, nil, stranger4, "udp", 53, "drop"},
		{"ntp is no tcp", ntp, nil, stranger4, "tcp", 123, "drop"},
		{"a deny wins", dns, []roles.Rule{{Verb: inventory.DenyVerb, Traffic: roles.Traffic{Ports: udp(53)}, To: to}}, resolver, "udp", 53, "drop"},
		{"where it denies", dns, []roles.Rule{{Verb: inventory.DenyVerb, Traffic: roles.Traffic{Ports: udp(53)}, To: to}}, stranger4, "udp", 53, "accept"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := base(closed(inventory.Drop), func(p *roles.Policy) { p.Lifelines, p.Out = c.lines, c.out })
			text := mustRender(t, p).Text
			src := self4
			if c.dst.Is6() {
				src = self6
			}
			got := readText(t, text).verdict(t, packet{chain: "output", proto: c.proto, src: src, dst: c.dst, sport: 40000, dport: c.port})
			if got != c.want {
				t.Errorf("%s, want %s, in\n%s", got, c.want, text)
			}
		})
	}
}
