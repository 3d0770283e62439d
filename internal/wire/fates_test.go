package wire_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"fwpush/internal/wire"
)

var protocols = []uint8{wire.ICMP, wire.TCP, wire.UDP, wire.SCTP, wire.GRE, wire.ESP, wire.ICMPv6, 112}

// bySource has a source for each fate, in both families.
var bySource = map[wire.Fate][2]string{
	wire.Accepted: {"192.0.2.1", "2001:db8::1"},
	wire.Rejected: {"192.0.2.2", "2001:db8::2"},
	wire.Dropped:  {"192.0.2.3", "2001:db8::3"},
}

// nftBySource is a ruleset that judges by source at every hook.
func nftBySource() string {
	var b strings.Builder
	b.WriteString("table inet t {\n")
	for _, hook := range []string{"input", "forward", "output"} {
		fmt.Fprintf(&b, "chain %s { type filter hook %s priority 0; policy drop;\n", hook, hook)
		b.WriteString("ct state established,related accept\n")
		for _, family := range []string{"ip", "ip6"} {
			at := func(f wire.Fate) string { return family + " saddr " + bySource[f][len(family)-2] }
			b.WriteString(at(wire.Accepted) + " accept\n" + at(wire.Rejected) + " meta l4proto tcp reject with tcp reset\n" +
				at(wire.Rejected) + " reject with icmpx type admin-prohibited\n")
		}
		b.WriteString("drop\n}\n")
	}
	return b.String() + "}\n"
}

// tablesBySource is the same for iptables-restore, or ip6tables-restore.
func tablesBySource(family int) string {
	var b strings.Builder
	b.WriteString("*filter\n:INPUT DROP\n:FORWARD DROP\n:OUTPUT DROP\n")
	for _, chain := range []string{"INPUT", "FORWARD", "OUTPUT"} {
		at := func(f wire.Fate) string { return "-A " + chain + " -s " + bySource[f][family] }
		b.WriteString("-A " + chain + " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n" +
			at(wire.Accepted) + " -j ACCEPT\n" + at(wire.Rejected) + " -p tcp -j REJECT --reject-with tcp-reset\n" +
			at(wire.Rejected) + " -j REJECT\n" + at(wire.Dropped) + " -j DROP\n")
	}
	return b.String() + "COMMIT\n"
}

// loads are the ways to load bySource.
func loads(t *testing.T, r *wire.Rig) map[string]func() {
	return map[string]func(){
		"nft": func() { load(t, r, nftBySource(), "nft", "-f", "-") },
		"iptables-nft": func() {
			load(t, r, tablesBySource(0), "iptables-nft-restore")
			load(t, r, tablesBySource(1), "ip6tables-nft-restore")
		},
		"iptables-legacy": func() {
			load(t, r, tablesBySource(0), "iptables-legacy-restore")
			load(t, r, tablesBySource(1), "ip6tables-legacy-restore")
		},
	}
}

// bySourcePackets are packets of each direction, family and protocol for each fate.
func bySourcePackets() (packets []wire.Packet, want []wire.Fate) {
	for _, f := range []wire.Fate{wire.Accepted, wire.Rejected, wire.Dropped} {
		for family, src := range bySource[f] {
			for _, proto := range protocols {
				p := wire.Packet{Src: netip.MustParseAddr(src), Proto: proto}
				switch {
				case proto == wire.TCP || proto == wire.UDP || proto == wire.SCTP:
					p.SrcPort, p.DstPort = 40000, 443
				case proto == wire.ICMP && family == 0:
					p.Type = 8
				case proto == wire.ICMPv6 && family == 1:
					p.Type = 128
				case proto == wire.ICMP || proto == wire.ICMPv6:
					continue // of the other family: connection tracking calls it invalid, so no answer is related
				}
				mine, other := []netip.Addr{own4, own6}[family], netip.MustParseAddr([]string{"198.51.100.7", "2001:db8:ffff::7"}[family])
				p.Direction, p.In, p.Dst = wire.Input, "eth1", mine
				packets = append(packets, p)
				p.Direction, p.Out, p.Dst = wire.Forward, "wan1", other
				packets = append(packets, p)
				p.Direction, p.In = wire.Output, ""
				packets = append(packets, p)
				want = append(want, f, f, f)
			}
		}
	}
	return packets, want
}

func TestEveryFate(t *testing.T) {
	r := newRig(t, wire.Options{})
	packets, want := bySourcePackets()
	for name, ruleset := range loads(t, r) {
		t.Run(name, func(t *testing.T) {
			ruleset()
			expect(t, r, packets, want)
			if err := r.Reset(t.Context()); err != nil {
				t.Fatal(err)
			}
			expect(t, r, packets, slices.Repeat([]wire.Fate{wire.Accepted}, len(packets)))
		})
	}
}

// expect compares each fate.
func expect(t *testing.T, r *wire.Rig, packets []wire.Packet, want []wire.Fate) {
	t.Helper()
	for i, f := range fates(t, r, packets...) {
		if f != want[i] {
			t.Errorf("%v: %v; want %v", packets[i], f, want[i])
		}
	}
}

// TestEveryProtocol counts on all that can be sent being seen.
func TestEveryProtocol(t *testing.T) {
	r := newRig(t, wire.Options{})
	var packets []wire.Packet
	for proto := range 256 {
		for _, p := range []wire.Packet{
			{Direction: wire.Input, In: "eth0", Src: netip.MustParseAddr("192.0.2.1"), Dst: own4, Proto: uint8(proto)},
			{Direction: wire.Input, In: "eth0", Src: netip.MustParseAddr("2001:db8::1"), Dst: own6, Proto: uint8(proto)},
			{Direction: wire.Output, Out: "eth0", Src: own4, Dst: netip.MustParseAddr("192.0.2.1"), Proto: uint8(proto)},
			{Direction: wire.Output, Out: "eth0", Src: own6, Dst: netip.MustParseAddr("2001:db8::1"), Proto: uint8(proto)},
		} {
			// Where the kernel has L2TP, no raw socket sees that of IPv6.
			if p.Check() == nil && (proto != 115 || p.Direction != wire.Input || p.Src.Is4()) {
				packets = append(packets, p)
			}
		}
	}
	if len(packets) < 4*256-2-12-1 {
		t.Errorf("only %d packets", len(packets))
	}
	expect(t, r, packets, slices.Repeat([]wire.Fate{wire.Accepted}, len(packets)))
	// The answers to what comes in pass by their kind: connection tracking relates none to ICMP of
	// the other family.
	load(t, r, `table inet t {
		chain input { type filter hook input priority 0; reject; }
		chain output { type filter hook output priority 0; policy drop;
			icmp type destination-unreachable accept
			icmpv6 type destination-unreachable accept
			reject
		}
	}`, "nft", "-f", "-")
	want := slices.Repeat([]wire.Fate{wire.Rejected}, len(packets))
	for i, p := range packets {
		if p.Proto == wire.ICMPv6 && p.Src.Is6() {
			want[i] = wire.Dropped // type 0 is an error (RFC 4443, 2.1), which nothing answers
		}
	}
	expect(t, r, packets, want)
}

// TestPrefixEdges sends from the first and the last address of prefixes, and from those beside.
func TestPrefixEdges(t *testing.T) {
	r := newRig(t, wire.Options{})
	load(t, r, `table inet t { chain input { type filter hook input priority 0; policy drop;
		ip saddr { 10.1.2.0/23, 172.16.0.0/12, 203.0.113.5 } accept
		ip6 saddr { 2001:db8:4::/46, fe80::/10 } accept
	} ; }`, "nft", "-f", "-")
	for addr, want := range map[string]wire.Fate{
		"10.1.2.0": wire.Accepted, "10.1.3.255": wire.Accepted, "10.1.1.255": wire.Dropped, "10.1.4.0": wire.Dropped,
		"172.16.0.0": wire.Accepted, "172.31.255.255": wire.Accepted, "172.15.255.255": wire.Dropped, "172.32.0.0": wire.Dropped,
		"203.0.113.5": wire.Accepted, "203.0.113.4": wire.Dropped, "203.0.113.6": wire.Dropped,
		"1.0.0.0": wire.Dropped, "223.255.255.255": wire.Dropped, "240.0.0.1": wire.Dropped, "127.0.0.1": wire.Dropped,
		"2001:db8:4::": wire.Accepted, "2001:db8:7:ffff:ffff:ffff:ffff:ffff": wire.Accepted,
		"2001:db8:3:ffff:ffff:ffff:ffff:ffff": wire.Dropped, "2001:db8:8::": wire.Dropped,
		"fe80::": wire.Accepted, "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff": wire.Accepted,
		"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff": wire.Dropped, "fec0::": wire.Dropped, "::": wire.Dropped,
	} {
		p := wire.Packet{Direction: wire.Input, In: "eth0", Src: netip.MustParseAddr(addr), Proto: wire.UDP, SrcPort: 1, DstPort: 2}
		p.Dst = own4
		if p.Src.Is6() {
			p.Dst = own6
		}
		expect(t, r, []wire.Packet{p}, []wire.Fate{want})
	}
}

// TestInterfaces sends by every interface and between every two.
func TestInterfaces(t *testing.T) {
	names := []string{"eth0", "eth1", "wan0", "wan1"}
	r := newRig(t, wire.Options{Interfaces: names})
	load(t, r, `table inet t {
		chain input { type filter hook input priority 0; iifname { "eth1", "lo" } accept; drop; }
		chain output { type filter hook output priority 0; oifname { "wan*", "lo" } accept; drop; }
		chain forward { type filter hook forward priority 0; iifname "eth0" oifname "wan1" accept; iifname "wan1" reject; drop; }
	}`, "nft", "-f", "-")
	here, there := [2]netip.Addr{own4, own6}, [2]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	var packets []wire.Packet
	var want []wire.Fate
	add := func(f wire.Fate, p wire.Packet) {
		p.Proto, p.SrcPort, p.DstPort = wire.TCP, 1, 2
		packets, want = append(packets, p), append(want, f)
	}
	either := func(accepted bool) wire.Fate {
		if accepted {
			return wire.Accepted
		}
		return wire.Dropped
	}
	for family := range 2 {
		add(wire.Accepted, wire.Packet{Direction: wire.Input, In: "lo", Src: here[family], Dst: here[family]})
		add(wire.Accepted, wire.Packet{Direction: wire.Output, Out: "lo", Src: here[family], Dst: here[family]})
		for _, in := range names {
			add(either(in == "eth1"), wire.Packet{Direction: wire.Input, In: in, Src: there[family], Dst: here[family]})
			add(either(in[0] == 'w'), wire.Packet{Direction: wire.Output, Out: in, Src: here[family], Dst: there[family]})
			for _, out := range names {
				f := either(in == "eth0" && out == "wan1")
				if in == "wan1" {
					f = wire.Dropped // its answer leaves by eth0, which the output chain does not let it
				}
				add(f, wire.Packet{Direction: wire.Forward, In: in, Out: out, Src: there[family], Dst: there[family].Next()})
			}
		}
	}
	loop := [2]netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}
	for _, a := range loop {
		add(wire.Accepted, wire.Packet{Direction: wire.Input, In: "lo", Src: a, Dst: a})
		add(wire.Accepted, wire.Packet{Direction: wire.Output, Out: "lo", Src: a, Dst: a})
	}
	expect(t, r, packets, want)
}
