package roles

import (
	"embed"
	"path"
	"strings"

	"fwpush/inventory"
)

// standardFiles are the roles that ship with fwpush, one file each and of the
// role's name, in the language of the fleet file.
//
//go:embed standard/*.toml
var standardFiles embed.FS

const standardDir = "standard"

func standardFile(role string) string { return path.Join(standardDir, role+".toml") }

// standardRoles decodes the standard roles. Problems would be faults of this
// program, not of a fleet file.
func standardRoles() (map[string]inventory.Role, inventory.Problems) {
	roles := map[string]inventory.Role{}
	var problems inventory.Problems
	entries, err := standardFiles.ReadDir(standardDir)
	if err != nil {
		return nil, inventory.Problems{{Msg: err.Error()}}
	}
	for _, e := range entries {
		name := path.Join(standardDir, e.Name())
		src, err := standardFiles.ReadFile(name)
		if err != nil {
			return nil, inventory.Problems{{Msg: err.Error()}}
		}
		parsed, bad := inventory.ParseRoles(standardPrefix+name, src)
		problems = append(problems, bad...)
		for _, r := range parsed {
			roles[r.Name] = r
		}
	}
	return roles, problems
}

// standardPrefix begins the file name in the places of standard roles, so that
// they read like no path a user would name.
const standardPrefix = "fwpush:"

// isStandard reports whether a place is in one of the embedded files.
func isStandard(p inventory.Place) bool { return strings.HasPrefix(p.File, standardPrefix) }
