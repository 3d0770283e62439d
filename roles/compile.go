package roles

import (
	"fmt"
	"net/netip"
	"slices"

	"fwpush/inventory"
)

// Compile gives a host's part of the fleet file its meaning. The policy is
// complete and canonical: neither the order of tables, roles and rules nor a
// rule written twice shows in it. If a problem is an error the policy is not to
// be used; what is wrong with the file beyond this host only Check finds. For
// all hosts CompileAll is faster.
func Compile(fleet *inventory.Fleet, host inventory.Host) (Policy, inventory.Problems) {
	c := newCompiler(fleet)
	p := c.policy(host)
	c.managementPaths([]Policy{p}, []inventory.Host{host})
	return p, c.sorted()
}

// CompileAll compiles every host, in the order of fleet.Hosts. Problems are
// told once for the fleet and not once a host.
func CompileAll(fleet *inventory.Fleet) ([]Policy, inventory.Problems) {
	c := newCompiler(fleet)
	policies := c.policies()
	return policies, c.sorted()
}

// compiler resolves the names of one fleet and keeps what many hosts share. It
// lives for one call.
type compiler struct {
	findings
	fleet      *inventory.Fleet
	standard   map[string]inventory.Role
	hosts      map[string]int   // by name, index into fleet.Hosts
	byRole     map[string][]int // hosts that name the role themselves
	lineages   map[string]*lineage
	path       []string            // roles being resolved, for cycles
	setPath    []string            // sets being resolved, for cycles
	sets       map[string]Peer     // resolved sets
	services   map[string]service  // resolved services of the file
	resolved   map[string]Peer     // resolved host:, role: and group: references
	aliases    map[string]bool     // words that any host has an interface for
	inherited  map[inheritance]any // what roles say about settings, a vote or nil
	byRoles    map[string]Policy   // the settings of hosts with such roles and none of their own
	management *Management         // of every host, without ports; nil until resolved
	broken     bool                // management.from has errors of its own
}

func newCompiler(fleet *inventory.Fleet) *compiler {
	c := &compiler{
		fleet:     fleet,
		hosts:     map[string]int{},
		byRole:    map[string][]int{},
		lineages:  map[string]*lineage{},
		sets:      map[string]Peer{},
		services:  map[string]service{},
		resolved:  map[string]Peer{},
		aliases:   map[string]bool{},
		inherited: map[inheritance]any{},
		byRoles:   map[string]Policy{},
	}
	standard, problems := standardRoles()
	c.standard = standard
	c.list = append(c.list, problems...)
	for i, h := range fleet.Hosts {
		c.hosts[h.Name] = i
		for _, r := range h.Roles {
			if list := c.byRole[r.V]; len(list) == 0 || list[len(list)-1] != i {
				c.byRole[r.V] = append(list, i)
			}
		}
		for alias := range h.Ifaces {
			c.aliases[alias] = true
		}
	}
	return c
}

func (c *compiler) policies() []Policy {
	policies := make([]Policy, len(c.fleet.Hosts))
	for i, h := range c.fleet.Hosts {
		policies[i] = c.policy(h)
	}
	c.managementPaths(policies, c.fleet.Hosts)
	return policies
}

func (c *compiler) policy(h inventory.Host) Policy {
	roles := c.hostRoles(h)
	p := c.settled(h, roles)
	p.Host, p.Addresses, p.Management = h.Name, ownAddresses(h), c.hostManagement(h)
	own := c.drafts(h.Rules)
	named := c.named(h.Out)
	p.Forwards, p.Publishes = h.Forwards, h.Publishes
	p.Probes = slices.Clone(h.Probes)
	seen := map[*lineage]bool{}
	for _, r := range roles {
		for _, l := range r.all() {
			if seen[l] {
				continue
			}
			seen[l] = true
			own.join(l.drafts)
			named = append(named, l.named...)
			p.Forwards = p.Forwards || l.role.Forwards
			p.Publishes = p.Publishes || l.role.Publishes
			p.Probes = append(p.Probes, l.role.Probes...)
		}
	}
	if p.Outbound != inventory.Accept {
		p.Lifelines = lifelinesBeside(named)
	}
	p.In, p.Out = c.onHost(h, own.in), c.onHost(h, own.out)
	p.Forward, p.Published = c.onHost(h, own.forward), c.onHost(h, own.published)
	c.clusterNode(h, p)
	nameRules(&p)
	p.NAT = c.natOnHost(h, own.nat)
	p.Raw = c.raw(h, roles, p.Forwards)
	slices.SortStableFunc(p.Probes, func(a, b inventory.Probe) int { return comparePlaces(a.Place, b.Place) })
	return p
}

// clusterNode refuses rules for published ports on a node of Kubernetes: there the
// packets of a cluster go through nat on their way to its services, which they would
// cut off.
func (c *compiler) clusterNode(h inventory.Host, p Policy) {
	for _, w := range h.Coexist {
		if w.V == "kube-proxy" && p.Publishes {
			c.errorAt(w.Place, fmt.Sprintf("host %q runs kube-proxy and has rules of published, which would cut off the services of the cluster", h.Name),
				"say in a NetworkPolicy who may reach them, and take published out")
		}
	}
}

// hostRoles are the roles a host names, each once.
func (c *compiler) hostRoles(h inventory.Host) []*lineage {
	var list []*lineage
	for _, r := range h.Roles {
		l := c.lineage(r.V)
		if l == nil {
			c.unknown(r.Place, "role", r.V, c.roleNames())
			continue
		}
		if !slices.Contains(list, l) {
			list = append(list, l)
		}
	}
	return list
}

// ownAddresses are those a host is said to have, sorted.
func ownAddresses(h inventory.Host) []netip.Addr {
	list := h.Addrs()
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}
