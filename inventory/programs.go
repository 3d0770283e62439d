package inventory

import (
	"slices"

	"fwpush/inventory/internal/fleetfile"
)

// IsProgram tells whether a path is that of a program, and not of a fleet file: it may be
// run, and it begins as scripts or binaries of Linux do. That it may be run says nothing
// alone, some file systems let everything be.
func IsProgram(path string) bool { return fleetfile.IsProgram(path) }

// TrustProgram tells who else could have written a program. One that everybody can write
// is an Error even though a person has named it: it would be run.
func TrustProgram(path string) Problems {
	var found Problems
	for _, f := range fleetfile.Trust(path) {
		p := Problem{Severity: Note, Place: Place{File: path}, Msg: f.Msg}
		if f.Refused {
			p.Severity, p.Hint = Error, "take that right away: the program would be run as you"
		}
		found = append(found, p)
	}
	return found
}

// ask adds the hosts that programs name. They are read as those of a file that is
// included: with all of its checks, and none of its words.
func (d *decoder) ask(programs []Program) {
	if d.root == nil {
		return
	}
	var roles []string
	if n := d.root.Kid("roles"); n != nil {
		for _, kid := range n.Kids {
			roles = append(roles, kid.Name)
		}
	}
	slices.Sort(roles)
	for _, p := range programs {
		said := p.Hosts(roles)
		d.of[p.Name] = said.Of
		d.files.note(p.Name, []byte(said.TOML))
		root := d.parse(p.Name, []byte(said.TOML))
		if root == nil {
			continue
		}
		for _, c := range d.root.Absorb(root, merging) {
			d.twice(c.Path, c.First, c.Second)
		}
	}
}
