package render

import (
	"fmt"
	"net/netip"

	"go4.org/netipx"

	"fwpush/inventory"
	"fwpush/roles"
)

// family is one of the two address families, in nft's words.
type family struct {
	keyword string // "ip"
	proto   string // of meta nfproto: "ipv4"
	setType string // "ipv4_addr"
	digit   string // ends the name of a set: "4"
	echo    uint8  // the type of an echo request
	source  int    // bits of an address that tell sources apart: IPv6 gives each a /64
}

// The zero family is "both": a match that does not look at addresses.
var (
	ip4      = family{"ip", "ipv4", "ipv4_addr", "4", 8, 32}
	ip6      = family{"ip6", "ipv6", "ipv6_addr", "6", 128, 64}
	families = [...]family{ip4, ip6}
)

// addresses are merged ranges by family: sorted, neither overlapping nor
// touching. nft refuses overlapping intervals, and its own merging differs
// between versions.
type addresses struct {
	v4, v6 []netipx.IPRange
}

func (a addresses) of(f family) []netipx.IPRange {
	if f == ip4 {
		return a.v4
	}
	return a.v6
}

func (a addresses) empty() bool {
	return len(a.v4)+len(a.v6) == 0
}

// mergePeers is every address of the peers. It refuses what netipx would
// silently leave out: a rule must not shrink because an address was odd.
func mergePeers(peers ...roles.Peer) (addresses, error) {
	var b netipx.IPSetBuilder
	for _, p := range peers {
		for _, list := range [...]struct {
			ranges []inventory.AddrRange
			v4     bool
		}{{p.V4, true}, {p.V6, false}} {
			for _, r := range list.ranges {
				ar := netipx.IPRangeFrom(r.From, r.To)
				if !ar.IsValid() || r.From.Is4() != list.v4 || r.From.Zone() != "" {
					return addresses{}, fmt.Errorf("%s holds %s-%s, which is no range of its family", describe(p), r.From, r.To)
				}
				b.AddRange(ar)
			}
		}
	}
	set, err := b.IPSet()
	if err != nil {
		return addresses{}, err
	}
	var a addresses
	for _, r := range set.Ranges() {
		if r.From().Is4() {
			a.v4 = append(a.v4, r)
		} else {
			a.v6 = append(a.v6, r)
		}
	}
	return a, nil
}

// element is a range in the shortest form nft has for it: an address, a prefix
// or a range.
func element(r netipx.IPRange) string {
	if r.From() == r.To() {
		return text(r.From())
	}
	if p, ok := r.Prefix(); ok {
		return fmt.Sprintf("%s/%d", text(p.Addr()), p.Bits())
	}
	return text(r.From()) + "-" + text(r.To())
}

// text writes an address. nft's scanner has no form for an IPv6 address with a
// dotted tail, which is how netip prints ::ffff:0:0/96.
func text(a netip.Addr) string {
	if a.Is4In6() {
		return a.StringExpanded()
	}
	return a.String()
}

// describe names a peer as the fleet file does.
func describe(p roles.Peer) string {
	switch {
	case p.Name == "":
		return string(p.Kind) + " addresses"
	case p.Net == "":
		return string(p.Kind) + ":" + p.Name
	}
	return string(p.Kind) + ":" + p.Name + "@" + p.Net
}
