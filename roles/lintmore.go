package roles

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"fwpush/inventory"
	"fwpush/roles/internal/addrs"
	"fwpush/roles/space"
)

// lintRules warns about single rules that do less than they seem to.
func (c *compiler) lintRules(p Policy, h inventory.Host) {
	for _, r := range p.AllRules() {
		c.lintExpiry(r)
		c.lintTypes(r)
	}
	for _, d := range Directions {
		c.lintLimits(p.Rules(d))
	}
	for _, r := range p.In {
		c.lintManagementRate(p, r)
	}
	if p.Forwards && slices.ContainsFunc(h.Coexist, func(w inventory.At[string]) bool { return w.V == "docker" }) {
		c.warnAt(h.Place, fmt.Sprintf("host %q has forward rules and coexists with docker", h.Name),
			"what no rule of forward allows is refused, what containers send and their published ports too; to rule on those ports alone write published")
	}
}

// lintLimits warns about limits that hold for what another rule allows without one:
// what is over a limit is refused before anything accepts.
func (c *compiler) lintLimits(rules []Rule) {
	for _, l := range rules {
		if !l.Allows() || l.Rate.N == 0 && l.MaxConns == 0 {
			continue
		}
		for _, r := range rules {
			if !r.Allows() || r.Rate.N > 0 || r.MaxConns > 0 || !c.first(fmt.Sprintf("limit\x00%s\x00%s", l.Place, r.Place)) {
				continue
			}
			alike := l.Keys(false).Meets(r.Keys(false)) || l.Keys(true).Meets(r.Keys(true))
			if alike && slices.ContainsFunc(l.packets(), func(b space.Box) bool { return len(r.packets().And(b)) > 0 }) {
				c.warnAt(l.Place, fmt.Sprintf("the limit holds for what the allow at %s lets in too", r.Place), "narrow one of the two, or give that one the limit")
			}
		}
	}
}

// soon is how long before its end a rule is told of.
const soon = 14 * 24 * time.Hour

func (c *compiler) lintExpiry(r Rule) {
	if r.Expires.IsZero() || c.fleet.ReadAt.IsZero() || r.Expires.Sub(c.fleet.ReadAt) > soon {
		return
	}
	c.warnAt(r.Place, fmt.Sprintf("the rule expires soon, its last day is %s", lastDay(r.Expires)), "give it a later date if it is still needed")
}

// lintTypes warns about an allow of messages that no connection begins with: they
// pass as answers or not at all.
func (c *compiler) lintTypes(r Rule) {
	if !r.Allows() || r.All || len(r.Ports)+len(r.Protos) > 0 {
		return
	}
	var idle []string
	for _, t := range r.ICMP {
		if !begins4[t] {
			idle = append(idle, inventory.ICMPName(false, t))
		}
	}
	for _, t := range r.ICMPv6 {
		if !begins6[t] {
			idle = append(idle, inventory.ICMPName(true, t))
		}
	}
	if len(idle) > 0 {
		c.warnAt(r.Place, fmt.Sprintf("%s begins no connection, so the rule never sees it", strings.Join(idle, ", ")),
			"what belongs to a connection passes with it, and errors always do")
	}
}

// begins4 and begins6 are the types that connection tracking takes for the beginning
// of something, or leaves alone (see the package verdict).
var (
	begins4 = map[uint8]bool{8: true, 13: true, 15: true, 17: true}
	begins6 = map[uint8]bool{128: true, 139: true, 130: true, 131: true, 132: true, 133: true, 134: true, 135: true, 136: true, 143: true}
)

// lintManagementRate warns about a limit that counts nobody: management lets all of
// the rule's sources in before.
func (c *compiler) lintManagementRate(p Policy, r Rule) {
	if r.Rate.N == 0 || len(r.From) == 0 || r.All || len(r.ICMP)+len(r.ICMPv6)+len(r.Protos) > 0 {
		return
	}
	for _, port := range r.Ports {
		if port.Proto != "tcp" || port.From != port.To || !slices.Contains(p.Management.Ports, port.From) {
			return
		}
	}
	from4, from6 := reach(r.From)
	all4, all6 := reach(p.Management.Peers)
	if len(p.Management.Peers) > 0 && addrs.Covers(all4, from4) && addrs.Covers(all6, from6) {
		c.warnAt(r.Place, "the limit counts nobody: management lets these sources in before", "leave rate out, or take them out of management.from")
	}
}

// lintSets warns about sets that overlap and neither of which is in the other: which
// of the two a rule should name is then anybody's guess.
func (c *compiler) lintSets() {
	type set struct {
		name   string
		v4, v6 space.Addrs
	}
	var sets []set
	for _, name := range slices.Sorted(maps.Keys(c.fleet.Sets)) {
		p := c.sets[name]
		sets = append(sets, set{name, space.AddrsOf(p.V4...), space.AddrsOf(p.V6...)})
	}
	for i, a := range sets {
		for _, b := range sets[i+1:] {
			common := a.v4.And(b.v4).Union(a.v6.And(b.v6))
			within := func(x, y set) bool { return y.v4.Covers(x.v4) && y.v6.Covers(x.v6) }
			same := within(a, b) && within(b, a)
			if len(common) == 0 || !same && (within(a, b) || within(b, a)) {
				continue
			}
			msg := fmt.Sprintf("sets %q and %q overlap: both hold %s", a.name, b.name, inventory.AddrRange(common[0]))
			if same {
				msg = fmt.Sprintf("sets %q and %q hold the same", a.name, b.name)
			}
			c.warnAt(c.fleet.Sets[b.name].Place, msg, "let one refer to the other, or take the addresses out of one")
		}
	}
}

// lintNAT warns about rules for hosts whose packets get another source on their way:
// a gateway translates what comes from their net, and the host with the rule is not
// in it.
func (c *compiler) lintNAT(policies []Policy) {
	for _, gateway := range policies {
		for _, n := range gateway.NAT {
			if n.Kind != inventory.Masquerade && n.Kind != inventory.SNAT {
				continue
			}
			from4, from6 := c.behind(gateway, n)
			for _, p := range policies {
				if p.Host == gateway.Host || slices.ContainsFunc(p.Addresses, (Peer{V4: from4, V6: from6}).has) {
					continue
				}
				c.lintTranslated(gateway, n, p, from4, from6)
			}
		}
	}
}

// behind are the addresses that an entry of nat translates. One without from
// translates all that leaves by its interfaces, and so nobody who is in their nets.
func (c *compiler) behind(gateway Policy, n NAT) (v4, v6 []inventory.AddrRange) {
	if len(n.From) > 0 {
		return reach(n.From)
	}
	var beyond []inventory.AddrRange
	aliases := c.fleet.Hosts[c.hosts[gateway.Host]].Ifaces
	for _, h := range c.fleet.Hosts {
		for _, net := range h.Addresses {
			if alias, ok := aliases[net.Name]; !ok || !slices.Contains(n.OutIfaces, alias.V) {
				continue
			}
			for _, a := range net.Addresses {
				beyond = append(beyond, inventory.AddrRange{From: a.V, To: a.V})
			}
		}
	}
	var all []inventory.AddrRange
	for _, r := range space.Everyone(false).Union(space.Everyone(true)).Minus(space.AddrsOf(beyond...)) {
		all = append(all, inventory.AddrRange(r))
	}
	return addrs.Merge(all)
}

func (c *compiler) lintTranslated(gateway Policy, n NAT, p Policy, from4, from6 []inventory.AddrRange) {
	for _, r := range p.In {
		for _, peer := range r.From {
			if peer.Kind != RolePeer && peer.Kind != HostPeer && peer.Kind != GroupPeer {
				continue
			}
			v4 := n.Family != inventory.IPv6 && len(peer.V4) > 0 && addrs.Covers(from4, peer.V4)
			v6 := n.Family != inventory.IPv4 && len(peer.V6) > 0 && addrs.Covers(from6, peer.V6)
			if v4 || v6 {
				c.warnAt(r.Place, fmt.Sprintf("%s is behind the nat of host %q (%s): where its packets pass that, they come from another address", peer, gateway.Host, n.Place),
					"name the gateway, or a net that is not translated")
			}
		}
	}
}
