package roles

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles/internal/services"
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
	path       []string                    // roles being resolved, for cycles
	sets       map[string]Peer             // resolved sets
	resolved   map[string]Peer             // resolved host: and role: references
	compared   map[[2]inventory.Place]bool // allows and denies that lint has compared
	inherited  map[inheritance]any         // what roles say about settings, a vote or nil
	management *Management                 // of every host, without ports; nil until resolved
	broken     bool                        // management.from has errors of its own
}

func newCompiler(fleet *inventory.Fleet) *compiler {
	c := &compiler{
		fleet:     fleet,
		hosts:     map[string]int{},
		byRole:    map[string][]int{},
		lineages:  map[string]*lineage{},
		sets:      map[string]Peer{},
		resolved:  map[string]Peer{},
		compared:  map[[2]inventory.Place]bool{},
		inherited: map[inheritance]any{},
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
	p := Policy{Host: h.Name, Management: c.hostManagement(h)}
	c.settle(&p, h, roles)
	p.In, p.Out = c.rules(h.In), c.rules(h.Out)
	named := c.named(h.Out)
	for _, r := range roles {
		for _, l := range r.all() {
			p.In = append(p.In, l.in...)
			p.Out = append(p.Out, l.out...)
			named = append(named, l.named...)
		}
	}
	if p.Outbound != inventory.Accept {
		p.Lifelines = lifelinesBeside(named)
	}
	p.In, p.Out = canonical(p.In), canonical(p.Out)
	return p
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

// rules compiles rules as written. One that cannot be resolved, or that stands
// for nobody and may, is left out: never is it widened.
func (c *compiler) rules(written []inventory.Rule) []Rule {
	var list []Rule
	for _, w := range written {
		if r, ok := c.rule(w); ok {
			list = append(list, r)
		}
	}
	return list
}

func (c *compiler) rule(w inventory.Rule) (Rule, bool) {
	r := Rule{Deny: w.Deny, Comment: w.Comment.V, Owner: w.Owner.V, Ticket: w.Ticket.V, Place: w.Place}
	ok := true
	for _, s := range w.Services {
		ok = c.addService(&r, s) && ok
	}
	if r.All {
		r.Ports, r.Ping = nil, false
	}
	r.Ports = mergePorts(r.Ports)
	from, anyFrom, okFrom := c.peers(w.From, w.AllowEmpty)
	to, anyTo, okTo := c.peers(w.To, w.AllowEmpty)
	if !ok || !okFrom || !okTo {
		return r, false
	}
	if !anyFrom && len(from) == 0 || !anyTo && len(to) == 0 {
		return r, false
	}
	r.From, r.To = from, to
	if v4, v6 := r.families(); !v4 && !v6 {
		c.errorAt(w.Place, "the rule matches nothing: from and to have no address family in common", "")
		return r, false
	}
	return r, true
}

// addService adds what a service name or a literal such as "tcp/8443" stands
// for.
func (c *compiler) addService(r *Rule, s inventory.At[string]) bool {
	switch s.V {
	case services.All:
		r.All = true
		return true
	case services.Ping:
		r.Ping = true
		return true
	}
	if strings.Contains(s.V, "/") {
		p, err := inventory.ParsePort(s.V)
		if err != nil {
			c.errorAt(s.Place, err.Error(), "")
			return false
		}
		r.Ports = append(r.Ports, p)
		return true
	}
	service, ok := c.fleet.Services[s.V]
	if ports, builtIn := services.Ports(s.V); builtIn {
		if ok {
			c.redefined(service)
			return false
		}
		r.Ports = append(r.Ports, ports...)
		return true
	}
	if !ok {
		c.unknown(s.Place, "service", s.V, c.serviceNames())
		return false
	}
	for _, p := range service.Ports {
		r.Ports = append(r.Ports, p.V)
	}
	return true
}

func (c *compiler) redefined(s inventory.Service) {
	c.errorAt(s.Place, fmt.Sprintf("service %q is built in", s.Name),
		"choose another name; redefining one needs override, which is not supported yet")
}

func (c *compiler) serviceNames() []string {
	names := slices.AppendSeq(services.Names(), maps.Keys(c.fleet.Services))
	slices.Sort(names)
	return names
}

// families reports for which families a rule matches anything.
func (r Rule) families() (v4, v6 bool) {
	from4, from6 := reach(r.From)
	to4, to6 := reach(r.To)
	return len(from4) > 0 && len(to4) > 0, len(from6) > 0 && len(to6) > 0
}

// canonical sorts rules, denies first, and collapses those that are equal but
// for where they stand.
func canonical(rules []Rule) []Rule {
	slices.SortFunc(rules, func(a, b Rule) int {
		return cmp.Or(compareRules(a, b), comparePlaces(a.Place, b.Place))
	})
	return slices.CompactFunc(rules, func(a, b Rule) bool { return compareRules(a, b) == 0 })
}

func compareRules(a, b Rule) int {
	if a.Deny != b.Deny {
		if a.Deny {
			return -1
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(rank(b.All), rank(a.All)),
		cmp.Compare(rank(b.Ping), rank(a.Ping)),
		slices.CompareFunc(a.Ports, b.Ports, comparePorts),
		slices.CompareFunc(a.From, b.From, comparePeers),
		slices.CompareFunc(a.To, b.To, comparePeers),
		cmp.Compare(a.Comment, b.Comment), cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Ticket, b.Ticket))
}

// mergePorts sorts ranges by protocol and port and joins those that overlap or
// touch.
func mergePorts(list []inventory.PortRange) []inventory.PortRange {
	list = slices.Clone(list)
	slices.SortFunc(list, comparePorts)
	var out []inventory.PortRange
	for _, r := range list {
		// In int, because 65535+1 does not fit the type.
		if n := len(out); n > 0 && out[n-1].Proto == r.Proto && int(r.From) <= int(out[n-1].To)+1 {
			out[n-1].To = max(out[n-1].To, r.To)
			continue
		}
		out = append(out, r)
	}
	return out
}

func comparePorts(a, b inventory.PortRange) int {
	return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
}
