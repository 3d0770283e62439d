package roles

import (
	"net/netip"
	"slices"

	"fwpush/inventory"
	"fwpush/roles/internal/addrs"
)

// has reports whether the peer holds an address.
func (p Peer) has(a netip.Addr) bool {
	if a.Is4() {
		return addrs.Contains(p.V4, a)
	}
	return addrs.Contains(p.V6, a)
}

// anybody is the peer of kind Any.
func anybody() Peer { return Peer{Kind: Any, V4: addrs.All4(), V6: addrs.All6()} }

// reach is every address a rule's peer list matches; an empty list matches all.
func reach(peers []Peer) (v4, v6 []inventory.AddrRange) {
	switch len(peers) {
	case 0:
		return addrs.All4(), addrs.All6()
	case 1:
		return peers[0].V4, peers[0].V6
	}
	var both []inventory.AddrRange
	for _, p := range peers {
		both = slices.Concat(both, p.V4, p.V6)
	}
	return addrs.Merge(both)
}
