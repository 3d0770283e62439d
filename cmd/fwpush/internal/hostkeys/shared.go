package hostkeys

import (
	"slices"
	"strings"
)

// Shared are groups of hosts that show a key in common, such as machines that were made
// of one image, in the order of their first host. Two names of one address are no group.
func Shared(hosts []*Host) [][]*Host {
	by := map[string][]*Host{}
	var order []string
	for _, h := range hosts {
		for _, k := range h.Keys {
			if by[k.Fingerprint] == nil {
				order = append(order, k.Fingerprint)
			}
			if !slices.ContainsFunc(by[k.Fingerprint], func(o *Host) bool { return o.Showing.Name == h.Showing.Name }) {
				by[k.Fingerprint] = append(by[k.Fingerprint], h)
			}
		}
	}
	var groups [][]*Host
	told := map[string]bool{}
	for _, fingerprint := range order {
		names := strings.Join(Names(by[fingerprint]), " ")
		if len(by[fingerprint]) > 1 && !told[names] {
			told[names] = true
			groups = append(groups, by[fingerprint])
		}
	}
	return groups
}
