package wire_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"fwpush/internal/wire"
)

// syn4 and syn6 come in from outside.
var (
	syn4 = wire.Packet{Direction: wire.Input, In: "eth0", Src: netip.MustParseAddr("192.0.2.1"), Dst: own4, Proto: wire.TCP, SrcPort: 40000, DstPort: 22}
	syn6 = wire.Packet{Direction: wire.Input, In: "eth0", Src: netip.MustParseAddr("2001:db8::1"), Dst: own6, Proto: wire.TCP, SrcPort: 40000, DstPort: 22}
)

// TestICMPTypes lets one type in, and one code of another.
func TestICMPTypes(t *testing.T) {
	r := newRig(t, wire.Options{})
	load(t, r, `table inet t { chain input { type filter hook input priority 0; policy drop;
		icmp type timestamp-request accept
		icmp type destination-unreachable icmp code 4 accept
		icmpv6 type packet-too-big accept
		icmpv6 type parameter-problem icmpv6 code 1 accept
	} ; }`, "nft", "-f", "-")
	var packets []wire.Packet
	var want []wire.Fate
	for kind := range 256 {
		for code := range 6 {
			four, six := syn4, syn6
			four.Proto, six.Proto = wire.ICMP, wire.ICMPv6
			for _, p := range []wire.Packet{four, six} {
				p.SrcPort, p.DstPort, p.Type, p.Code = 0, 0, uint8(kind), uint8(code)
				f := wire.Dropped
				switch {
				case p.Src.Is4() && (kind == 13 || kind == 3 && code == 4), p.Src.Is6() && (kind == 2 || kind == 4 && code == 1):
					f = wire.Accepted
				}
				packets, want = append(packets, p), append(want, f)
			}
		}
	}
	expect(t, r, packets, want)
}

// TestNeighbourDiscovery is about packets that a hop limit of 255 shows to be from the link, and
// multicast listener messages, which have a hop limit of 1 and a router alert.
func TestNeighbourDiscovery(t *testing.T) {
	r := newRig(t, wire.Options{})
	load(t, r, `table inet t {
		chain input { type filter hook input priority 0; policy drop;
			icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept
			icmpv6 type { 130, 131, 132, 143 } ip6 saddr fe80::/10 accept
		}
		chain output { type filter hook output priority 0; policy drop;
			icmpv6 type { 133, 135, 136 } ip6 hoplimit 255 accept
			icmpv6 type 143 accept
		}
	}`, "nft", "-f", "-")
	var packets []wire.Packet
	var want []wire.Fate
	add := func(accepted bool, p wire.Packet) {
		f := wire.Dropped
		if accepted {
			f = wire.Accepted
		}
		p.Proto = wire.ICMPv6
		packets, want = append(packets, p), append(want, f)
	}
	from, router := netip.MustParseAddr("fe80::abcd"), netip.MustParseAddr("2001:db8::1")
	groups := []netip.Addr{netip.MustParseAddr("ff02::1"), netip.MustParseAddr("ff02::2"), netip.MustParseAddr("ff02::1:ff00:1"), netip.MustParseAddr("ff02::16"), link}
	for kind := uint8(133); kind <= 137; kind++ {
		for _, dst := range groups {
			for _, hops := range []uint8{255, 254} {
				add(kind < 137 && hops == 255, wire.Packet{Direction: wire.Input, In: "eth1", Src: from, Dst: dst, Type: kind, HopLimit: hops})
			}
		}
		for _, dst := range groups[:4] {
			add(kind != 134 && kind != 137, wire.Packet{Direction: wire.Output, Out: "wan0", Src: link, Dst: dst, Type: kind, HopLimit: 255})
		}
		add(kind != 134 && kind != 137, wire.Packet{Direction: wire.Output, Out: "wan0", Src: link, Dst: from, Type: kind, HopLimit: 255})
	}
	for _, kind := range []uint8{130, 131, 132, 143} {
		for _, dst := range groups {
			add(true, wire.Packet{Direction: wire.Input, In: "eth0", Src: from, Dst: dst, Type: kind, HopLimit: 1})
			add(false, wire.Packet{Direction: wire.Input, In: "eth0", Src: router, Dst: dst, Type: kind, HopLimit: 1})
		}
		add(kind == 143, wire.Packet{Direction: wire.Output, Out: "eth0", Src: netip.IPv6Unspecified(), Dst: groups[3], Type: kind, HopLimit: 1})
	}
	expect(t, r, packets, want)
}

// TestPacketTypes is about groups, broadcast, and sources that are the host's own.
func TestPacketTypes(t *testing.T) {
	r := newRig(t, wire.Options{})
	load(t, r, `table inet t { chain input { type filter hook input priority 0; policy drop;
		iifname != "lo" meta pkttype host fib saddr type local drop
		meta pkttype broadcast udp dport 67 accept
		meta pkttype multicast ip protocol 112 accept
		meta pkttype host tcp dport 22 accept
	} ; }`, "nft", "-f", "-")
	spoofed4, spoofed6 := syn4, syn6
	spoofed4.Src, spoofed6.Src = own4, own6
	dhcp := wire.Packet{Direction: wire.Input, In: "eth0", Src: netip.IPv4Unspecified(), Dst: netip.MustParseAddr("255.255.255.255"), Proto: wire.UDP, SrcPort: 68, DstPort: 67}
	vrrp := wire.Packet{Direction: wire.Input, In: "wan1", Src: netip.MustParseAddr("192.0.2.9"), Dst: netip.MustParseAddr("224.0.0.18"), Proto: 112, HopLimit: 255}
	unicast := vrrp
	unicast.Dst = own4
	expect(t, r, []wire.Packet{syn4, syn6, spoofed4, spoofed6, dhcp, vrrp, unicast},
		[]wire.Fate{wire.Accepted, wire.Accepted, wire.Dropped, wire.Dropped, wire.Accepted, wire.Accepted, wire.Dropped})
}

func TestEveryPacketIsNew(t *testing.T) {
	r := newRig(t, wire.Options{})
	load(t, r, `table inet t {
		chain input { type filter hook input priority 0; policy drop; ct state new accept; }
		chain output { type filter hook output priority 0; policy drop; ct state new accept; }
	}`, "nft", "-f", "-")
	udp := syn4
	udp.Proto = wire.UDP
	reply := wire.Packet{Direction: wire.Output, Out: "eth0", Src: udp.Dst, Dst: udp.Src, Proto: udp.Proto, SrcPort: udp.DstPort, DstPort: udp.SrcPort}
	gre := udp
	gre.Proto, gre.SrcPort, gre.DstPort = wire.GRE, 0, 0
	packets := []wire.Packet{syn4, syn6, udp, syn4, reply, udp, gre, gre, syn6}
	for range 3 {
		expect(t, r, packets, slices.Repeat([]wire.Fate{wire.Accepted}, len(packets)))
	}
}

// TestLimit is about rules that count: the first packets in order, and no packet twice.
func TestLimit(t *testing.T) {
	r := newRig(t, wire.Options{})
	load(t, r, `table inet t { chain input { type filter hook input priority 0; policy drop;
		tcp dport 22 limit rate 1/day burst 5 packets accept
	} ; }`, "nft", "-f", "-")
	packets := make([]wire.Packet, 20)
	want := make([]wire.Fate, len(packets))
	for i := range packets {
		packets[i], want[i] = syn4, wire.Dropped
		packets[i].SrcPort += uint16(i)
		if i < 5 {
			want[i] = wire.Accepted
		}
	}
	expect(t, r, packets, want)
}

// TestReset leaves no rule and no set behind, whoever has made it.
func TestReset(t *testing.T) {
	r := newRig(t, wire.Options{})
	for range 3 {
		load(t, r, "create probe hash:net family inet\nadd probe 192.0.2.0/24\n", "ipset", "restore")
		load(t, r, "*filter\n-A INPUT -m set --match-set probe src -j DROP\nCOMMIT\n", "iptables-nft-restore")
		load(t, r, "*filter\n-A INPUT -m set --match-set probe src -j DROP\nCOMMIT\n*mangle\n:POSTROUTING DROP\nCOMMIT\n", "iptables-legacy-restore")
		load(t, r, "*raw\n:PREROUTING DROP\nCOMMIT\n", "ip6tables-legacy-restore")
		load(t, r, "table netdev t { chain c { type filter hook ingress device eth0 priority 0; policy drop; }; }", "nft", "-f", "-")
		expect(t, r, []wire.Packet{syn4, syn6}, []wire.Fate{wire.Dropped, wire.Dropped})
		if err := r.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect(t, r, []wire.Packet{syn4, syn6}, []wire.Fate{wire.Accepted, wire.Accepted})
		for _, program := range [][]string{{"nft", "list", "ruleset"}, {"ipset", "list"}} {
			if left, err := r.Run(t.Context(), nil, program...); err != nil || len(left) > 0 {
				t.Errorf("%v: %v, left:\n%s", program, err, left)
			}
		}
	}
}

// TestReleases loads with the programs of each release.
func TestReleases(t *testing.T) {
	for suite, version := range map[string]string{"bullseye": "v0.9.8", "bookworm": "v1.0.6", "trixie": "v1.1.3"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			root, err := world.Root(t.Context(), suite)
			if err != nil {
				t.Fatal(err)
			}
			r := newRig(t, wire.Options{Root: root})
			if out, err := r.Run(t.Context(), nil, "nft", "--version"); err != nil || !strings.Contains(string(out), version) {
				t.Errorf("nft of %s: %s, %v", suite, out, err)
			}
			packets, want := bySourcePackets()
			for name, ruleset := range loads(t, r) {
				ruleset()
				expect(t, r, packets, want)
				if t.Failed() {
					t.Fatalf("with %s", name)
				}
				if err := r.Reset(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestRigsShareNoLock loads in many rigs at a time. Next to another one, iptables-legacy of bullseye
// gives up, and later ones wait.
func TestRigsShareNoLock(t *testing.T) {
	root, err := world.Root(t.Context(), "bullseye")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, wire.Options{Root: root})
			for range 25 {
				load(t, r, "*filter\n:INPUT DROP\nCOMMIT\n", "iptables-legacy-restore")
			}
			expect(t, r, []wire.Packet{syn4}, []wire.Fate{wire.Dropped})
		})
	}
}

func TestOwnAddressesChange(t *testing.T) {
	r := newRig(t, wire.Options{})
	moved := syn4
	moved.Dst = netip.MustParseAddr("172.16.9.9")
	if _, err := r.Fates(t.Context(), []wire.Packet{moved}); err == nil || !strings.Contains(err.Error(), "is not an address of the host") {
		t.Errorf("a foreign destination: %v", err)
	}
	if err := r.Own(t.Context(), netip.MustParsePrefix("172.16.0.0/16"), netip.MustParsePrefix("fe80::/16")); err != nil {
		t.Fatal(err)
	}
	local := wire.Packet{Direction: wire.Input, In: "wan1", Src: netip.MustParseAddr("fe80:1::2"), Dst: netip.MustParseAddr("fe80::1:2:3"), Proto: wire.UDP, SrcPort: 1, DstPort: 1}
	expect(t, r, []wire.Packet{moved, local}, []wire.Fate{wire.Accepted, wire.Accepted})
	if _, err := r.Fates(t.Context(), []wire.Packet{syn4}); err == nil {
		t.Error("the old address is still the host's")
	}
}

func TestLoadFails(t *testing.T) {
	r := newRig(t, wire.Options{})
	err := r.Load(t.Context(), []byte("table inet t { chain c { nonsense; }; }"), "nft", "-f", "-")
	if err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a ruleset that does not load: %v", err)
	}
	started := time.Now()
	if err := r.Load(t.Context(), nil, "no-such-program"); err == nil || time.Since(started) > 10*time.Second {
		t.Errorf("a program that is not there: %v", err)
	}
}
