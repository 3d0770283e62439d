package addrs

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sort"

	"go4.org/netipx"

	"fwpush/inventory"
)

// All4 and All6 are the whole of a family: the one range it is.
func All4() []inventory.AddrRange {
	return []inventory.AddrRange{{
		From: netip.AddrFrom4([4]byte{}),
		To:   netip.AddrFrom4([4]byte{255, 255, 255, 255}),
	}}
}

func All6() []inventory.AddrRange {
	last := [16]byte{}
	for i := range last {
		last[i] = 255
	}
	return []inventory.AddrRange{{From: netip.AddrFrom16([16]byte{}), To: netip.AddrFrom16(last)}}
}

// Merge sorts ranges into families and joins those that overlap or touch, so
// that two lists of the same addresses become the same value.
func Merge(list []inventory.AddrRange) (v4, v6 []inventory.AddrRange) {
	var b netipx.IPSetBuilder
	for _, r := range list {
		b.AddRange(netipx.IPRangeFrom(r.From, r.To))
	}
	// The error is about invalid ranges, which IPSet leaves out; inventory
	// makes none.
	set, _ := b.IPSet()
	for _, r := range set.Ranges() {
		ar := inventory.AddrRange{From: r.From(), To: r.To()}
		if r.From().Is4() {
			v4 = append(v4, ar)
		} else {
			v6 = append(v6, ar)
		}
	}
	return v4, v6
}

// Contains reports whether a merged list holds an address.
func Contains(list []inventory.AddrRange, a netip.Addr) bool {
	i := sort.Search(len(list), func(i int) bool { return a.Compare(list[i].To) <= 0 })
	return i < len(list) && list[i].From.Compare(a) <= 0
}

// Covers reports whether every address of inner is in outer; both are merged,
// so one range of outer must hold each of inner's.
func Covers(outer, inner []inventory.AddrRange) bool {
	for _, r := range inner {
		i := sort.Search(len(outer), func(i int) bool { return r.To.Compare(outer[i].To) <= 0 })
		if i == len(outer) || outer[i].From.Compare(r.From) > 0 {
			return false
		}
	}
	return true
}

// Most reports whether a merged list of one family holds half of its public
// addresses or more: whoever is kept out of such a list, nobody is let in on
// purpose. The public ones of IPv6 are 2000::/3 (RFC 4291 section 2.4).
func Most(list []inventory.AddrRange) bool {
	var held uint64 // of IPv6 in blocks of 2^64: what lies within one is nothing beside half of all
	for _, r := range list {
		held += block(r.To) - block(r.From) + 1
	}
	if len(list) > 0 && !list[0].From.Is4() {
		return held >= 1<<60
	}
	return held >= 1<<31
}

// block is an IPv4 address, or the network half of an IPv6 address, as a number.
func block(a netip.Addr) uint64 {
	if a.Is4() {
		b := a.As4()
		return uint64(binary.BigEndian.Uint32(b[:]))
	}
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8])
}

// Compare orders merged lists; equal ones hold the same addresses.
func Compare(a, b []inventory.AddrRange) int {
	if len(a) > 0 && len(a) == len(b) && &a[0] == &b[0] {
		return 0 // the same list, which many rules share
	}
	return slices.CompareFunc(a, b, func(x, y inventory.AddrRange) int {
		if c := x.From.Compare(y.From); c != 0 {
			return c
		}
		return x.To.Compare(y.To)
	})
}
