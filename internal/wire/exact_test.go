package wire_test

import (
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"

	"fwpush/internal/wire"
)

// TestFatesOnABusyMachine sends packets whose fate follows from their port at two rigs at a time,
// while other threads keep every CPU busy. Not one fate may be another's, and no answer be missing.
func TestFatesOnABusyMachine(t *testing.T) { fatesOnABusyMachine(t, 10_000) }

func fatesOnABusyMachine(t *testing.T, each int) {
	t.Helper()
	var stop atomic.Bool
	t.Cleanup(func() { stop.Store(true) })
	for range 2 * runtime.NumCPU() {
		go func() {
			for !stop.Load() {
			}
		}()
	}
	rules := `table inet t {
		set dropped { type inet_service; flags interval; elements = { 20000-29999, 50000-59999 }; }
		chain input {
			type filter hook input priority 0; policy accept;
			ct state { established, related } drop
			th dport 10000-19999 reject
			th dport @dropped drop
		}
	}`
	want := func(port uint16) wire.Fate {
		switch port / 10000 {
		case 1:
			return wire.Rejected
		case 2, 5:
			return wire.Dropped
		}
		return wire.Accepted
	}
	one := func(t *testing.T, proto uint8, total int) {
		r := newRig(t, wire.Options{})
		load(t, r, rules, "nft", "-f", "-")
		packets := make([]wire.Packet, 0, 1000)
		wrong, port := 0, uint16(0)
		for sent := 0; sent < total; sent += len(packets) {
			packets = packets[:0]
			for range cap(packets) {
				port += 7919 // comes by every port, in no order
				p := wire.Packet{Direction: wire.Input, In: "eth0", Proto: proto, SrcPort: uint16(sent/1000 + 1), DstPort: port}
				p.Src, p.Dst = netip.MustParseAddr("192.0.2.1"), own4
				if port%3 == 0 {
					p.Src, p.Dst = netip.MustParseAddr("2001:db8::1"), own6
				}
				packets = append(packets, p)
			}
			for i, f := range fates(t, r, packets...) {
				if f != want(packets[i].DstPort) {
					wrong++
				}
			}
		}
		if wrong > 0 {
			t.Errorf("%d of %d fates are wrong", wrong, total)
		}
	}
	t.Run("busy", func(t *testing.T) {
		t.Run("udp", func(t *testing.T) { t.Parallel(); one(t, wire.UDP, each) })
		t.Run("tcp", func(t *testing.T) { t.Parallel(); one(t, wire.TCP, each) })
	})
}
