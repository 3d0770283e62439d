package archtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "fwpush"

func TestImportsPointDown(t *testing.T) {
	hold(t, direction,
		broken{"up", map[string]string{"roles/a.go": `package roles; import _ "fwpush/render"`},
			"roles/a.go:1: roles may not import render"},
		broken{"a sibling", map[string]string{"transport/a.go": `package transport; import _ "fwpush/roles"`},
			"transport/a.go:1: transport may not import roles"},
		broken{"from inside a room", map[string]string{"inventory/internal/x/a.go": `package x; import _ "fwpush/internal/ui"`},
			"inventory/internal/x/a.go:1: inventory may not import internal/ui"},
		broken{"into a room", map[string]string{"internal/commit/a.go": `package commit; import _ "fwpush/transport/trust"`},
			"internal/commit/a.go:1: internal/commit may not import transport/trust: it belongs to transport"},
		broken{"whatever the build tags", map[string]string{"roles/a.go": "//go:build never\n\npackage roles\n\nimport _ \"fwpush/render\"\n"},
			"roles/a.go:5: roles may not import render"},
		broken{"a test", map[string]string{"roles/a_test.go": `package roles; import _ "fwpush/render"`},
			"roles/a_test.go:1: roles may not import render"},
		broken{"a stand-in in the product", map[string]string{"transport/a.go": `package transport; import _ "fwpush/internal/sshtest"`},
			"transport/a.go:1: transport may not import internal/sshtest"},
		broken{"a room nobody planned", map[string]string{"utils/a.go": `package utils`},
			"utils/a.go: utils is in no room"},
	)
}

// direction compares every import of our own with the table of rooms.
func direction(_ *testing.T, tr tree) []string {
	var found []string
	for _, s := range tr.code {
		r, ok := roomOf(s.dir())
		if !ok {
			found = append(found, fmt.Sprintf("%s: %s is in no room: add it to the table of rooms on purpose", s.path, s.dir()))
			continue
		}
		for _, spec := range s.file.Imports {
			target, ours := strings.CutPrefix(unquote(spec.Path.Value), module+"/")
			if !ours {
				continue
			}
			owner, _ := roomOf(target)
			switch {
			case owner.dir == r.dir:
			case s.test() && slices.Contains(testRooms, target):
			case !slices.Contains(r.rooms, owner.dir):
				found = append(found, fmt.Sprintf("%s: %s may not import %s", s.at(spec), r.dir, target))
			case target != owner.dir:
				found = append(found, fmt.Sprintf("%s: %s may not import %s: it belongs to %s", s.at(spec), r.dir, target, owner.dir))
			}
		}
	}
	return found
}

func TestModulesAreLetInOnPurpose(t *testing.T) {
	hold(t, modules,
		broken{"unknown", map[string]string{"roles/a.go": `package roles; import _ "example.org/magic/wand"`},
			"roles/a.go:1: roles may not import example.org/magic/wand"},
		broken{"in another room", map[string]string{"roles/a.go": `package roles; import _ "golang.org/x/crypto/ssh"`},
			"roles/a.go:1: roles may not import golang.org/x/crypto/ssh"},
		broken{"for tests only", map[string]string{"roles/a.go": `package roles; import _ "pgregory.net/rapid"`},
			"roles/a.go:1: roles may not import pgregory.net/rapid"},
		broken{"of a like name", map[string]string{"internal/ui/a.go": `package ui; import _ "golang.org/x/terminal"`},
			"internal/ui/a.go:1: internal/ui may not import golang.org/x/terminal"},
		broken{"by another prefix", map[string]string{"internal/ui/a.go": `package ui; import _ "golang.org/x/net/html"`},
			"internal/ui/a.go:1: internal/ui may not import golang.org/x/net/html"},
	)
}

// modules compares every import of others with the table of rooms.
func modules(_ *testing.T, tr tree) []string {
	var found []string
	for _, s := range tr.code {
		r, _ := roomOf(s.dir())
		allowed := r.modules
		if s.test() {
			allowed = slices.Concat(r.modules, r.tests)
		}
		for _, spec := range s.file.Imports {
			target := unquote(spec.Path.Value)
			if foreign(target) && !slices.ContainsFunc(allowed, func(m string) bool { return within(target, m) }) {
				found = append(found, fmt.Sprintf("%s: %s may not import %s: a module is added to the table of rooms on purpose", s.at(spec), r.dir, target))
			}
		}
	}
	return found
}

func TestGoModAsksForWhatTheRoomsUse(t *testing.T) {
	const head = "go.mod: "
	var text strings.Builder
	text.WriteString("module fwpush\n")
	for _, m := range allowed() {
		version := " v1.0.0\n"
		if major, ok := strings.CutPrefix(path.Base(m), "v"); ok {
			version = " v" + major + ".0.0\n"
		}
		text.WriteString("require " + m + version)
	}
	all := text.String()
	hold(t, required,
		broken{"one more", map[string]string{"go.mod": all + "require example.org/magic v1.0.0\n"},
			head + "example.org/magic is required, but no room may use it"},
		broken{"one less", map[string]string{"go.mod": strings.Replace(all, "require "+toml+" v1.0.0\n", "", 1)},
			head + toml + " is not required directly"},
		broken{"one hidden", map[string]string{"go.mod": strings.Replace(all, toml+" v1.0.0", toml+" v1.0.0 // indirect", 1)},
			head + toml + " is not required directly"},
		broken{"replaced", map[string]string{"go.mod": all + "replace " + toml + " => ../toml\n"},
			head + toml + " is replaced"},
	)
}

// required compares the direct requirements of go.mod with those of all rooms.
func required(t *testing.T, tr tree) []string {
	cmd := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json", path.Join(tr.dir, "go.mod"))
	out, err := cmd.Output()
	if err != nil {
		return []string{fmt.Sprintf("go.mod: %v", err)}
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
		Replace []struct{ Old struct{ Path string } }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		return []string{fmt.Sprintf("go.mod: %v", err)}
	}
	var found, direct []string
	for _, r := range mod.Require {
		if !r.Indirect {
			direct = append(direct, r.Path)
		}
	}
	for _, m := range direct {
		if !slices.Contains(allowed(), m) {
			found = append(found, "go.mod: "+m+" is required, but no room may use it")
		}
	}
	for _, m := range allowed() {
		if !slices.Contains(direct, m) {
			found = append(found, "go.mod: "+m+" is not required directly, but a room may use it (run go mod tidy)")
		}
	}
	for _, r := range mod.Replace {
		found = append(found, "go.mod: "+r.Old.Path+" is replaced, which whoever installs fwpush would not get")
	}
	return found
}

// TestTablesAreTrue keeps the tables in order, and from allowing what nobody uses any more.
func TestTablesAreTrue(t *testing.T) {
	var below []string
	for _, r := range house {
		for _, other := range r.rooms {
			if !slices.Contains(below, other) {
				t.Errorf("%s may import %s, which does not stand above it in the table", r.dir, other)
			}
		}
		below = append(below, r.dir)
	}
	used := map[string]bool{}
	for _, s := range thisTree(t).code {
		r, _ := roomOf(s.dir())
		for _, spec := range s.file.Imports {
			target := unquote(spec.Path.Value)
			for _, m := range allowed() {
				if within(target, m) {
					used[r.dir+" "+m] = true
				}
			}
		}
	}
	for _, r := range house {
		for _, m := range slices.Concat(r.modules, r.tests) {
			if !used[r.dir+" "+m] {
				t.Errorf("%s does not use %s any more: take it out of the table", r.dir, m)
			}
		}
	}
}

// allowed is every module that some room may use.
func allowed() []string {
	set := map[string]bool{}
	for _, r := range house {
		for _, m := range slices.Concat(r.modules, r.tests) {
			set[m] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// roomOf is the room around a directory.
func roomOf(dir string) (room, bool) {
	nearest, found := room{dir: dir}, false
	for _, r := range house {
		if within(dir, r.dir) && (!found || len(r.dir) > len(nearest.dir)) {
			nearest, found = r, true
		}
	}
	return nearest, found
}

// foreign tells a module from the standard library, whose first path element has no dot.
func foreign(target string) bool {
	first, _, _ := strings.Cut(target, "/")
	return strings.Contains(first, ".")
}

func within(p, prefix string) bool { return p == prefix || strings.HasPrefix(p, prefix+"/") }

func unquote(literal string) string {
	s, err := strconv.Unquote(literal)
	if err != nil {
		return literal
	}
	return s
}
