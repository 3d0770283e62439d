package roles

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles/internal/services"
)

// Check finds what is wrong with the references of a whole fleet file, used by
// a host or not, and, once nothing is, what is likely not meant (warnings).
func Check(fleet *inventory.Fleet) inventory.Problems {
	c := newCompiler(fleet)
	c.names()
	for _, name := range slices.Sorted(maps.Keys(fleet.Services)) {
		if slices.Contains(services.Names(), name) {
			c.redefined(fleet.Services[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fleet.Sets)) {
		if s := fleet.Sets[name]; len(s.Addresses) == 0 && !s.AllowEmpty {
			c.emptySet(s)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fleet.Roles)) {
		// Nobody's policy: it is for what the roles themselves get wrong.
		c.settle(&Policy{}, inventory.Host{}, []*lineage{c.lineage(name)})
	}
	policies := c.policies()
	if len(c.list.Errors()) == 0 {
		c.lint(policies)
	}
	return c.sorted()
}

// names reports names that become one where - is written as _, as rulesets do.
func (c *compiler) names() {
	var sets, ports, roles []inventory.At[string]
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
}

func (c *compiler) distinct(kind string, names []inventory.At[string]) {
	slices.SortFunc(names, func(a, b inventory.At[string]) int { return comparePlaces(a.Place, b.Place) })
	first := map[string]inventory.At[string]{}
	for _, n := range names {
		key := strings.ReplaceAll(n.V, "-", "_")
		o, taken := first[key]
		if !taken {
			first[key] = n
			continue
		}
		c.errorAt(n.Place, fmt.Sprintf("%s %q and %q (%s) are one name in a ruleset", kind, n.V, o.V, o.Place), "rename one of them")
	}
}
