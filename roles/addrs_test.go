package roles

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"fwpush/inventory"
)

// small draws addresses of a space so narrow that ranges overlap and touch.
func small(t *rapid.T, label string) netip.Addr {
	return smallOf(t, label, rapid.Bool().Draw(t, label+" is IPv6"))
}

func smallOf(t *rapid.T, label string, six bool) netip.Addr {
	n := byte(rapid.IntRange(0, 20).Draw(t, label))
	if six {
		return netip.AddrFrom16([16]byte{0: 0xfd, 15: n})
	}
	return netip.AddrFrom4([4]byte{10, 0, 0, n})
}

func smallRanges(t *rapid.T, label string) []inventory.AddrRange {
	var list []inventory.AddrRange
	for range rapid.IntRange(0, 6).Draw(t, label+" count") {
		a, b := small(t, label), small(t, label)
		if a.Is4() != b.Is4() {
			b = a
		}
		if b.Less(a) {
			a, b = b, a
		}
		list = append(list, inventory.AddrRange{From: a, To: b})
	}
	return list
}

func holds(list []inventory.AddrRange, a netip.Addr) bool {
	for _, r := range list {
		if r.From.Is4() == a.Is4() && r.From.Compare(a) <= 0 && a.Compare(r.To) <= 0 {
			return true
		}
	}
	return false
}

func everySmall() []netip.Addr {
	var list []netip.Addr
	for n := range byte(24) {
		list = append(list, netip.AddrFrom4([4]byte{10, 0, 0, n}), netip.AddrFrom16([16]byte{0: 0xfd, 15: n}))
	}
	return list
}

// The algebra gives the answers of the plain definition, address by address.
func TestAddressAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := smallRanges(t, "a"), smallRanges(t, "b")
		a4, a6 := merge(a)
		b4, b6 := merge(b)
		pa, subset := Peer{V4: a4, V6: a6}, true
		for _, addr := range everySmall() {
			if pa.has(addr) != holds(a, addr) {
				t.Fatalf("has(%s) is %t in %v of %v", addr, pa.has(addr), pa, a)
			}
			subset = subset && (!holds(b, addr) || holds(a, addr))
		}
		if got := covers(a4, b4) && covers(a6, b6); got != subset {
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
