package ansible

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Finding is something wrong with an inventory.
type Finding struct {
	Of   string // "host web1: ansible_port"; "" for the inventory as a whole
	Msg  string // lower case, no full stop
	Hint string // what to do next, "" if Msg says it all
	Note bool   // it does not keep the inventory from being used
}

// Inventory is hosts and groups as Ansible sees them.
type Inventory struct {
	Hosts  []Host  // sorted by name
	Groups []Group // sorted by name, without "all" and "ungrouped"
}

// Host is a host with the variables it has of its groups and of its own.
type Host struct {
	Name   string
	Groups []string // those it is in, through others too; sorted
	Vars   map[string]any
}

// Group is a group.
type Group struct {
	Name     string
	Own      bool     // it names hosts itself, not only other groups
	Hosts    []string // all in it, through others too; sorted
	Children []string // sorted
}

// node is a group as it is written.
type node struct {
	name     string
	hosts    []string
	children []string
	vars     map[string]any
	depth    int // longest way from all
}

type reader struct {
	groups map[string]*node
	vars   map[string]map[string]any // of hosts
	found  []Finding
}

func (r *reader) fail(of, hint, format string, args ...any) {
	r.found = append(r.found, Finding{Of: of, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// Read reads what a program prints for --list, or ansible-inventory does. Everything
// wrong with it is told at once; the Inventory is what could be understood.
func Read(text []byte) (Inventory, []Finding) {
	r := &reader{groups: map[string]*node{}, vars: map[string]map[string]any{}}
	if len(text) > MaxSize {
		r.fail("", "", "larger than %d MiB", MaxSize>>20)
		return Inventory{}, r.found
	}
	v, err := decode(text)
	if err != nil {
		r.fail("", "an inventory is what ansible-inventory --list prints", "not an inventory in JSON: %v", err)
		return Inventory{}, r.found
	}
	top, ok := v.(map[string]any)
	if !ok {
		r.fail("", "an inventory is what ansible-inventory --list prints", "must be an object of groups, not %s", kind(v))
		return Inventory{}, r.found
	}
	for _, name := range slices.Sorted(maps.Keys(top)) {
		if name == "_meta" {
			r.meta(top[name])
			continue
		}
		r.group(name, top[name])
	}
	if _, ok := top["_meta"]; !ok && len(top) > 0 {
		r.found = append(r.found, Finding{Note: true, Msg: "no _meta.hostvars: hosts have the variables of their groups only", Hint: "programs are asked with --list, never with --host"})
	}
	if !r.rank() {
		return Inventory{}, r.found
	}
	return r.inventory(), r.found
}

func (r *reader) meta(v any) {
	meta, ok := v.(map[string]any)
	if !ok {
		r.fail("_meta", "", "must be an object, not %s", kind(v))
		return
	}
	if meta["hostvars"] == nil {
		return
	}
	all, ok := meta["hostvars"].(map[string]any)
	if !ok {
		r.fail("_meta: hostvars", "", "must be an object, not %s", kind(meta["hostvars"]))
		return
	}
	for _, host := range slices.Sorted(maps.Keys(all)) {
		vars, ok := all[host].(map[string]any)
		if !ok {
			r.fail("host "+host, "", "its variables must be an object, not %s", kind(all[host]))
		}
		r.vars[host] = vars
	}
}

// group reads a group: an object, or the list of its hosts.
func (r *reader) group(name string, v any) {
	of := "group " + name
	g := &node{name: name}
	r.groups[name] = g
	object, ok := v.(map[string]any)
	if list, short := v.([]any); short {
		object, ok = map[string]any{"hosts": list}, true
	}
	if !ok {
		r.fail(of, "", "must be an object or a list of hosts, not %s", kind(v))
		return
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		switch v := object[key]; key {
		case "hosts":
			g.hosts = r.names(of+": hosts", v)
		case "children":
			g.children = r.names(of+": children", v)
		case "vars":
			if g.vars, ok = v.(map[string]any); !ok {
				r.fail(of+": vars", "", "must be an object, not %s", kind(v))
			}
		default:
			r.fail(of, "a group has hosts, children and vars", "unknown key %q", key)
		}
	}
}

func (r *reader) names(of string, v any) []string {
	list, ok := v.([]any)
	if !ok {
		r.fail(of, "", "must be a list of names, not %s", kind(v))
		return nil
	}
	var names []string
	for _, item := range list {
		if name, ok := item.(string); ok && name != "" {
			names = append(names, name)
			continue
		}
		r.fail(of, "", "must hold names, not %s", kind(item))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// rank finds how far groups are from all: what is said nearer to a host counts. False for
// groups in a circle.
func (r *reader) rank() bool {
	const underWay, done = 1, 2
	state := map[string]int{}
	var order []*node
	var visit func(name string, way []string) bool
	visit = func(name string, way []string) bool {
		way = append(way, name)
		switch state[name] {
		case done:
			return true
		case underWay:
			r.fail("group "+name, "take one of these children out", "cycle: %q", way[slices.Index(way, name):])
			return false
		}
		state[name] = underWay
		g := r.groups[name]
		if g == nil { // ansible-inventory leaves out groups without anything in them
			g = &node{name: name}
			r.groups[name] = g
		}
		for _, child := range g.children {
			if !visit(child, way) {
				return false
			}
		}
		state[name] = done
		order = append(order, g)
		return true
	}
	for _, name := range slices.Sorted(maps.Keys(r.groups)) {
		if !visit(name, nil) {
			return false
		}
	}
	for _, g := range slices.Backward(order) {
		if g.name != "all" {
			g.depth = max(g.depth, 1)
		}
		for _, child := range g.children {
			r.groups[child].depth = max(r.groups[child].depth, g.depth+1)
		}
	}
	return true
}

// members are all hosts of a group.
func (r *reader) members(g *node, seen map[*node]bool) []string {
	if seen[g] {
		return nil
	}
	seen[g] = true
	list := slices.Clone(g.hosts)
	for _, child := range g.children {
		list = append(list, r.members(r.groups[child], seen)...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (r *reader) inventory() Inventory {
	var inv Inventory
	of := map[string][]*node{} // groups by host
	for _, name := range slices.Sorted(maps.Keys(r.groups)) {
		g := r.groups[name]
		hosts := r.members(g, map[*node]bool{})
		for _, h := range hosts {
			of[h] = append(of[h], g)
		}
		if name != "all" && name != "ungrouped" {
			inv.Groups = append(inv.Groups, Group{Name: name, Own: len(g.hosts) > 0, Hosts: hosts, Children: g.children})
		}
	}
	for host := range r.vars {
		of[host] = append(of[host], nil)[:len(of[host])] // one that is in no group is a host too
	}
	for _, host := range slices.Sorted(maps.Keys(of)) {
		h := Host{Name: host, Vars: map[string]any{}}
		groups := of[host]
		if all := r.groups["all"]; all != nil && !slices.Contains(groups, all) {
			groups = append(groups, all)
		}
		// As Ansible: parents before children, then by ansible_group_priority, then by name.
		slices.SortStableFunc(groups, func(a, b *node) int {
			return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(a.priority(), b.priority()), cmp.Compare(a.name, b.name))
		})
		for _, g := range groups {
			maps.Copy(h.Vars, g.vars)
			if g.name != "all" && g.name != "ungrouped" {
				h.Groups = append(h.Groups, g.name)
			}
		}
		maps.Copy(h.Vars, r.vars[host])
		slices.Sort(h.Groups)
		inv.Hosts = append(inv.Hosts, h)
	}
	return inv
}

func (g *node) priority() int {
	n, err := strconv.Atoi(fmt.Sprint(g.vars["ansible_group_priority"]))
	if _, number := g.vars["ansible_group_priority"].(json.Number); err != nil || !number {
		return 1
	}
	return n
}
