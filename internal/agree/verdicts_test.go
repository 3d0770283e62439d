package agree

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"fwpush/internal/wire"
)

func mustAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

// nftVerdicts are the rows about what rules do with packets.
var nftVerdicts = map[string]func(*bench){
	"N4 tables before and behind ours":            tablesAround,
	"N7 rules of iptables-legacy":                 legacyUnseen,
	"N12 the protocol of both families":           protocolOfBoth,
	"N15 every helper that a service may have":    helpersLoad,
	"N20 a limit that accepts, and one that does": limits,
	"P4 rules of one family":                      oneFamily,
}

// tablesAround: a drop in any table is final, and an accept is not.
func tablesAround(b *bench) {
	ours := b.ours(`in = [ { allow = "http" } ]`)
	other := func(priority, policy, rule string) string {
		return "table inet other { chain c { type filter hook input priority " + priority + "; policy " + policy + "; " + rule + "; }; }"
	}
	open, closed := to(wire.TCP, 80, 9), to(wire.TCP, 81, 9)
	for _, c := range []struct {
		load    string
		program []string
		open    wire.Fate
	}{
		{"", []string{"true"}, wire.Accepted},
		{other("0", "accept", "tcp dport 80 drop"), []string{"nft", "-f", "-"}, wire.Dropped},
		{other("-20", "accept", "tcp dport 80 drop"), []string{"nft", "-f", "-"}, wire.Dropped},
		{other("10", "drop", "tcp dport 81 accept"), []string{"nft", "-f", "-"}, wire.Dropped},
		{other("-20", "accept", "tcp dport 81 accept"), []string{"nft", "-f", "-"}, wire.Accepted},
		{other("10", "accept", "tcp dport 81 accept"), []string{"nft", "-f", "-"}, wire.Accepted},
		{"for i in iptables-nft ip6tables-nft; do $i -P INPUT DROP; done", []string{"sh", "-e"}, wire.Dropped},
		{"for i in iptables-legacy ip6tables-legacy; do $i -P INPUT DROP; done", []string{"sh", "-e"}, wire.Dropped},
		{"for i in iptables-nft ip6tables-nft; do $i -I INPUT -p tcp --dport 81 -j ACCEPT; done", []string{"sh", "-e"}, wire.Accepted},
	} {
		for _, first := range []bool{true, false} {
			if first {
				b.nft(ours)
			}
			b.load(c.load, c.program...)
			if !first {
				b.nft(ours)
			}
			b.Log(c.load)
			b.expect(c.open, open...)
			b.expect(wire.Dropped, closed...)
			b.reset()
		}
	}
}

// legacyUnseen: nft does not list them; the kernel says that there are some, in the
// files that fwpush reads.
func legacyUnseen(b *bench) {
	names := "cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null || true"
	if got := b.sh(names); got != "" {
		b.Errorf("without tables: %q", got)
	}
	b.sh("iptables-legacy -A INPUT -p tcp --dport 80 -j DROP; ip6tables-legacy -A INPUT -p tcp --dport 80 -j DROP")
	b.expect(wire.Dropped, to(wire.TCP, 80, 9)...)
	if got := b.load("", "sh", "-c", "nft list ruleset 2>/dev/null"); got != "" {
		b.Errorf("nft lists\n%s", got)
	}
	if got := b.sh(names); got != "filter\nfilter\n" {
		b.Errorf("the tables are %q", got)
	}
}

func protocolOfBoth(b *bench) {
	chain := func(rule string) string {
		return "table inet t { chain c { type filter hook input priority 0; policy drop; " + rule + " accept; }; }"
	}
	both := to(wire.TCP, 80, 9)
	b.nft(chain("ip protocol tcp"))
	b.expect(wire.Accepted, both[0])
	b.expect(wire.Dropped, both[1])
	b.reset()
	echo := both[1]
	echo.Proto, echo.Type, echo.SrcPort, echo.DstPort = wire.ICMPv6, 128, 0, 0
	b.nft(chain("ip protocol icmpv6"))
	b.expect(wire.Dropped, echo)
	b.reset()
	b.nft(chain("meta l4proto tcp th dport 80"))
	b.expect(wire.Accepted, both...)
	b.reset()
	gre := to(wire.GRE, 0, 9)
	for i := range gre {
		gre[i].SrcPort = 0
	}
	b.eachWay(b.policy(`in = [ { allow = ["tcp/80", "gre"] } ]`), func(string) {
		b.expect(wire.Accepted, append(gre, both...)...)
	})
}

// helpersLoad: the kernel knows them by these names, and for these protocols.
func helpersLoad(b *bench) {
	var allow, services []string
	for i, h := range []string{"amanda/udp", "ftp/tcp", "irc/tcp", "netbios-ns/udp", "pptp/tcp", "sane/tcp", "sip/tcp", "sip/udp", "snmp/udp", "tftp/udp"} {
		helper, proto, _ := strings.Cut(h, "/")
		allow = append(allow, fmt.Sprintf("%q", fmt.Sprintf("x%d", i)))
		services = append(services, fmt.Sprintf("[services.x%d]\n%s = %d\nhelper = %q", i, proto, 1000+i, helper))
	}
	b.nft(b.ours("in = [ { allow = ["+strings.Join(allow, ", ")+"] } ]", services...))
	if n := strings.Count(b.all(), "ct helper set"); n != len(allow) {
		b.Errorf("%d of %d helpers are set", n, len(allow))
	}
}

func limits(b *bench) {
	knocks := func(srcs ...string) (list []wire.Packet) {
		for i := range uint16(6) {
			p := to(wire.TCP, 80, 9)[0]
			p.Src, p.SrcPort = mustAddr(srcs[int(i)%len(srcs)]), 40000+i
			if p.Src.Is6() {
				p.Dst = address(true, own)
			}
			list = append(list, p)
		}
		return list
	}
	b.nft("table inet t { chain c { type filter hook input priority 0; policy drop; tcp dport 80 limit rate 3/minute burst 3 packets accept; tcp dport 80 accept; }; }")
	if n := b.accepted(knocks("10.9.0.9")...); n != 6 {
		b.Errorf("%d of 6 pass a limit that accepts: this row tests nothing any more", n)
	}
	b.reset()
	b.eachWay(b.policy(`in = [ { allow = "http", rate = "3/min burst 3" }, { allow = "tcp/81" } ]`), func(string) {
		for _, c := range []struct {
			srcs []string
			want int
		}{
			{[]string{"10.9.0.9"}, 3},
			{[]string{"10.9.0.9"}, 0},
			{[]string{"10.9.0.10"}, 3}, // each for itself
			{[]string{"fd09::9", "fd09::a:b"}, 3},
			{[]string{"fd09:0:0:1::9"}, 3}, // another /64
		} {
			if n := b.accepted(knocks(c.srcs...)...); n != c.want {
				b.Errorf("from %s: %d of 6 pass, want %d", c.srcs, n, c.want)
			}
		}
		b.expect(wire.Accepted, to(wire.TCP, 81, 9)...)
	})
}

// oneFamily: what is for one family opens nothing in the other.
func oneFamily(b *bench) {
	p := b.policy(`ping = false
in = [ { allow = "tcp/80", from = "10.9.0.0/24" }, { allow = "tcp/81", from = "fd09::/64" }, { allow = "tcp/82", from = "host:four" }, { allow = "tcp/83", from = "host:six" }, { allow = "v6", from = "fd09::/64" } ]`,
		"[hosts.four]\naddresses = [\"10.9.0.9\"]", "[hosts.six]\naddresses = [\"fd09::9\"]", "[services.v6]\nicmpv6 = [\"echo-request\"]")
	b.eachWay(p, func(string) {
		for port, six := range map[uint16]int{80: 0, 81: 1, 82: 0, 83: 1} {
			both := to(wire.TCP, port, 9)
			b.expect(wire.Accepted, both[six])
			b.expect(wire.Dropped, both[1-six])
		}
		b.expect(wire.Accepted, icmp(true, 128))
		b.expect(wire.Dropped, icmp(false, 8))
	})
}

// icmp is a message to the host, from its neighbour.
func icmp(six bool, kind uint8) wire.Packet {
	p := to(wire.ICMP, 0, 9)[0]
	if six {
		p = to(wire.ICMPv6, 0, 9)[1]
	}
	p.SrcPort, p.Type = 0, kind
	p.HopLimit = hops(p)
	return p
}

// icmpVerdicts are the rows about ICMP, loopback and refusals.
var icmpVerdicts = map[string]func(*bench){
	"C1 what comes in":                      icmpIn,
	"C1 what passes through":                icmpThrough,
	"C2 neighbours, closed on both sides":   neighbours,
	"C4 a limit of pings":                   pingLimit,
	"C5 loopback":                           loopback,
	"C6 refusals":                           refusals,
	"C9 by an interface that does not lead": asymmetric,
}

func from(src string, hops uint8, packets ...wire.Packet) []wire.Packet {
	out := slices.Clone(packets)
	for i := range out {
		out[i].Src, out[i].HopLimit = mustAddr(src), hops
		if strings.HasPrefix(src, "fe80") || src == "::" {
			out[i].Dst = mustAddr("ff02::1")
		}
	}
	return out
}

func kinds(six bool, list ...uint8) (packets []wire.Packet) {
	for _, kind := range list {
		packets = append(packets, icmp(six, kind))
	}
	return packets
}

func icmpIn(b *bench) {
	mld := kinds(true, 130, 131, 132, 143)
	b.eachWay(b.policy("ping = false"), func(string) {
		b.expect(wire.Accepted, kinds(false, 3, 11, 12)...)
		b.expect(wire.Accepted, kinds(true, 1, 2, 3, 4, 133, 135, 136)...)
		b.expect(wire.Accepted, from("fe80::2", 255, kinds(true, 133, 134, 135, 136)...)...)
		b.expect(wire.Dropped, from("fe80::2", 254, kinds(true, 133, 134, 135, 136)...)...)
		b.expect(wire.Dropped, icmp(true, 134)) // a router speaks from its link
		b.expect(wire.Accepted, from("fe80::2", 1, mld...)...)
		b.expect(wire.Accepted, from("::", 1, icmp(true, 143))...)
		b.expect(wire.Dropped, from("fd09::9", 1, mld...)...)
		b.expect(wire.Dropped, from("fe80::2", 255, kinds(true, 137, 138, 139, 140)...)...)
		b.expect(wire.Dropped, append(kinds(false, 5, 8, 9, 13, 17), kinds(true, 128)...)...)
	})
}

func icmpThrough(b *bench) {
	through := func(p wire.Packet) wire.Packet {
		p.Direction, p.Out, p.HopLimit = wire.Forward, otherIface, 0
		p.Dst = address(p.Src.Is6(), 20)
		return p
	}
	b.eachWay(b.policy(`forward = [ { allow = ["http", "ping"] } ]`), func(string) {
		for _, p := range append(kinds(true, 1, 2, 3, 4, 128), kinds(false, 3, 11, 12, 8)...) {
			b.expect(wire.Accepted, through(p))
		}
		for _, p := range append(kinds(true, 133, 134, 135, 136, 137, 138, 139), kinds(false, 5, 9, 13)...) {
			b.expect(wire.Dropped, through(p))
		}
	})
}

// neighbours: without these an address of IPv6 is forgotten and never found again.
func neighbours(b *bench) {
	leaving := func(p wire.Packet) wire.Packet {
		p.Direction, p.In, p.Out, p.Src, p.Dst = wire.Output, "", ifaceIn, p.Dst, p.Src
		return p
	}
	b.eachWay(b.policy("outbound = \"drop\"\nping = false"), func(string) {
		for _, p := range kinds(true, 133, 135, 136, 143) {
			b.expect(wire.Accepted, leaving(p))
		}
		b.expect(wire.Accepted, kinds(true, 135, 136)...)
		b.expect(wire.Dropped, leaving(icmp(true, 128)))
	})
	// They belong to no connection: a rule about states does not let them in.
	b.nft("table inet t { chain c { type filter hook input priority 0; policy drop; ct state { new, established, related } accept; }; }")
	b.expect(wire.Dropped, kinds(true, 135, 136)...)
}

func pingLimit(b *bench) {
	var pings, errors []wire.Packet
	for range 50 {
		pings = append(pings, icmp(true, 128), icmp(false, 8))
		tooBig := icmp(false, 3)
		tooBig.Code = 4
		errors = append(errors, icmp(true, 2), tooBig)
	}
	b.eachWay(b.policy(`ping = "1/s"`), func(string) {
		if n := b.accepted(pings...); n == 0 || n == len(pings) {
			b.Errorf("%d of %d pings pass", n, len(pings))
		}
		b.expect(wire.Accepted, errors...)
	})
}

func loopback(b *bench) {
	var packets []wire.Packet
	for _, dst := range []string{"127.0.0.1", "127.0.0.53", own4, "::1", own6} {
		p := wire.Packet{Direction: wire.Input, In: "lo", Src: mustAddr(dst), Dst: mustAddr(dst), Proto: wire.UDP, SrcPort: 40000, DstPort: 53}
		packets = append(packets, p)
		p.Direction, p.In, p.Out = wire.Output, "", "lo"
		packets = append(packets, p)
	}
	b.eachWay(b.policy("outbound = \"drop\"\nin = [ { drop = \"all\" } ]\nout = [ { drop = \"all\" } ]"), func(string) { b.expect(wire.Accepted, packets...) })
	text := strings.NewReplacer("iifname \"lo\" accept", "", "oifname \"lo\" accept", "").Replace(b.ours(`outbound = "drop"`))
	b.nft(text)
	for _, p := range packets {
		if p.Direction == wire.Input {
			b.expect(wire.Dropped, p)
		}
	}
}

func refusals(b *bench) {
	group := to(wire.UDP, 137, 9)
	group[0].Dst, group[1].Dst = mustAddr("224.0.0.251"), mustAddr("ff02::fb")
	p := b.policy("inbound = \"reject\"\noutbound = \"drop\"")
	b.eachWay(p, func(string) {
		// The answers leave although nothing else may.
		b.expect(wire.Rejected, append(to(wire.TCP, 81, 9), to(wire.UDP, 81, 9)...)...)
		b.expect(wire.Dropped, group...)
		b.expect(wire.Dropped, out(wire.TCP, 81, 9)...)
	})
	text, _ := ways[0].load(b, p)
	if !strings.Contains(text, "reject with tcp reset") || !strings.Contains(text, "reject with icmpx type ") {
		b.Errorf("refusals are not by reset and icmpx:\n%s", text)
	}
}

// asymmetric: answers of the host leave by its first interface, wherever the question
// has come in. Hosts with two networks live with that.
func asymmetric(b *bench) {
	b.eachWay(b.policy(`in = [ { allow = "http" } ]`), func(way string) {
		for _, iface := range ifaceNames {
			for _, p := range append(to(wire.TCP, 80, 9), to(wire.TCP, 22, 7)...) {
				p.In = iface
				b.expect(wire.Accepted, p)
			}
		}
	})
}
