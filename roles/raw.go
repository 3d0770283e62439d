package roles

import (
	"fmt"
	"slices"
	"strings"

	"fwpush/inventory"
)

// raw is what [[raw]] says for a host, in the order of the file: among rules of
// somebody else's making order may matter.
func (c *compiler) raw(h inventory.Host) []Raw {
	var out []Raw
	for _, w := range c.fleet.Raw {
		if !c.meant(w, h) {
			continue
		}
		r := Raw{Chain: w.Chain, At: w.At, Nft: textLines(w.Nft.V), IPv4: textLines(w.IPv4.V), IPv6: textLines(w.IPv6.V), Place: w.Place}
		switch {
		case h.Backend != inventory.Iptables && len(r.Nft) == 0:
			c.errorAt(w.Place, fmt.Sprintf("raw has no text for nftables, which %s may run", h.Name), "write nft, or backend = \"iptables\" for the host")
		case h.Backend == inventory.Iptables && r.At == "table":
			c.errorAt(w.Place, fmt.Sprintf("raw at table cannot be had with iptables, which %s runs", h.Name), "name other hosts")
		case h.Backend == inventory.Iptables && (len(r.IPv4) == 0 || len(r.IPv6) == 0):
			c.errorAt(w.Place, fmt.Sprintf("raw lacks text for iptables, which %s runs", h.Name), "write iptables and ip6tables")
		}
		out = append(out, r)
	}
	return out
}

// meant reports whether raw text is for a host.
func (c *compiler) meant(w inventory.Raw, h inventory.Host) bool {
	for _, r := range w.Roles {
		if slices.ContainsFunc(h.Roles, func(own inventory.At[string]) bool { return own.V == r.V }) {
			return true
		}
	}
	i := c.hosts[h.Name]
	return slices.ContainsFunc(w.Hosts, func(p inventory.At[string]) bool { return slices.Contains(c.fleet.Named(p.V), i) })
}

// checkRaw reports raw text for nobody.
func (c *compiler) checkRaw(list []inventory.Raw) {
	for _, w := range list {
		for _, r := range w.Roles {
			if !c.isRole(r.V) {
				c.unknown(r.Place, "role", r.V, c.roleNames())
			}
		}
		for _, p := range w.Hosts {
			c.somebody(p)
		}
	}
}

// textLines are the lines that say something, without what indents them as a whole.
func textLines(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, " \t\n")
		if t := strings.TrimLeft(line, " \t"); t != "" && t[0] != '#' {
			out = append(out, t)
		}
	}
	return out
}
