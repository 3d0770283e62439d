package roles

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles/internal/addrs"
)

// hostManagement is the management pair of one host.
func (c *compiler) hostManagement(h inventory.Host) Management {
	m := c.fleetManagement()
	for _, p := range h.SSHDPorts {
		m.Ports = append(m.Ports, p.V)
	}
	for _, p := range c.fleet.Management.FailsafePorts {
		m.Ports = append(m.Ports, p.V)
	}
	slices.Sort(m.Ports)
	m.Ports = slices.Compact(m.Ports)
	return m
}

// fleetManagement is the part of the management pair that all hosts share.
func (c *compiler) fleetManagement() Management {
	if c.management != nil {
		return *c.management
	}
	written := c.fleet.Management
	m := Management{}
	for _, a := range written.Controller {
		m.Controller = append(m.Controller, a.V)
	}
	slices.SortFunc(m.Controller, netip.Addr.Compare)
	m.Controller = slices.Compact(m.Controller)
	if len(written.From) > 0 {
		m.Place = written.From[0].Place
	}
	peers, everybody, ok := c.peers(written.From, false)
	// An empty list is what inventory leaves of one with mistakes.
	c.broken = !ok || len(written.From) == 0
	m.Peers = peers
	if everybody && !c.broken {
		m.Peers = []Peer{anybody()}
	}
	if !written.AllowAny {
		c.refuseAny(m)
	}
	c.management = &m
	return m
}

// refuseAny reports a management pair that is open to most of a family, however
// that is written: any, a prefix of length 0, 2000::/3, halves, or a set of them.
func (c *compiler) refuseAny(m Management) {
	whom := crowd(m.Peers)
	if len(m.Peers) == 0 || whom == "" {
		return
	}
	at := c.fleet.Management.From[0]
	for _, ref := range c.fleet.Management.From {
		one, everyone, _ := c.peers([]inventory.At[string]{ref}, false)
		if everyone || len(one) > 0 && crowd(one) != "" {
			at = ref
			break
		}
	}
	c.errorAt(at.Place, "management.from admits "+whom, "name the networks of the administrators, or write allow_any = true in [management]")
}

// crowd names what peers stand for if that is most of a family's addresses, ""
// if it is not.
func crowd(peers []Peer) string {
	v4, v6 := reach(peers)
	switch {
	case addrs.Covers(v4, addrs.All4()), addrs.Covers(v6, addrs.All6()):
		return "every address"
	case addrs.Most(v4), addrs.Most(v6):
		return "most addresses there are"
	}
	return ""
}

// managementPaths reports hosts that the management pair leaves no way in to by
// the family they are reached by. Hosts with the same fault are one finding.
func (c *compiler) managementPaths(policies []Policy, hosts []inventory.Host) {
	if c.broken {
		return
	}
	closed := map[string][]string{}
	for i, h := range hosts {
		if h.Unmanaged {
			continue
		}
		reached := families(h)
		if a, err := netip.ParseAddr(h.SSH.Address); err == nil {
			reached = []string{family(a)}
		} else if len(reached) == 0 {
			reached = []string{"IPv4", "IPv6"} // a name: whatever it resolves to
		}
		if !slices.ContainsFunc(reached, policies[i].Management.speaks) {
			f := strings.Join(reached, " or ")
			closed[f] = append(closed[f], h.Name)
		}
	}
	for f, names := range closed {
		c.errorAt(c.fleet.Management.Place, fmt.Sprintf("%s would have no management path", theHosts(names)),
			fmt.Sprintf("add %s addresses to management.from", f))
	}
}

// lintManagement warns about families of hosts that management has no source in.
func (c *compiler) lintManagement(policies []Policy) {
	partly := map[string][]string{}
	for i, h := range c.fleet.Hosts {
		for _, f := range families(h) {
			if !h.Unmanaged && !policies[i].Management.speaks(f) {
				partly[f] = append(partly[f], h.Name)
			}
		}
	}
	for f, names := range partly {
		c.warnAt(c.fleet.Management.Place, fmt.Sprintf("management.from has no %s address, but %s can be reached over %s", f, theHosts(names), f),
			"SSH over that family would be refused")
	}
}

// speaks reports whether the pair has a source of the family.
func (m Management) speaks(family string) bool {
	return slices.ContainsFunc(m.Peers, func(p Peer) bool { return p.speaks(family) })
}

func (p Peer) speaks(family string) bool {
	return family == "IPv4" && len(p.V4) > 0 || family == "IPv6" && len(p.V6) > 0
}

// families are those of a host's addresses, sorted.
func families(h inventory.Host) []string {
	var list []string
	for _, a := range h.Addrs() {
		if f := family(a); !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	slices.Sort(list)
	return list
}

func family(a netip.Addr) string {
	if a.Unmap().Is4() {
		return "IPv4"
	}
	return "IPv6"
}

func (m Management) admits(remote netip.Addr, local uint16) bool {
	if _, ok := slices.BinarySearch(m.Ports, local); !ok {
		return false
	}
	return slices.ContainsFunc(m.Peers, func(p Peer) bool { return p.has(remote) })
}
