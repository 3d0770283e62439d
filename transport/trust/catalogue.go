package trust

import (
	"slices"
	"strings"
)

// catalogue are the lines of a known_hosts file, to be found by name: that of a fleet has a line
// or more for each host, and each host looks for its own. The lines in it do not change.
type catalogue struct {
	lines   []knownLine
	plain   map[string][]int // lines with nothing but names as they are, by each of these
	others  []int            // lines with a pattern or a hidden name: each has to be tried
	revoked []knownLine
}

// add appends lines.
func (c *catalogue) add(lines ...knownLine) {
	if c.plain == nil {
		c.plain = make(map[string][]int, len(lines))
	}
	for _, l := range lines {
		i := len(c.lines)
		c.lines = append(c.lines, l)
		if l.marker == markRevoked {
			c.revoked = append(c.revoked, l)
			continue
		}
		if l.names.hashed() || strings.ContainsAny(l.names.patterns, "*?!") {
			c.others = append(c.others, i)
			continue
		}
		for name := range strings.SplitSeq(l.names.patterns, ",") {
			c.plain[name] = append(c.plain[name], i)
		}
	}
}

// named are the lines that mean a name, in order, but for those that revoke.
func (c *catalogue) named(name string) (list []knownLine) {
	found := slices.Clone(c.plain[name])
	for _, i := range c.others {
		if c.lines[i].names.match(name) {
			found = append(found, i)
		}
	}
	slices.Sort(found)
	for _, i := range slices.Compact(found) { // a line may say a name twice
		list = append(list, c.lines[i])
	}
	return list
}
