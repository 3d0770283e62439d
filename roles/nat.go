package roles

import (
	"cmp"
	"slices"
	"strings"

	"fwpush/inventory"
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
	return slices.CompactFunc(out, func(a, b NAT) bool { return compareNAT(a, b) == 0 })
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
