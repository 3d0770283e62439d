package roles

import (
	"maps"
	"slices"
	"strings"

	"fwpush/inventory"
)

// lineage is a role with the roles it extends, names resolved.
type lineage struct {
	role    inventory.Role
	parents []*lineage
	drafts                        // its own rules, compiled once for all hosts
	named   []inventory.PortRange // what the allows of its out name
}

// lineage resolves a role and everything it extends. A role of the fleet file
// hides the standard one of the same name; only where it extends its own name
// is the standard one meant. Unknown parents and cycles are reported and left
// out; nil stands for a name that is no role.
func (c *compiler) lineage(name string) *lineage {
	if l, ok := c.lineages[name]; ok {
		return l
	}
	role, ok := c.fleet.Roles[name]
	if !ok {
		return c.standardLineage(name)
	}
	l := &lineage{role: role}
	c.path = append(c.path, name)
	seen := map[string]bool{}
	for _, e := range role.Extends {
		if seen[e.V] {
			continue
		}
		seen[e.V] = true
		if p := c.parent(name, e); p != nil {
			l.parents = append(l.parents, p)
		}
	}
	c.path = c.path[:len(c.path)-1]
	slices.SortFunc(l.parents, func(a, b *lineage) int { return strings.Compare(a.role.Name, b.role.Name) })
	c.lineages[name] = l
	l.drafts, l.named = c.drafts(role.Rules), c.named(role.Out)
	return l
}

func (c *compiler) parent(child string, e inventory.At[string]) *lineage {
	if e.V == child {
		if _, ok := c.standard[child]; ok {
			return c.standardLineage(child)
		}
	}
	if i := slices.Index(c.path, e.V); i >= 0 {
		cycle := append(slices.Clone(c.path[i:]), e.V)
		c.errorAt(e.Place, "cycle: "+strings.Join(cycle, " → "), "take one of these roles out of extends")
		return nil
	}
	if !c.isRole(e.V) {
		c.unknown(e.Place, "role", e.V, c.roleNames())
		return nil
	}
	return c.lineage(e.V)
}

func (c *compiler) standardLineage(name string) *lineage {
	role, ok := c.standard[name]
	if !ok {
		return nil
	}
	key := "standard " + name // no name of a role has a space
	if l, ok := c.lineages[key]; ok {
		return l
	}
	l := &lineage{role: role}
	c.lineages[key] = l
	l.drafts, l.named = c.drafts(role.Rules), c.named(role.Out)
	return l
}

func (c *compiler) isRole(name string) bool {
	_, inFile := c.fleet.Roles[name]
	_, standard := c.standard[name]
	return inFile || standard
}

// roleNames are all roles a fleet file can name, sorted.
func (c *compiler) roleNames() []string {
	names := maps.Clone(c.fleet.Roles)
	if names == nil {
		names = map[string]inventory.Role{}
	}
	maps.Copy(names, c.standard)
	return slices.Sorted(maps.Keys(names))
}

// all is the role and everything it extends, each once.
func (l *lineage) all() []*lineage { return l.appendTo(nil) }

func (l *lineage) appendTo(list []*lineage) []*lineage {
	if slices.Contains(list, l) {
		return list
	}
	list = append(list, l)
	for _, p := range l.parents {
		list = p.appendTo(list)
	}
	return list
}

// has reports whether a role is this one or one that it extends.
func (l *lineage) has(name string) bool {
	return slices.ContainsFunc(l.all(), func(l *lineage) bool { return l.role.Name == name })
}
