package addrs

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"fwpush/inventory"
)

// space is so narrow that ranges drawn from it overlap and touch, with the ends
// of both families in it.
func space() []netip.Addr {
	list := []netip.Addr{All4()[0].To, All6()[0].To}
	for n := range byte(24) {
		list = append(list, netip.AddrFrom4([4]byte{3: n}), netip.AddrFrom16([16]byte{15: n}))
	}
	return list
}

func drawRanges(t *rapid.T, label string) []inventory.AddrRange {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) inventory.AddrRange {
		a, b := rapid.SampledFrom(space()).Draw(t, "from"), rapid.SampledFrom(space()).Draw(t, "to")
		if a.Is4() != b.Is4() {
			b = a
		}
		if b.Less(a) {
			a, b = b, a
		}
		return inventory.AddrRange{From: a, To: b}
	}), 0, 6).Draw(t, label)
}

func holds(list []inventory.AddrRange, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(r inventory.AddrRange) bool {
		return r.From.Is4() == a.Is4() && r.From.Compare(a) <= 0 && a.Compare(r.To) <= 0
	})
}

// The algebra gives the answers of the plain definition, address by address.
func TestAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawRanges(t, "a"), drawRanges(t, "b")
		a4, a6 := Merge(a)
		b4, b6 := Merge(b)
		for _, addr := range space() {
			if got := Contains(a4, addr) || Contains(a6, addr); got != holds(a, addr) {
				t.Fatalf("holding %s is %t in %v and %v of %v", addr, got, a4, a6, a)
			}
		}
		// Whoever leaves a list does so at an end of a range or beside one.
		subset := true
		for _, r := range b {
			for _, e := range slices.Concat(a, b) {
				for _, addr := range []netip.Addr{r.From, r.To, e.From.Prev(), e.To.Next()} {
					subset = subset && (!holds([]inventory.AddrRange{r}, addr) || holds(a, addr))
				}
			}
		}
		if got := Covers(a4, b4) && Covers(a6, b6); got != subset {
			t.Fatalf("covers is %t for %v and %v", got, a, b)
		}
		for _, list := range [][]inventory.AddrRange{a4, a6} {
			for i := 1; i < len(list); i++ {
				if list[i-1].To.Next().Compare(list[i].From) >= 0 {
					t.Fatalf("%v and %v overlap or touch", list[i-1], list[i])
				}
			}
		}
	})
}

func TestWholeFamilies(t *testing.T) {
	v4, v6 := Merge(slices.Concat(All4(), All6()))
	if Compare(v4, All4()) != 0 || Compare(v6, All6()) != 0 {
		t.Errorf("got %v and %v", v4, v6)
	}
	if All4()[0].To.String() != "255.255.255.255" || All6()[0].To.String() != "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" {
		t.Errorf("got %v and %v", All4(), All6())
	}
}
