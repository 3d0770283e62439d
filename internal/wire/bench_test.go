package wire_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"fwpush/internal/wire"
)

// BenchmarkFates sends batches of the size that a property has, half of them to be dropped.
func BenchmarkFates(b *testing.B) {
	for _, size := range []int{1, 50, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			r := newRig(b, wire.Options{})
			load(b, r, `table inet t { chain input { type filter hook input priority 0; policy drop;
				ct state { established, related } accept
				meta l4proto { tcp, udp } th dport 1-32767 accept
			}; }`, "nft", "-f", "-")
			packets := make([]wire.Packet, size)
			for i := range packets {
				packets[i] = wire.Packet{Direction: wire.Input, In: "eth0", Src: netip.MustParseAddr("192.0.2.1"), Dst: own4,
					Proto: wire.UDP, SrcPort: uint16(1 + i), DstPort: uint16(i%2*40000 + 1)}
			}
			for b.Loop() {
				fates(b, r, packets...)
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "packets/s")
		})
	}
}

// BenchmarkLoad loads a ruleset of some twenty rules and resets the host.
func BenchmarkLoad(b *testing.B) {
	rules := "table inet t { chain input { type filter hook input priority 0; policy drop;\n" +
		strings.Repeat("ip saddr 192.0.2.0/24 tcp dport { 22, 80 } accept\n", 20) + "}; }\n"
	tables := "*filter\n:INPUT DROP\n" +
		strings.Repeat("-A INPUT -s 192.0.2.0/24 -p tcp -m multiport --dports 22,80 -j ACCEPT\n", 20) + "COMMIT\n"
	for _, c := range []struct {
		name, script string
		program      []string
	}{
		{"nft", rules, []string{"nft", "-f", "-"}},
		{"iptables-nft", tables, []string{"iptables-nft-restore"}},
		{"iptables-legacy", tables, []string{"iptables-legacy-restore"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := newRig(b, wire.Options{})
			for b.Loop() {
				load(b, r, c.script, c.program...)
				if err := r.Reset(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "loads/s")
		})
	}
}
