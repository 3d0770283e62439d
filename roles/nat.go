package roles

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles/space"
)

// natDraft is an entry of nat before its interfaces have their names.
type natDraft struct {
	NAT
	in, out []inventory.At[string]
}

func (c *compiler) nats(written []inventory.NAT) []natDraft {
	var list []natDraft
	for _, w := range written {
		if n, ok := c.nat(w); ok {
			list = append(list, n)
		}
	}
	return list
}

func (c *compiler) nat(w inventory.NAT) (natDraft, bool) {
	n := natDraft{in: w.InIfaces, out: w.OutIfaces, NAT: NAT{
		Kind: w.Kind, Family: w.Family, ToAddr: w.ToAddr, ToPort: w.ToPort, Comment: w.Comment.V, Place: w.Place,
	}}
	s, ok := c.traffic(w.Services)
	if ok && len(w.Services) > 0 && (len(s.Ports) == 0 || s.All || len(s.ICMP)+len(s.ICMPv6)+len(s.Protos) > 0) {
		c.errorAt(w.Services[0].Place, "dport takes services that are ports", "name them, or write tcp/443")
		return n, false
	}
	n.Ports = s.Ports
	from, anyFrom, okFrom := c.peers(w.From, w.AllowEmpty)
	to, anyTo, okTo := c.peers(w.To, w.AllowEmpty)
	if !ok || !okFrom || !okTo || !anyFrom && len(from) == 0 || !anyTo && len(to) == 0 {
		return n, false
	}
	n.From, n.To = from, to
	if n.toItself() && len(w.To) > 0 {
		n.To = []Peer{anybody()}
	}
	if v4, v6 := n.families(); !v4 && !v6 {
		c.errorAt(w.Place, "the entry of nat matches nothing: from, to and what they are translated to have no address family in common", "")
		return n, false
	}
	return n, true
}

// families reports for which families an entry translates anything.
func (n NAT) families() (v4, v6 bool) {
	from4, from6 := familiesOf(n.From)
	to4, to6 := familiesOf(n.To)
	return n.Family != inventory.IPv6 && from4 && to4, n.Family != inventory.IPv4 && from6 && to6
}

func (c *compiler) natOnHost(h inventory.Host, list []natDraft) []NAT {
	var out []NAT
	for _, d := range list {
		var okIn, okOut bool
		n := d.NAT
		n.InIfaces, okIn = c.ifaces(h, d.in)
		n.OutIfaces, okOut = c.ifaces(h, d.out)
		if okIn && okOut {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b NAT) int { return cmp.Or(compareNAT(a, b), comparePlaces(a.Place, b.Place)) })
	return c.narrowFirst(slices.CompactFunc(out, func(a, b NAT) bool { return compareNAT(a, b) == 0 }), ownAddresses(h))
}

// narrowFirst puts entries whose connections are all of another's before it: the
// first one that matches translates, and who writes both means the exception. Where
// neither is the exception the file does not say what shall happen.
func (c *compiler) narrowFirst(list []NAT, own []netip.Addr) []NAT {
	matched := make([]space.Region, len(list))
	for i, n := range list {
		matched[i] = n.packets(own)
	}
	wider := make([]int, len(list)) // how many entries hold all of an entry, and more
	for i, n := range list {
		for j, o := range list[:i] {
			if n.leaving() != o.leaving() || !matched[i].Meets(matched[j]) {
				continue
			}
			within, holds := len(matched[i].Without(matched[j])) == 0, len(matched[j].Without(matched[i])) == 0
			switch {
			case within && !holds:
				wider[i]++
			case holds && !within:
				wider[j]++
			case !n.sameTarget(o):
				c.contradiction(n, o)
			}
		}
	}
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	// One within another is within all that hold that one, so it has more of them.
	// The host may have addresses that the file does not name, but for an entry.
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(wider[b], wider[a]), cmp.Compare(rank(list[a].toItself()), rank(list[b].toItself())))
	})
	out := make([]NAT, len(list))
	for i, at := range order {
		out[i] = list[at]
	}
	return out
}

func (c *compiler) contradiction(a, b NAT) {
	if comparePlaces(a.Place, b.Place) < 0 {
		a, b = b, a
	}
	c.errorAt(a.Place, fmt.Sprintf("this entry of nat and the one at %s translate some of the same connections, each in another way", b.Place),
		"keep them apart by from, to, dport or interfaces, or let one be about part of the other's connections: then that one comes first")
}

// leaving tells whether an entry translates who connections come from, when they
// leave, and not where they go.
func (n NAT) leaving() bool { return n.Kind == inventory.Masquerade || n.Kind == inventory.SNAT }

// toItself tells whether an entry is about connections to the host's own addresses,
// whichever those are.
func (n NAT) toItself() bool { return n.Kind == inventory.DNAT && len(n.To) == 0 }

func (n NAT) sameTarget(o NAT) bool {
	return n.Kind == o.Kind && n.ToAddr == o.ToAddr && n.ToPort == o.ToPort
}

func compareNAT(a, b NAT) int {
	return cmp.Or(
		strings.Compare(string(a.Kind), string(b.Kind)),
		slices.CompareFunc(a.Ports, b.Ports, comparePorts),
		slices.CompareFunc(a.From, b.From, comparePeers), slices.CompareFunc(a.To, b.To, comparePeers),
		slices.Compare(a.InIfaces, b.InIfaces), slices.Compare(a.OutIfaces, b.OutIfaces),
		strings.Compare(string(a.Family), string(b.Family)),
		a.ToAddr.Compare(b.ToAddr), cmp.Compare(a.ToPort, b.ToPort), strings.Compare(a.Comment, b.Comment))
}
