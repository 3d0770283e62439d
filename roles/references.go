package roles

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"fwpush/inventory"
)

// checkNamed reports hosts and roles that groups, probes and the rollout name and
// the file does not have: a canary that is nobody would let a run begin with all.
func (c *compiler) checkNamed() {
	for _, name := range slices.Sorted(maps.Keys(c.fleet.Groups)) {
		for _, p := range c.fleet.Groups[name].Hosts {
			// A pattern may wait for its hosts, a name is of one that is there.
			if !strings.ContainsAny(p.V, "*[") {
				c.somebody(p)
			}
		}
	}
	for _, p := range c.fleet.Rollout.Canary {
		c.somebody(p)
	}
	for _, r := range c.fleet.Rollout.Serial {
		if !c.isRole(r.V) {
			c.unknown(r.Place, "role", r.V, c.roleNames())
		}
	}
	for _, h := range c.fleet.Hosts {
		c.probeStarts(h.Probes)
	}
	for _, r := range c.fleet.Roles {
		c.probeStarts(r.Probes)
	}
	c.probeStarts(c.fleet.LeftOut.Probes)
}

// leftOut reports names that nothing defines in what has another mistake. A role or
// a group without hosts is none: that may be allowed by what was not understood.
func (c *compiler) leftOut() {
	for _, w := range c.fleet.LeftOut.Rules {
		c.traffic(w.Services)
		c.peers(w.From, true)
		c.peers(w.To, true)
	}
	for _, w := range c.fleet.LeftOut.NAT {
		c.traffic(w.Services)
		c.peers(w.From, true)
		c.peers(w.To, true)
	}
	c.checkRaw(c.fleet.LeftOut.Raw)
	for _, w := range c.fleet.LeftOut.Tests {
		c.test(w)
	}
}

// somebody reports a pattern that names no host.
func (c *compiler) somebody(p inventory.At[string]) {
	if len(c.fleet.Named(p.V)) > 0 {
		return
	}
	if role, ok := strings.CutPrefix(p.V, "role:"); ok && !c.isRole(role) {
		c.unknown(p.Place, "role", role, c.roleNames())
		return
	}
	hint := ""
	if n := inventory.Nearest(p.V, slices.Sorted(maps.Keys(c.hosts))); n != "" {
		hint = fmt.Sprintf("did you mean %q?", n)
	}
	c.errorAt(p.Place, fmt.Sprintf("no host matches %q", p.V), hint)
}

func (c *compiler) probeStarts(probes []inventory.Probe) {
	for _, p := range probes {
		name, isHost := strings.CutPrefix(p.From.V, "host:")
		if _, known := c.hosts[name]; isHost && !known {
			c.unknown(p.From.Place, "host", name, slices.Sorted(maps.Keys(c.hosts)))
		}
	}
}
