package ansible

import (
	"fmt"
	"slices"
	"strings"

	"fwpush/inventory"
)

// Said is the hosts of an inventory as TOML, for a fleet file that defines the roles
// named. A host has the roles that its fwpush_roles say, else those called as its groups
// are; a group is a group of the fleet under its name. It is the same to the byte
// whenever the hosts are. What is left out or lost is told as notes.
func (inv Inventory) Said(roles []string) (inventory.Said, []Finding) {
	t := &text{}
	machines, left := inv.Machines()
	for _, l := range left {
		t.found = append(t.found, Finding{Of: "host " + l.Name, Msg: "left out: " + l.Why, Note: true})
	}
	groups, odd := inv.GroupNames()
	t.found = append(t.found, odd...)
	members := map[string][]string{} // of groups of the fleet
	for _, m := range machines {
		host := "host " + m.Was
		t.line(host, "[hosts.%s]", inventory.TOMLKey(m.Name))
		said := slices.ContainsFunc(m.Keys, func(k Key) bool { return k.Path == "roles" })
		var has []string
		for _, g := range m.Groups {
			if name := groups[g]; name != "" {
				members[name] = append(members[name], m.Name)
				if slices.Contains(roles, name) {
					has = append(has, name)
				}
			}
		}
		if !said && len(has) > 0 {
			slices.Sort(has)
			t.line(host+": its groups", "roles = %s", inventory.TOML(slices.Compact(has)))
		}
		for _, k := range m.Keys {
			of := host
			if k.From != "" {
				of += ": " + k.From
			}
			t.line(of, "%s = %s", k.key(), inventory.TOML(k.Value))
		}
		for _, l := range m.Lost {
			t.found = append(t.found, Finding{Of: host + ": " + l.Of, Msg: l.Why, Note: true})
		}
	}
	for _, g := range inv.Groups {
		if name := groups[g.Name]; name != "" && len(members[name]) > 0 {
			t.line("group "+g.Name, "[groups.%s]", inventory.TOMLKey(name))
			t.line("group "+g.Name, "hosts = %s", inventory.TOML(members[name]))
		}
	}
	return inventory.Said{TOML: t.b.String(), Of: t.of}, t.found
}

// GroupNames are the names of groups in a fleet, "" for one whose name another has taken:
// hosts of the one would be hosts of the other.
func (inv Inventory) GroupNames() (map[string]string, []Finding) {
	names, taken := map[string]string{}, map[string]string{}
	var found []Finding
	// A group that has its name already keeps it.
	groups := slices.Clone(inv.Groups)
	slices.SortStableFunc(groups, func(a, b Group) int {
		switch as, bs := a.Name == GroupName(a.Name), b.Name == GroupName(b.Name); {
		case as && !bs:
			return -1
		case bs && !as:
			return 1
		}
		return 0
	})
	for _, g := range groups {
		name := GroupName(g.Name)
		folded := strings.ReplaceAll(name, "-", "_") // as names are in rulesets
		switch other := taken[folded]; {
		case len(name) > maxGroupName || name == "":
			found = append(found, Finding{Of: "group " + g.Name, Msg: fmt.Sprintf("left out: its name is longer than %d bytes", maxGroupName), Note: true})
		case other != "":
			found = append(found, Finding{Of: "group " + g.Name, Msg: fmt.Sprintf("left out: becomes %s, as %s does", name, other), Note: true})
		default:
			names[g.Name], taken[folded] = name, g.Name
		}
	}
	return names, found
}

// maxGroupName is how long the name of a role or group of a fleet file may be, in bytes.
const maxGroupName = 31

// key is the way to a key in the table of its host.
func (k Key) key() string {
	if member, ok := strings.CutPrefix(k.Path, "ssh."); ok {
		return "ssh." + inventory.TOMLKey(member)
	}
	return inventory.TOMLKey(k.Path)
}

// text is lines, and what each is about.
type text struct {
	b     strings.Builder
	of    []string
	found []Finding
}

func (t *text) line(of, format string, args ...any) {
	fmt.Fprintf(&t.b, format+"\n", args...)
	t.of = append(t.of, of)
}
