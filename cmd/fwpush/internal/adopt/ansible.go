package adopt

import (
	"fmt"
	"slices"

	"fwpush/internal/ansible"
	"fwpush/inventory"
)

// OfAnsible is the fleet of an inventory. A group that names hosts is a role of them; a
// group of groups is a group. Standard are the roles that ship with fwpush.
func OfAnsible(inv ansible.Inventory, standard []string) Fleet {
	var f Fleet
	names, odd := inv.GroupNames()
	for _, o := range odd {
		f.Lost = append(f.Lost, Lost{o.Of, o.Msg})
	}
	machines, left := inv.Machines()
	for _, l := range left {
		f.Lost = append(f.Lost, Lost{l.Name, "left out: " + l.Why})
	}
	known := map[string]string{} // names of machines by those of the inventory
	for _, m := range machines {
		known[m.Was] = m.Name
	}
	roles := map[string]bool{}
	for _, g := range inv.Groups {
		var members []string
		for _, h := range g.Hosts {
			if known[h] != "" {
				members = append(members, known[h])
			}
		}
		name := names[g.Name]
		switch {
		case name == "" || len(members) == 0:
		case g.Own:
			roles[name] = true
			f.Roles = append(f.Roles, Role{Name: name, Was: "group " + g.Name, Hosts: len(members), Standard: slices.Contains(standard, name)})
		default:
			inventory.Sort(members)
			f.Groups = append(f.Groups, Group{Name: name, Was: "group " + g.Name, Hosts: members})
		}
	}
	for _, m := range machines {
		h := Host{Name: m.Name, Was: m.Was}
		own := false
		for _, k := range m.Keys {
			own = own || k.Path == "roles"
			h.Keys = append(h.Keys, Key{k.Path, k.Value})
		}
		for _, g := range m.Groups {
			if name := names[g]; roles[name] && !own {
				h.Roles = append(h.Roles, name)
			}
		}
		slices.Sort(h.Roles)
		for _, l := range m.Lost {
			h.Lost = append(h.Lost, Lost{l.Of, l.Why})
		}
		f.Hosts = append(f.Hosts, h)
	}
	f.sort()
	return f
}

// sort puts hosts into the order that people read them in.
func (f *Fleet) sort() {
	byName := map[string]Host{}
	var names []string
	for _, h := range f.Hosts {
		byName[h.Name] = h
		names = append(names, h.Name)
	}
	inventory.Sort(names)
	for i, n := range names {
		f.Hosts[i] = byName[n]
	}
}

// OfList is the fleet of hosts as people type them for ssh: [user@]host[:port].
func OfList(words []string) Fleet {
	var f Fleet
	seen := map[string]string{}
	for _, word := range words {
		h := endpoint(word)
		if first, twice := seen[h.Name]; twice {
			f.Lost = append(f.Lost, Lost{word, fmt.Sprintf("becomes %s, as %s does", h.Name, first)})
			continue
		}
		seen[h.Name] = word
		f.Hosts = append(f.Hosts, h)
	}
	f.sort()
	return f
}
