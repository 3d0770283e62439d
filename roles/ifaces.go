package roles

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"fwpush/inventory"
)

// askedIface reports a word that a question has for an interface of a host, and that
// is neither an alias nor a name there: rules are met at no such interface, so that
// what is refused everywhere else would look refused. A host without ifaces may have
// any.
func (c *compiler) askedIface(h inventory.Host, word inventory.At[string]) bool {
	aliases := slices.Sorted(maps.Keys(h.Ifaces))
	known := slices.Clone(aliases)
	var listed []string
	for _, alias := range aliases {
		known = append(known, h.Ifaces[alias].V)
		listed = append(listed, fmt.Sprintf("%s (%s)", alias, h.Ifaces[alias].V))
	}
	if len(known) == 0 || slices.Contains(known, word.V) {
		return true
	}
	msg, hint := fmt.Sprintf("host %q has no interface %q", h.Name, word.V), "its interfaces are "+strings.Join(listed, ", ")
	if n := inventory.Nearest(word.V, known); n != "" {
		msg, hint = fmt.Sprintf("%s; did you mean %q?", msg, n), ""
	}
	c.errorAt(word.Place, msg, hint)
	return false
}

// testIfaces checks the interfaces of a test: of the host that forwards, else those
// that packets come by at the hosts that get them.
func (c *compiler) testIfaces(w inventory.Test, to []End) bool {
	hosts := []string{w.Via.V}
	if w.Via.V == "" {
		hosts = nil
		for _, e := range to {
			if e.Host != "" {
				hosts = append(hosts, e.Host)
			}
		}
	}
	ok := true
	for _, word := range []inventory.At[string]{w.InIface, w.OutIface} {
		if word.V == "" {
			continue
		}
		if len(hosts) == 0 && len(to) > 0 {
			c.errorAt(word.Place, fmt.Sprintf("nobody has the interface %q: there is no via, and nobody in to is a host that gets rules", word.V), "leave it out, or write via")
			ok = false
		}
		for _, name := range hosts {
			if i, known := c.hosts[name]; known {
				ok = c.askedIface(c.fleet.Hosts[i], word) && ok
			}
		}
	}
	return ok
}
