package wire_test

import (
	"fmt"
	"net/netip"
	"testing"

	"fwpush/internal/wire"
)

// TestState asks the kernel for the state of each protocol and ICMP type, in each direction.
func TestState(t *testing.T) {
	r := newRig(t, wire.Options{})
	var packets []wire.Packet
	for _, p := range []wire.Packet{
		{Direction: wire.Input, In: "eth1", Src: netip.MustParseAddr("192.0.2.1"), Dst: own4},
		{Direction: wire.Input, In: "eth1", Src: netip.MustParseAddr("2001:db8::1"), Dst: own6},
		{Direction: wire.Output, Out: "wan0", Src: own4, Dst: netip.MustParseAddr("192.0.2.1")},
		{Direction: wire.Output, Out: "wan0", Src: own6, Dst: netip.MustParseAddr("2001:db8::1")},
		{Direction: wire.Forward, In: "eth0", Out: "wan1", Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("198.51.100.7")},
		{Direction: wire.Forward, In: "eth0", Out: "wan1", Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("2001:db8:f::7")},
	} {
		for n := range 256 {
			p.Proto, p.Type = uint8(n), 0
			// Where the kernel has L2TP, no raw socket sees that of IPv6.
			if p.Check() == nil && (n != 115 || p.Direction != wire.Input) {
				packets = append(packets, p)
			}
			p.Proto, p.Type = wire.ICMP, uint8(n)
			if p.Src.Is6() {
				p.Proto = wire.ICMPv6
			}
			packets = append(packets, p)
		}
	}
	for _, state := range []wire.State{wire.StateNew, wire.StateInvalid, wire.StateUntracked} {
		rules := "table inet t {\n"
		for _, hook := range []string{"input", "output", "forward"} {
			rules += fmt.Sprintf("chain %s { type filter hook %s priority 0; policy drop; ct state %v accept; }\n", hook, hook, state)
		}
		load(t, r, rules+"}", "nft", "-f", "-")
		for i, f := range fates(t, r, packets...) {
			if p := packets[i]; p.State() != 0 && (f == wire.Accepted) != (p.State() == state) {
				t.Errorf("%v: %v by ct state %v; State says %v", p, f, state, p.State())
			}
		}
		if err := r.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
