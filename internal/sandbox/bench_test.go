package sandbox_test

import (
	"net/netip"
	"testing"

	"fwpush/internal/sandbox"
	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

// BenchmarkLoad loads 10,000 prefixes in a set and 2,000 rules that name it.
func BenchmarkLoad(b *testing.B) {
	big := roles.Peer{Kind: roles.SetPeer, Name: "big"}
	for i := range 10_000 {
		from := netip.AddrFrom4([4]byte{10, byte(i / 250), byte(i % 250), 0})
		to := netip.AddrFrom4([4]byte{10, byte(i / 250), byte(i % 250), 127})
		big.V4 = append(big.V4, inventory.AddrRange{From: from, To: to})
	}
	p := policy(func(p *roles.Policy) {
		for i := range 2_000 {
			port := uint16(10_000 + 2*i)
			p.In = append(p.In, roles.Rule{Verb: inventory.AllowVerb, From: []roles.Peer{big}, Traffic: roles.Traffic{Ports: []inventory.PortRange{{Proto: "tcp", From: port, To: port}}}})
		}
	})
	box, err := sandbox.New(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for name, say := range map[string]func() (render.Ruleset, error){
		"nftables": func() (render.Ruleset, error) { return render.Nftables(p) },
		"ipset":    func() (render.Ruleset, error) { return render.Iptables(p, true) },
		"unrolled": func() (render.Ruleset, error) { return render.Iptables(p, false) },
	} {
		rules, err := say()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := box.Load(b.Context(), rules); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
