package roles

import (
	"fmt"
	"strings"

	"fwpush/inventory"
)

// Info is what a listing says of a role.
type Info struct {
	Name     string
	Standard bool            // ships with fwpush and the fleet file does not replace it
	Place    inventory.Place // where it is defined
	Hosts    int             // how many hosts name it, defaults included
}

// List names every role a fleet file can use, sorted: its own and the standard
// ones it does not replace. An empty fleet lists the standard roles.
func List(fleet *inventory.Fleet) []Info {
	c := newCompiler(fleet)
	var list []Info
	for _, name := range c.roleNames() {
		info := Info{Name: name, Hosts: len(c.byRole[name])}
		role, inFile := fleet.Roles[name]
		if !inFile {
			role = c.standard[name]
		}
		info.Standard, info.Place = !inFile, role.Place
		list = append(list, info)
	}
	return list
}

// Show writes a role as a fleet file would, one rule a line, without what it
// extends; a standard one as it ships, with what it says of itself. The error
// names the role that is meant if the name is none.
func Show(fleet *inventory.Fleet, name string) (string, error) {
	c := newCompiler(fleet)
	if role, ok := fleet.Roles[name]; ok {
		return write(role), nil
	}
	if _, ok := c.standard[name]; ok {
		text, err := standardFiles.ReadFile(standardFile(name))
		return string(text), err
	}
	if n := inventory.Nearest(name, c.roleNames()); n != "" {
		return "", fmt.Errorf("role %q not defined; did you mean %q?", name, n)
	}
	return "", fmt.Errorf("role %q not defined; roles are %s", name, strings.Join(c.roleNames(), ", "))
}

// quoteList writes one value as a string and several as an array; both mean the
// same in a fleet file.
func quoteList(list []inventory.At[string]) string {
	quoted := make([]string, len(list))
	for i, v := range list {
		quoted[i] = inventory.TOML(v.V)
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
