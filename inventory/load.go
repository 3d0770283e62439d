package inventory

import (
	"crypto/sha256"
	"path/filepath"
	"time"

	"fwpush/inventory/internal/fleetfile"
)

// Find returns the path of the fleet file of a directory: fleet.toml there or in
// the nearest directory above.
func Find(dir string) (string, error) { return fleetfile.Find(dir) }

// LoadOptions say how a fleet file came to be read.
type LoadOptions struct {
	// Named is true if the user named the file. A file that was found by
	// itself is refused if it or its directory can be written by everybody.
	Named bool
	// Programs are what programs said of hosts that the file does not name.
	Programs []Program
}

// Program is what a program said of hosts, beside the fleet file.
type Program struct {
	Name string // its path, as the user named it
	// Hosts is that as TOML: tables of hosts and groups. It is asked with the names of
	// the roles that the fleet file defines, sorted.
	Hosts func(roles []string) Said
}

// Said is a text that was made of what a program said.
type Said struct {
	TOML string
	Of   []string // what each of its lines is about, as in "host web1: ansible_port"
}

// Load reads a fleet file as Parse does. A file that is no text, is larger than
// 4 MiB or cannot be trusted is an Error without a line. The Fleet is never nil.
func Load(path string, o LoadOptions) (*Fleet, Problems) {
	src, findings := fleetfile.Read(path, o.Named)
	fleet, found := &Fleet{Path: path}, Problems(nil)
	if src != nil {
		files := filesOf(path, o.Named)
		files.note(path, src)
		fleet, found = parse(path, src, files, o.Programs...)
		fleet.Digest, fleet.Files = files.digest(), files.paths()
	}
	fleet.ReadAt = time.Now()
	for _, f := range findings {
		p := Problem{Severity: Note, Place: Place{File: path, Line: f.Line, Col: f.Col}, Width: 1, Msg: f.Msg, Hint: f.Hint}
		if f.Refused {
			p.Severity = Error
		}
		found = append(found, p)
	}
	found.Sort()
	return fleet, found
}

// filesOf is what the fleet file at a path may name. A link to it leads to where
// it really is only for the file itself: what it names is where people see it.
func filesOf(path string, named bool) *files {
	root, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err == nil {
		root, err = filepath.Abs(root)
	}
	if err != nil {
		return nil // the file was read: its directory is there
	}
	return &files{root: root, named: named, dir: filepath.Dir(path), sums: map[string][sha256.Size]byte{}}
}
