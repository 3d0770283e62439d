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

// familiesOf reports in which families reach has addresses. It is asked of every rule, and
// has no need to put the addresses of all its peers together.
func familiesOf(peers []Peer) (v4, v6 bool) {
	for _, p := range peers {
		v4, v6 = v4 || len(p.V4) > 0, v6 || len(p.V6) > 0
	}
	return v4 || len(peers) == 0, v6 || len(peers) == 0
}
