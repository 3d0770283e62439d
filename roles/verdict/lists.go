package verdict

import (
	"net/netip"
	"strings"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
)

// Lists are the addresses of lists of peers, by what the file calls the peers: those
// that many rules name are there once. The engines of a fleet share them, since a name
// stands for the same addresses on all its hosts.
type Lists map[string]space.Addrs

// Engine is the engine of a policy, which must be of the fleet that the others are of.
// The budget may be nil, see Bounded.
func (l Lists) Engine(p roles.Policy, budget *int) *Engine {
	e := &Engine{policy: p, lists: l, budget: budget}
	var own []space.Range[netip.Addr]
	for _, a := range p.Addresses {
		own = append(own, space.One(a)...)
	}
	e.own = space.Of(own...)
	e.nat = map[roles.Direction][]step{
		roles.Input:   e.translations(roles.Input),
		roles.Forward: e.translations(roles.Forward),
	}
	e.chains = map[roles.Direction][]step{
		roles.Input:   e.input(),
		roles.Output:  e.output(),
		roles.Forward: e.forward(),
		// As they were asked for: before the nat of somebody else.
		roles.Published: e.published(),
	}
	e.sent = e.forwarded()
	return e
}

// family are the addresses of a peer in one family.
func family(p roles.Peer, v6 bool) []inventory.AddrRange {
	if v6 {
		return p.V6
	}
	return p.V4
}

// list are the addresses of peers in one family; of an empty list none.
func (e *Engine) list(peers []roles.Peer, v6 bool) space.Addrs {
	n := 0
	for _, p := range peers {
		n += len(family(p, v6))
	}
	if !e.spend(len(peers) + n) { // the key holds all of them
		return nil
	}
	var key strings.Builder
	key.WriteString(map[bool]string{false: "4", true: "6"}[v6])
	for _, p := range peers {
		key.WriteByte('\n')
		if p.Name != "" {
			key.WriteString(p.String())
			continue
		}
		for _, r := range family(p, v6) {
			key.WriteString(r.String())
			key.WriteByte(' ')
		}
	}
	if known, ok := e.lists[key.String()]; ok || !e.spend(n*making) {
		return known
	}
	ranges := make([]inventory.AddrRange, 0, n)
	for _, p := range peers {
		ranges = append(ranges, family(p, v6)...)
	}
	known := space.AddrsOf(ranges...)
	e.lists[key.String()] = known
	return known
}

// addrs are the addresses of a list of peers in one family; an empty list is any.
func (e *Engine) addrs(peers []roles.Peer, v6 bool) space.Addrs {
	if len(peers) == 0 {
		return space.Everyone(v6)
	}
	return e.list(peers, v6)
}
