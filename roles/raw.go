package roles

import (
	"fmt"
	"slices"
	"strings"

	"fwpush/inventory"
)

// raw is what [[raw]] says for a host, in the order of the file: among rules of
// somebody else's making order may matter. Forwards tells whether the host has a chain
// for what passes through.
func (c *compiler) raw(h inventory.Host, roles []*lineage, forwards bool) []Raw {
	var out []Raw
	for _, w := range c.fleet.Raw {
		if !c.meant(w, h, roles) {
			continue
		}
		if w.Chain == string(Forward) && !forwards {
			c.errorAt(w.Place, fmt.Sprintf("raw is for the chain forward, and %s has no forward list", h.Name),
				"write forward = [] for it, which refuses what no rule lets through, or name other hosts")
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

// meant reports whether raw text is for a host: like the rules of a role, its text is
// for hosts whose role extends it as well.
func (c *compiler) meant(w inventory.Raw, h inventory.Host, roles []*lineage) bool {
	for _, r := range w.Roles {
		if slices.ContainsFunc(roles, func(l *lineage) bool { return l.has(r.V) }) {
			return true
		}
	}
	i := c.hosts[h.Name]
	return slices.ContainsFunc(w.Hosts, func(p inventory.At[string]) bool { return slices.Contains(c.fleet.Named(p.V), i) })
}

// checkRaw reports raw text for roles and hosts that the file does not have.
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

// lintRaw warns about raw text that no host gets.
func (c *compiler) lintRaw(policies []Policy) {
	got := map[inventory.Place]bool{}
	for i, p := range policies {
		for _, r := range p.Raw {
			got[r.Place] = got[r.Place] || !c.fleet.Hosts[i].Unmanaged
		}
	}
	for _, w := range c.fleet.Raw {
		if !got[w.Place] {
			c.warnAt(w.Place, "raw reaches no host", "give a host one of its roles, or name hosts that get rules")
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
