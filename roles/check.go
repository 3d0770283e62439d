package roles

import (
	"fmt"
	"maps"
	"slices"

	"fwpush/inventory"
	"fwpush/roles/internal/services"
)

// Check finds what is wrong with the references of a whole fleet file, used by
// a host or not, and, once nothing is, what is likely not meant (warnings).
func Check(fleet *inventory.Fleet) inventory.Problems {
	c := newCompiler(fleet)
	c.names()
	for _, name := range slices.Sorted(maps.Keys(fleet.Services)) {
		s := fleet.Services[name]
		if slices.Contains(services.Names(), name) && !s.Override {
			c.redefined(s)
			continue
		}
		if s.Override && !slices.Contains(services.Names(), name) {
			c.errorAt(s.Place, fmt.Sprintf("service %q overrides nothing: no built-in service has that name", name), "leave override out")
		}
		c.fileService(s, nil)
	}
	for _, name := range slices.Sorted(maps.Keys(fleet.Sets)) {
		s := fleet.Sets[name]
		c.setPeer(inventory.At[string]{V: "set:" + name, Place: s.Place}, name)
	}
	for _, name := range slices.Sorted(maps.Keys(fleet.Roles)) {
		// Nobody's policy: it is for what the roles themselves get wrong.
		c.settle(&Policy{}, inventory.Host{}, []*lineage{c.lineage(name)})
	}
	c.checkRaw(fleet.Raw)
	c.checkNamed()
	c.leftOut()
	c.tests()
	policies := c.policies()
	c.checkNames(policies)
	if len(c.list.Errors()) == 0 {
		c.lint(policies)
	}
	return c.sorted()
}

// names reports names that become one where - is written as _, as rulesets do.
func (c *compiler) names() {
	var sets, ports, roles, groups []inventory.At[string]
	for _, g := range c.fleet.Groups {
		groups = append(groups, inventory.At[string]{V: g.Name, Place: g.Place})
	}
	for _, s := range c.fleet.Sets {
		sets = append(sets, inventory.At[string]{V: s.Name, Place: s.Place})
	}
	for _, s := range c.fleet.Services {
		ports = append(ports, inventory.At[string]{V: s.Name, Place: s.Place})
	}
	for _, r := range c.fleet.Roles {
		roles = append(roles, inventory.At[string]{V: r.Name, Place: r.Place})
	}
	for _, h := range c.fleet.Hosts {
		var nets []inventory.At[string]
		for _, n := range h.Addresses {
			nets = append(nets, inventory.At[string]{V: n.Name, Place: n.Place})
		}
		c.distinct("net", nets)
	}
	c.distinct("set", sets)
	c.distinct("service", ports)
	c.distinct("role", roles)
	c.distinct("group", groups)
}

func (c *compiler) distinct(kind string, names []inventory.At[string]) {
	slices.SortFunc(names, func(a, b inventory.At[string]) int { return comparePlaces(a.Place, b.Place) })
	first := map[string]inventory.At[string]{}
	for _, n := range names {
		key := inRuleset(n.V)
		o, taken := first[key]
		if !taken {
			first[key] = n
			continue
		}
		c.errorAt(n.Place, fmt.Sprintf("%s %q and %q (%s) are one name in a ruleset", kind, n.V, o.V, o.Place), "rename one of them")
	}
}

// checkNames reports rules of one host that the file gives the same name: they
// would be counted together, and explain could not tell them apart.
func (c *compiler) checkNames(policies []Policy) {
	for _, p := range policies {
		first := map[string]Rule{}
		for _, r := range p.AllRules() {
			if !r.Counted {
				continue
			}
			key := inRuleset(r.Name)
			o, taken := first[key]
			if taken && o.Place != r.Place {
				c.errorAt(r.Place, fmt.Sprintf("rule name %q is taken on %s (%s)", r.Name, p.Host, o.Place), "rename one of the two")
			}
			first[key] = r
		}
	}
}
