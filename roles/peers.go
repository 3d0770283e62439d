package roles

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles/internal/addrs"
)

// peers resolves a list of references. everyone is true if the list matches
// every address (it is empty or says any). Literals become one peer, references
// that stand for no address and may are left out, and what cannot be resolved is
// reported with ok false.
func (c *compiler) peers(refs []inventory.At[string], allowEmpty bool) (peers []Peer, everyone, ok bool) {
	ok = true
	var literals []inventory.AddrRange
	for _, ref := range refs {
		kind, name, _ := strings.Cut(ref.V, ":")
		var p Peer
		good := true
		switch {
		case ref.V == "any":
			everyone = true
			continue
		case kind == "set":
			p, good = c.setPeer(ref, name)
		case kind == "host":
			p, good = c.hostPeer(ref, name)
		case kind == "role":
			p, good = c.rolePeer(ref, name, allowEmpty)
		case kind == "group":
			p, good = c.groupPeer(ref, name, allowEmpty)
		default:
			r, err := inventory.ParseAddrRange(ref.V)
			if err != nil {
				c.errorAt(ref.Place, err.Error(), "")
				ok = false
				continue
			}
			literals = append(literals, r)
			continue
		}
		ok = ok && good
		if good && len(p.V4)+len(p.V6) > 0 {
			peers = append(peers, p)
		}
	}
	if everyone || len(refs) == 0 {
		return nil, true, ok
	}
	if len(literals) > 0 {
		p := Peer{Kind: Literal}
		p.V4, p.V6 = addrs.Merge(literals)
		peers = append(peers, p)
	}
	slices.SortFunc(peers, comparePeers)
	peers = slices.CompactFunc(peers, func(a, b Peer) bool { return comparePeers(a, b) == 0 })
	return peers, false, ok
}

func (c *compiler) setPeer(ref inventory.At[string], name string) (Peer, bool) {
	if p, ok := c.sets[name]; ok {
		return p, true
	}
	set, ok := c.fleet.Sets[name]
	if !ok {
		c.unknown(ref.Place, "set", name, slices.Sorted(maps.Keys(c.fleet.Sets)))
		return Peer{}, false
	}
	if i := slices.Index(c.setPath, name); i >= 0 {
		c.cycle(ref.Place, c.setPath[i:], "take one of these references out")
		return Peer{}, false
	}
	return c.set(set)
}

// set resolves a set: its addresses, those its names had, and what it refers to.
func (c *compiler) set(set inventory.Set) (Peer, bool) {
	var ranges []inventory.AddrRange
	for _, a := range set.Addresses {
		ranges = append(ranges, a.V)
	}
	for _, l := range set.Resolved {
		for _, a := range l.Addresses {
			ranges = append(ranges, inventory.AddrRange{From: a, To: a})
		}
	}
	if len(set.Names) != len(set.Resolved) && c.first("names\x00"+set.Name) {
		c.errorAt(set.Place, fmt.Sprintf("the names of set %q were not looked up", set.Name), "")
	}
	c.setPath = append(c.setPath, set.Name)
	others, everyone, ok := c.peers(set.Refs, set.AllowEmpty)
	c.setPath = c.setPath[:len(c.setPath)-1]
	if !everyone { // it is without references
		for _, o := range others {
			ranges = slices.Concat(ranges, o.V4, o.V6)
		}
	}
	p := Peer{Kind: SetPeer, Name: set.Name}
	p.V4, p.V6 = addrs.Merge(ranges)
	if !ok {
		return p, false
	}
	if len(ranges) == 0 && !set.AllowEmpty {
		c.emptySet(set)
		return p, false
	}
	c.sets[set.Name] = p
	return p, true
}

func (c *compiler) emptySet(s inventory.Set) {
	c.errorAt(s.Place, fmt.Sprintf("set %q is empty", s.Name), "add addresses, or allow_empty = true to leave out the rules that name it")
}

func (c *compiler) hostPeer(ref inventory.At[string], name string) (Peer, bool) {
	name, net, named := strings.Cut(name, "@")
	i, ok := c.hosts[name]
	if !ok {
		c.unknown(ref.Place, "host", name, slices.Sorted(maps.Keys(c.hosts)))
		return Peer{}, false
	}
	return c.members(ref, Peer{Kind: HostPeer, Name: name, Net: net}, []int{i}, named)
}

func (c *compiler) rolePeer(ref inventory.At[string], name string, allowEmpty bool) (Peer, bool) {
	name, net, named := strings.Cut(name, "@")
	if !c.isRole(name) {
		c.unknown(ref.Place, "role", name, c.roleNames())
		return Peer{}, false
	}
	p := Peer{Kind: RolePeer, Name: name, Net: net}
	if len(c.byRole[name]) == 0 {
		if !allowEmpty {
			c.errorAt(ref.Place, fmt.Sprintf("no host has role %q", name), "give it to a host"+c.orElse(ref))
		}
		return p, allowEmpty
	}
	return c.members(ref, p, c.byRole[name], named)
}

func (c *compiler) groupPeer(ref inventory.At[string], name string, allowEmpty bool) (Peer, bool) {
	name, net, named := strings.Cut(name, "@")
	if _, ok := c.fleet.Groups[name]; !ok {
		c.unknown(ref.Place, "group", name, slices.Sorted(maps.Keys(c.fleet.Groups)))
		return Peer{}, false
	}
	p := Peer{Kind: GroupPeer, Name: name, Net: net}
	hosts := c.fleet.Group(name)
	if len(hosts) == 0 {
		if !allowEmpty {
			c.errorAt(ref.Place, fmt.Sprintf("no host is in group %q", name), "add one"+c.orElse(ref))
		}
		return p, allowEmpty
	}
	return c.members(ref, p, hosts, named)
}

// orElse is what can be done about a reference to nobody beside giving it a host.
func (c *compiler) orElse(ref inventory.At[string]) string {
	inTest := func(t inventory.Test) bool { return slices.Contains(t.From, ref) || slices.Contains(t.To, ref) }
	switch {
	case ref.Place.Line == 0: // a question, which no file asks
		return ""
	case slices.Contains(c.fleet.Management.From, ref):
		return ", or take it out of management.from until then"
	case slices.ContainsFunc(c.fleet.Tests, inTest):
		return ", or take the test out until then"
	}
	return ", or write allow_empty = true beside it to leave it out until then"
}

// standsFor are the hosts behind a reference, indexes into those of the fleet.
func (c *compiler) standsFor(kind PeerKind, name string) []int {
	switch kind {
	case HostPeer:
		return []int{c.hosts[name]}
	case RolePeer:
		return c.byRole[name]
	case GroupPeer:
		return c.fleet.Group(name)
	}
	return nil
}

// members fills a peer with the addresses of hosts, of one net if the reference
// names one. Every host must have some: one that is missing would be refused
// where the file says it is admitted.
func (c *compiler) members(ref inventory.At[string], p Peer, hosts []int, named bool) (Peer, bool) {
	key := ref.V
	if known, ok := c.resolved[key]; ok {
		return known, true
	}
	var ranges []inventory.AddrRange
	var without []int
	nets := map[string]bool{}
	for _, i := range hosts {
		n := len(ranges)
		for _, net := range c.fleet.Hosts[i].Addresses {
			nets[net.Name] = true
			if named && net.Name != p.Net {
				continue
			}
			for _, a := range net.Addresses {
				ranges = append(ranges, inventory.AddrRange{From: a.V, To: a.V})
			}
		}
		if len(ranges) == n {
			without = append(without, i)
		}
	}
	if named && (len(ranges) == 0 && len(nets) > 0 || p.Net == "") {
		c.unknownNet(ref, p, nets)
		return p, false
	}
	for _, i := range without {
		c.withoutAddresses(ref, p, c.fleet.Hosts[i])
	}
	if len(without) > 0 {
		return p, false
	}
	p.V4, p.V6 = addrs.Merge(ranges)
	c.resolved[key] = p
	return p, true
}

// unknownNet reports a net that none of the hosts behind a reference has.
func (c *compiler) unknownNet(ref inventory.At[string], p Peer, nets map[string]bool) {
	whose := fmt.Sprintf("host %q has no", p.Name)
	if p.Kind == RolePeer || p.Kind == GroupPeer {
		whose = fmt.Sprintf("no host of %s %q has a", p.Kind, p.Name)
	}
	delete(nets, "")
	known := slices.Sorted(maps.Keys(nets))
	msg, hint := fmt.Sprintf("%s net %q", whose, p.Net), "its nets are "+strings.Join(known, ", ")
	if len(known) == 0 {
		hint = fmt.Sprintf("its addresses are a plain list: leave out @%s, or write addresses = { %s = [...] }", p.Net, p.Net)
	} else if n := inventory.Nearest(p.Net, known); n != "" {
		msg, hint = fmt.Sprintf("%s; did you mean %q?", msg, n), ""
	}
	c.errorAt(ref.Place, msg, hint)
}

// withoutAddresses reports a host that a reference needs addresses of; once for
// a host and net, however many rules refer to it.
func (c *compiler) withoutAddresses(ref inventory.At[string], p Peer, h inventory.Host) {
	if !c.first("addresses\x00" + h.Name + "\x00" + p.Net) {
		return
	}
	what := "has no addresses"
	hint := fmt.Sprintf("add addresses to [hosts.%s]", h.Name)
	if p.Net != "" && len(h.Addresses) > 0 {
		what = fmt.Sprintf("has no addresses in net %q", p.Net)
		hint = fmt.Sprintf("add net %s to addresses of [hosts.%s]", p.Net, h.Name)
	}
	msg := fmt.Sprintf("host %q %s", h.Name, what)
	if ref.Place.Line > 0 { // else it is a question, and no line of the file
		msg += fmt.Sprintf(", but %s refers to it at %s", ref.V, ref.Place)
	}
	c.errorAt(h.Place, msg, hint)
}

func comparePeers(a, b Peer) int {
	return cmp.Or(
		cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Net, b.Net),
		addrs.Compare(a.V4, b.V4), addrs.Compare(a.V6, b.V6))
}
