package wire_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"fwpush/internal/wire"
)

// A host between two networks, said in two ways: lan0 may come in and pass through to wan0 for what
// is listed, wan0 only sees one port.
const (
	routerNft = `table inet t {
		set lan4 { type ipv4_addr; flags interval; elements = { 10.1.0.0/16, 10.3.0.1 }; }
		set lan6 { type ipv6_addr; flags interval; elements = { 2001:db8:1::/48 }; }
		chain services {
			tcp dport { 22, 8000-8009 } accept
			udp dport 53 accept
			sctp dport 3868 accept
			meta l4proto 47 accept
			icmp type echo-request icmp code 0 accept
			icmpv6 type echo-request icmpv6 code 0 accept
		}
		chain input { type filter hook input priority 0; policy drop;
			iifname "wan0" tcp dport 443 accept
			iifname "lan0" ip saddr @lan4 jump services
			iifname "lan0" ip6 saddr @lan6 jump services
		}
		chain forward { type filter hook forward priority 0; policy drop;
			iifname "lan0" oifname "wan0" ip saddr @lan4 jump services
			iifname "lan0" oifname "wan0" ip6 saddr @lan6 jump services
		}
		chain output { type filter hook output priority 0; policy drop;
			oifname "wan0" jump services
		}
	}`

	routerSets = `create lan4 hash:net family inet
add lan4 10.1.0.0/16
add lan4 10.3.0.1
create lan6 hash:net family inet6
add lan6 2001:db8:1::/48
`
	// ICMP stands for the protocol, TYPE for the option, SET for the set of the family.
	routerTables = `*filter
:INPUT DROP
:FORWARD DROP
:OUTPUT DROP
:services -
-A services -p tcp -m multiport --dports 22,8000:8009 -j ACCEPT
-A services -p udp --dport 53 -j ACCEPT
-A services -p sctp --dport 3868 -j ACCEPT
-A services -p 47 -j ACCEPT
-A services -p ICMP --TYPE -j ACCEPT
-A INPUT -i wan0 -p tcp --dport 443 -j ACCEPT
-A INPUT -i lan0 -m set --match-set SET src -j services
-A FORWARD -i lan0 -o wan0 -m set --match-set SET src -j services
-A OUTPUT -o wan0 -j services
COMMIT
`
)

// routerScript is a script of commands that loads the tables of both families.
func routerScript(variant string) string {
	four := strings.NewReplacer("ICMP", "icmp", "TYPE", "icmp-type 8/0", "SET", "lan4").Replace(routerTables)
	six := strings.NewReplacer("ICMP", "icmpv6", "TYPE", "icmpv6-type 128/0", "SET", "lan6").Replace(routerTables)
	return fmt.Sprintf("ipset restore <<END\n%sEND\niptables-%s-restore --noflush <<END\n%sEND\nip6tables-%s-restore --noflush <<END\n%sEND\n",
		routerSets, variant, four, variant, six)
}

// routerLoads are the ways to load the rules of the router.
var routerLoads = []struct {
	name, script string
	program      []string
}{
	{"nft", routerNft, []string{"nft", "-f", "-"}},
	{"iptables-nft", routerScript("nft"), []string{"sh", "-e"}},
	{"iptables-legacy", routerScript("legacy"), []string{"sh", "-e"}},
}

func newRouter(t testing.TB) *wire.Rig {
	return newRig(t, wire.Options{Interfaces: []string{"lan0", "wan0"}})
}

// routerPackets are packets with the fate that the router has for them, in both families.
func routerPackets() (packets []wire.Packet, want []wire.Fate) {
	listed := [2][]string{{"10.1.0.0", "10.1.255.255", "10.3.0.1"}, {"2001:db8:1::", "2001:db8:1:ffff:ffff:ffff:ffff:ffff"}}
	others := [2][]string{{"10.0.255.255", "10.2.0.0", "10.3.0.2"}, {"2001:db8:2::"}}
	echo := [2]wire.Packet{{Proto: wire.ICMP, Type: 8}, {Proto: wire.ICMPv6, Type: 128}}
	port := func(proto uint8, port uint16) wire.Packet {
		return wire.Packet{Proto: proto, SrcPort: 40000, DstPort: port}
	}
	for family := range 2 {
		odd, reply := echo[family], echo[family]
		odd.Code = 1
		reply.Type = []uint8{13, 139}[family]
		allowed := []wire.Packet{port(wire.TCP, 22), port(wire.TCP, 8000), port(wire.TCP, 8009), port(wire.UDP, 53),
			port(wire.SCTP, 3868), {Proto: wire.GRE}, echo[family]}
		refused := []wire.Packet{port(wire.TCP, 23), port(wire.TCP, 7999), port(wire.TCP, 8010), port(wire.UDP, 22),
			port(wire.SCTP, 22), {Proto: wire.ESP}, {Proto: 112}, odd, reply}
		here, there := []netip.Addr{own4, own6}[family], netip.MustParseAddr([]string{"198.51.100.7", "2001:db8:ffff::7"}[family])
		add := func(p wire.Packet, src string, ok bool) {
			p.Src = netip.MustParseAddr(src)
			f := wire.Dropped
			p.Direction, p.In, p.Dst = wire.Input, "lan0", here
			if packets = append(packets, p); ok {
				f = wire.Accepted
			}
			want = append(want, f)
			p.Direction, p.Out, p.Dst = wire.Forward, "wan0", there
			packets, want = append(packets, p), append(want, f)
			p.In, p.Out = p.Out, p.In
			packets, want = append(packets, p), append(want, wire.Dropped)
			p.Direction, p.Out, p.Dst = wire.Input, "", here
			packets, want = append(packets, p), append(want, wire.Dropped)
			p.Proto, p.Type, p.Code, p.SrcPort, p.DstPort = wire.TCP, 0, 0, 40000, 443
			packets, want = append(packets, p), append(want, wire.Accepted)
		}
		for _, src := range listed[family] {
			for _, p := range allowed {
				add(p, src, true)
			}
			for _, p := range refused {
				add(p, src, false)
			}
		}
		for _, src := range others[family] {
			for _, p := range allowed {
				add(p, src, false)
			}
		}
		for _, p := range allowed {
			p.Direction, p.Out, p.Src, p.Dst = wire.Output, "wan0", here, there
			packets, want = append(packets, p), append(want, wire.Accepted)
			p.Out = "lan0"
			packets, want = append(packets, p), append(want, wire.Dropped)
		}
	}
	return packets, want
}

// TestRouter loads the same policy as nft and as scripts of commands: a packet's fate is the same.
func TestRouter(t *testing.T) {
	r := newRouter(t)
	packets, want := routerPackets()
	for _, c := range routerLoads {
		t.Run(c.name, func(t *testing.T) {
			load(t, r, c.script, c.program...)
			expect(t, r, packets, want)
			if err := r.Reset(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
	err := r.Load(t.Context(), []byte("false\ntrue\n"), "sh", "-e")
	if err == nil {
		t.Error("a script whose command fails has no error")
	}
}

// BenchmarkPolicies loads a policy, judges 50 packets and resets the host, on a rig for each CPU.
func BenchmarkPolicies(b *testing.B) {
	packets, want := routerPackets()
	packets, want = packets[:50], want[:50]
	for _, c := range routerLoads {
		b.Run(c.name, func(b *testing.B) {
			rigs := make(chan *wire.Rig, runtime.GOMAXPROCS(0))
			for range cap(rigs) {
				rigs <- newRouter(b)
			}
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				r := <-rigs
				for pb.Next() {
					err := r.Load(b.Context(), []byte(c.script), c.program...)
					if err != nil {
						b.Error(err)
						return
					}
					got, err := r.Fates(b.Context(), packets)
					if err == nil {
						err = r.Reset(b.Context())
					}
					if err != nil {
						b.Error(err)
						return
					}
					for i := range got {
						if got[i] != want[i] {
							b.Errorf("%v: %v", packets[i], got[i])
						}
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "policies/s")
		})
	}
}
