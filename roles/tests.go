package roles

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles/internal/addrs"
	"fwpush/roles/space"
)

// Test is one of [[tests]] with its names resolved.
type Test struct {
	Name              string // the file's, or what the test says
	Place             inventory.Place
	From, To          []End
	Allow, Deny       []Ask
	Family            inventory.Family
	Via               string // host that forwards, "" for none
	InIface, OutIface string // as the file writes them
	Published         bool   // packets are handed on by the nat of somebody else
	RawOK             bool
}

// End is one end of a flow: a host of the fleet, or addresses of whoever has them.
type End struct {
	Word string // as the file says it
	Host string // "" for what is no host of the fleet that gets rules
	Nets []EndNet
}

// EndNet are addresses in one network of a host, or all of an end that is none.
type EndNet struct {
	Name   string
	V4, V6 []inventory.AddrRange
}

// Ask is a service that a test asks about.
type Ask struct {
	Service string
	Traffic
	Place inventory.Place
}

// CompileTests gives the tests of a fleet file their meaning. A test that is not
// understood is among the problems and not among the tests.
func CompileTests(fleet *inventory.Fleet) ([]Test, inventory.Problems) {
	c := newCompiler(fleet)
	tests := c.tests()
	return tests, c.sorted()
}

func (c *compiler) tests() []Test {
	var list []Test
	for _, w := range c.fleet.Tests {
		t, ok := c.test(w)
		if ok && !t.meets() {
			c.errorAt(w.Place, "the test asks nothing: from and to have no address family in common", "")
			ok = false
		}
		if ok {
			list = append(list, t)
		}
	}
	return list
}

// test resolves the names of a test.
func (c *compiler) test(w inventory.Test) (Test, bool) {
	t := Test{Name: w.Name.V, Place: w.Place, Family: w.Family, Via: w.Via.V, InIface: w.InIface.V, OutIface: w.OutIface.V, Published: w.Published, RawOK: w.RawOK}
	from, okFrom := c.ends(w.From)
	to, okTo := c.ends(w.To)
	allow, okAllow := c.asks(w.Allow)
	deny, okDeny := c.asks(w.Deny)
	ok := okFrom && okTo && okAllow && okDeny && c.testIfaces(w, to)
	switch i, known := c.hosts[t.Via]; {
	case t.Via == "":
	case known && c.fleet.Hosts[i].Unmanaged:
		c.errorAt(w.Via.Place, fmt.Sprintf("host %q is unmanaged and has no forward rules to ask", t.Via), "leave via out, or name a host that gets rules")
		ok = false
	case !known:
		c.unknown(w.Via.Place, "host", t.Via, slices.Sorted(maps.Keys(c.hosts)))
		ok = false
	}
	t.From, t.To, t.Allow, t.Deny = from, to, allow, deny
	if t.Name == "" {
		t.Name = fmt.Sprintf("%s to %s", words(w.From), words(w.To))
	}
	return t, ok
}

func words(list []inventory.At[string]) string {
	texts := make([]string, len(list))
	for i, w := range list {
		texts[i] = w.V
	}
	return strings.Join(texts, ", ")
}

// meets reports whether some pair of ends has a family in common.
func (t Test) meets() bool {
	has := func(list []End, v6 bool) bool {
		return slices.ContainsFunc(list, func(e End) bool {
			return slices.ContainsFunc(e.Nets, func(n EndNet) bool { return v6 && len(n.V6) > 0 || !v6 && len(n.V4) > 0 })
		})
	}
	both := func(v6 bool) bool { return has(t.From, v6) && has(t.To, v6) }
	return t.Family != inventory.IPv6 && both(false) || t.Family != inventory.IPv4 && both(true)
}

func (c *compiler) asks(list []inventory.At[string]) ([]Ask, bool) {
	var asks []Ask
	ok := true
	for _, s := range list {
		one, good := c.service(s)
		ok = ok && good
		asks = append(asks, Ask{s.V, one.Traffic, s.Place})
	}
	return asks, ok
}

func (c *compiler) ends(refs []inventory.At[string]) ([]End, bool) {
	var list []End
	ok := true
	for _, ref := range refs {
		ends, good := c.end(ref)
		ok = ok && good
		list = append(list, ends...)
	}
	return list, ok
}

// end is what one word of from or to stands for: a host for each that it names, else
// one end with all the addresses.
func (c *compiler) end(ref inventory.At[string]) ([]End, bool) {
	whole := func(v4, v6 []inventory.AddrRange) []End {
		return []End{{Word: ref.V, Nets: []EndNet{{V4: v4, V6: v6}}}}
	}
	switch kind, name, _ := strings.Cut(ref.V, ":"); {
	case ref.V == "internet":
		v4, v6 := c.internet()
		return whole(v4, v6), true
	case ref.V == "controller":
		return c.controllerEnd(ref, whole)
	case kind == "host" || kind == "role" || kind == "group":
		if _, _, ok := c.peers([]inventory.At[string]{ref}, false); !ok {
			return nil, false
		}
		return c.hostEnds(ref, kind, name), true
	}
	peers, _, ok := c.peers([]inventory.At[string]{ref}, false)
	if !ok || len(peers) == 0 {
		return nil, ok
	}
	return whole(peers[0].V4, peers[0].V6), true
}

func (c *compiler) controllerEnd(ref inventory.At[string], whole func(v4, v6 []inventory.AddrRange) []End) ([]End, bool) {
	var ranges []inventory.AddrRange
	for _, a := range c.fleet.Management.Controller {
		ranges = append(ranges, inventory.AddrRange{From: a.V, To: a.V})
	}
	if len(ranges) == 0 {
		c.errorAt(ref.Place, "the file does not say where the controller is", `write controller = ["ADDRESS"] in [management]`)
		return nil, false
	}
	return whole(addrs.Merge(ranges)), true
}

func (c *compiler) hostEnds(ref inventory.At[string], kind, name string) []End {
	name, net, _ := strings.Cut(name, "@")
	var list []End
	for _, i := range c.standsFor(PeerKind(kind), name) {
		h := c.fleet.Hosts[i]
		e := End{Word: ref.V, Host: h.Name}
		if h.Unmanaged {
			e.Host = ""
		}
		for _, n := range h.Addresses {
			if net != "" && n.Name != net {
				continue
			}
			var ranges []inventory.AddrRange
			for _, a := range n.Addresses {
				ranges = append(ranges, inventory.AddrRange{From: a.V, To: a.V})
			}
			v4, v6 := addrs.Merge(ranges)
			e.Nets = append(e.Nets, EndNet{n.Name, v4, v6})
		}
		list = append(list, e)
	}
	return list
}

// internet is everything that is routed there but the fleet, its sets and those who
// manage it. Ranges for
// documentation (RFC 5737, RFC 3849) count: examples are written with them.
func (c *compiler) internet() (v4, v6 []inventory.AddrRange) {
	rest := space.Everyone(false).Union(space.Prefix(netip.MustParsePrefix("2000::/3")))
	for _, p := range [...]string{ // RFC 6890 and its registry
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3",
	} {
		rest = rest.Minus(space.Prefix(netip.MustParsePrefix(p)))
	}
	var known []inventory.AddrRange
	for _, h := range c.fleet.Hosts {
		for _, a := range h.Addrs() {
			known = append(known, inventory.AddrRange{From: a, To: a})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.fleet.Sets)) {
		p, ok := c.setPeer(inventory.At[string]{V: "set:" + name, Place: c.fleet.Sets[name].Place}, name)
		if !ok || addrs.Most(p.V4) || addrs.Most(p.V6) { // a name for everybody is nobody's
			continue
		}
		known = slices.Concat(known, p.V4, p.V6)
	}
	for _, p := range c.fleetManagement().Peers {
		if p.Kind != Any {
			known = slices.Concat(known, p.V4, p.V6)
		}
	}
	rest = rest.Minus(space.AddrsOf(known...))
	var ranges []inventory.AddrRange
	for _, r := range rest {
		ranges = append(ranges, inventory.AddrRange(r))
	}
	return addrs.Merge(ranges)
}
