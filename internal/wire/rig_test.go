package wire_test

import (
	"net/netip"
	"testing"

	"fwpush/internal/wire"
)

// The addresses of the hosts in these tests.
var (
	own4 = netip.MustParseAddr("10.0.0.1")
	own6 = netip.MustParseAddr("fd00::1")
	link = netip.MustParseAddr("fe80::1")
)

// newRig makes a rig that ends with the test. It needs root.
func newRig(t testing.TB, o wire.Options) *wire.Rig {
	t.Helper()
	if o.Interfaces == nil {
		o.Interfaces = []string{"eth0", "eth1", "wan0", "wan1"}
	}
	if o.Own == nil {
		for _, a := range []netip.Addr{own4, own6, link} {
			o.Own = append(o.Own, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	r, err := wire.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func load(t testing.TB, r *wire.Rig, script string, program ...string) {
	t.Helper()
	if err := r.Load(t.Context(), []byte(script), program...); err != nil {
		t.Fatal(err)
	}
}

func fates(t testing.TB, r *wire.Rig, packets ...wire.Packet) []wire.Fate {
	t.Helper()
	fates, err := r.Fates(t.Context(), packets)
	if err != nil {
		t.Fatal(err)
	}
	if len(fates) != len(packets) {
		t.Fatalf("%d fates of %d packets", len(fates), len(packets))
	}
	return fates
}
