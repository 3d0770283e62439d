package inventory

import "fwpush/inventory/internal/fleetfile"

// Find returns the path of the fleet file of a directory: fleet.toml there or in
// the nearest directory above.
func Find(dir string) (string, error) { return fleetfile.Find(dir) }

// LoadOptions say how a fleet file came to be read.
type LoadOptions struct {
	// Named is true if the user named the file. A file that was found by
	// itself is refused if it or its directory can be written by everybody.
	Named bool
}

// Load reads a fleet file as Parse does. A file that is no text, is larger than
// 4 MiB or cannot be trusted is an Error without a line. The Fleet is never nil.
func Load(path string, o LoadOptions) (*Fleet, Problems) {
	src, findings := fleetfile.Read(path, o.Named)
	fleet, found := &Fleet{Path: path}, Problems(nil)
	if src != nil {
		fleet, found = Parse(path, src)
	}
	for _, f := range findings {
		p := Problem{Severity: Note, Place: Place{path, f.Line, f.Col}, Width: 1, Msg: f.Msg, Hint: f.Hint}
		if f.Refused {
			p.Severity = Error
		}
		found = append(found, p)
	}
	found.Sort()
	return fleet, found
}
