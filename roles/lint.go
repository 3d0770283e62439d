package roles

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles/internal/services"
)

// lint warns about what compiles and is likely not meant. It runs on a fleet
// without errors. Findings are about places in the file, so a rule of a role is
// told of once and not for each of its hosts.
func (c *compiler) lint(policies []Policy) {
	c.lintRoles()
	c.lintManagement(policies)
	c.lintSets()
	c.lintNAT(policies)
	c.lintRaw(policies)
	idle := map[inventory.Place]bool{} // allow rules of out, and whether no host needs them
	told := remarks{}
	heirs := c.heirs()
	var roleless []inventory.Host
	for i, p := range policies {
		h := c.fleet.Hosts[i]
		if h.Unmanaged {
			if len(h.In)+len(h.Out)+len(h.Forward)+len(h.Published)+len(h.NAT) > 0 {
				c.warnAt(h.Place, fmt.Sprintf("host %q is unmanaged, its rules are never pushed", h.Name), "take them out, or unmanaged = true")
			}
			continue
		}
		if len(h.Roles) == 0 {
			roleless = append(roleless, h)
		}
		for _, d := range Directions {
			rules := p.Rules(d)
			c.lintShadowed(rules)
			c.lintFamilies(rules, h)
			c.lintPartly(rules, h)
			c.lintHeirs(rules, heirs)
			told.lintIfaces(rules, h)
		}
		c.lintSSH(p)
		told.lintPort22(p, h)
		told.lintEntries(p, h)
		c.lintRules(p, h)
		for _, r := range p.Out {
			if r.Allows() {
				useless, known := idle[r.Place]
				idle[r.Place] = p.Outbound == inventory.Accept && r.plain() && (useless || !known)
			}
		}
		told.lintSilence(p)
		if !p.Ping.On {
			told.add(p.Host, remark{p.Decided["ping"].Place, "", " will not answer ping", "path and host failures look the same from outside then"})
		}
	}
	if len(roleless) > 0 {
		names := make([]string, len(roleless))
		for i, h := range roleless {
			names[i] = h.Name
		}
		has := "has"
		if len(names) > 1 {
			has = "have"
		}
		c.warnAt(roleless[0].Place, fmt.Sprintf("%s %s no role", theHosts(names), has), "beside management only what the host itself and [defaults] say applies there")
	}
	for place, useless := range idle {
		if useless {
			c.warnAt(place, "this allow does nothing, outbound accepts everything", `set outbound = "reject" or take the rule out`)
		}
	}
	c.warnHosts(told)
}

// warnHosts tells remarks. One about a line of a standard role stands at the first of
// its hosts: that is what the file has of it.
func (c *compiler) warnHosts(told remarks) {
	for r, hosts := range told {
		place := r.place
		if isStandard(place) {
			place = c.fleet.Hosts[c.hosts[hosts[0]]].Place
		}
		c.warnAt(place, r.before+theHosts(hosts)+r.after, r.hint)
	}
}

// baseRole is the standard role that opens nothing and is not expected to.
const baseRole = "base"

// lintRoles warns about roles that no host has, and about the standard ones
// that open nothing before the file names a port.
// plain tells of an allow that does nothing beside allowing.
func (r Rule) plain() bool {
	return r.Rate.N == 0 && r.MaxConns == 0 && len(r.Helpers) == 0 && !r.Log.On && !r.Counted
}

func (c *compiler) lintRoles() {
	used := map[*lineage]bool{}
	for _, name := range slices.Sorted(maps.Keys(c.byRole)) {
		for _, l := range c.lineage(name).all() {
			used[l] = true
		}
		c.lintOpensNothing(name)
	}
	for name, role := range c.fleet.Roles {
		if !used[c.lineage(name)] {
			c.warnAt(role.Place, fmt.Sprintf("no host has role %q, its rules apply nowhere", name), "")
		}
	}
}

func (c *compiler) lintOpensNothing(name string) {
	if s, ok := c.standard[name]; !ok || len(s.In) > 0 || name == baseRole {
		return
	}
	isAllow := func(r inventory.Rule) bool { return r.Verb == inventory.AllowVerb }
	for _, l := range c.lineage(name).all() {
		if slices.ContainsFunc(l.role.In, isAllow) {
			return
		}
	}
	var hosts []string
	var at inventory.At[string]
	for _, i := range c.byRole[name] {
		h := c.fleet.Hosts[i]
		if slices.ContainsFunc(h.In, isAllow) || c.opensElsewhere(h, name, isAllow) {
			continue
		}
		hosts = append(hosts, h.Name)
		if len(hosts) == 1 {
			at = h.Roles[slices.IndexFunc(h.Roles, func(r inventory.At[string]) bool { return r.V == name })]
		}
	}
	if len(hosts) > 0 {
		c.warnAt(at.Place, fmt.Sprintf("role %q opens nothing on %s", name, theHosts(hosts)),
			fmt.Sprintf("name the port and who may reach it: [roles.%s] extends = [%q], in = [ { allow = ..., from = ... } ]", name, name))
	}
}

// opensElsewhere reports whether a role that the file writes beside this one lets
// something in: that may well be what the host is for.
func (c *compiler) opensElsewhere(h inventory.Host, name string, isAllow func(inventory.Rule) bool) bool {
	return slices.ContainsFunc(h.Roles, func(r inventory.At[string]) bool {
		_, inFile := c.fleet.Roles[r.V]
		return inFile && r.V != name && slices.ContainsFunc(c.lineage(r.V).all(), func(l *lineage) bool {
			return slices.ContainsFunc(l.role.In, isAllow)
		})
	})
}

// lintFamilies warns about a rule that leaves out a family the host has because
// the hosts it refers to lack it.
func (c *compiler) lintFamilies(rules []Rule, h inventory.Host) {
	own := families(h)
	for _, r := range rules {
		v4, v6 := r.families()
		missing, other := "IPv6", "IPv4"
		if !v4 {
			missing, other = other, missing
		}
		if v4 && v6 || !slices.Contains(own, missing) {
			continue
		}
		for _, ref := range slices.Concat(r.From, r.To) {
			if (ref.Kind == RolePeer || ref.Kind == HostPeer || ref.Kind == GroupPeer) && !ref.speaks(missing) {
				c.warnAt(r.Place, fmt.Sprintf("%s has %s addresses only, over %s the rule does nothing", ref, other, missing),
					fmt.Sprintf("add the %s addresses of the hosts meant", missing))
				break
			}
		}
	}
}

// lintPartly warns about a role or group of which some hosts lack a family that others
// have, and the host with the rule as well: a rule over it is not about them. It is
// told once, however many rules refer to it.
func (c *compiler) lintPartly(rules []Rule, h inventory.Host) {
	own := families(h)
	for _, r := range rules {
		v4, v6 := r.families()
		for _, ref := range slices.Concat(r.From, r.To) {
			for _, f := range own {
				over := f == "IPv4" && v4 || f == "IPv6" && v6
				if !over || !ref.speaks(f) || !c.first("partly\x00"+f+ref.String()) {
					continue
				}
				if names := c.without(ref, f); len(names) > 0 {
					c.warnAt(r.Place, fmt.Sprintf("%s has no %s address of %s, which the rule leaves out over %s", ref, f, theHosts(names), f),
						fmt.Sprintf("add the %s addresses of the hosts meant, or write family if the rule is about the other alone", f))
				}
			}
		}
	}
}

// without are the hosts that a reference stands for and that have no address of a
// family there.
func (c *compiler) without(ref Peer, family string) []string {
	var names []string
	for _, i := range c.standsFor(ref.Kind, ref.Name) {
		h := c.fleet.Hosts[i]
		if ref.Net != "" {
			h.Addresses = slices.DeleteFunc(slices.Clone(h.Addresses), func(n inventory.Net) bool { return n.Name != ref.Net })
		}
		if !slices.Contains(families(h), family) {
			names = append(names, h.Name)
		}
	}
	return names
}

// heirs are, by role, the hosts that have all its rules without naming it, because
// a role of theirs extends it.
func (c *compiler) heirs() map[string][]string {
	heirs := map[string][]string{}
	for _, h := range c.fleet.Hosts {
		has := map[string]bool{}
		for _, r := range h.Roles {
			for _, l := range c.lineage(r.V).all() {
				has[l.role.Name] = true
			}
		}
		for _, r := range h.Roles {
			delete(has, r.V)
		}
		for name := range has {
			heirs[name] = append(heirs[name], h.Name)
		}
	}
	return heirs
}

// lintHeirs warns about a rule for a role that hosts have without naming it: it
// is not about them, and a deny that misses somebody is easily overlooked.
func (c *compiler) lintHeirs(rules []Rule, heirs map[string][]string) {
	for _, r := range rules {
		for _, p := range slices.Concat(r.From, r.To) {
			if names := heirs[p.Name]; p.Kind == RolePeer && len(names) > 0 {
				c.warnAt(r.Place, fmt.Sprintf("%s does not stand for %s, whose role only extends it", p, theHosts(names)),
					"name that role too, or give such a host both")
			}
		}
	}
}

// String is the peer as a fleet file writes it.
func (p Peer) String() string {
	s := string(p.Kind)
	if p.Name != "" {
		s += ":" + p.Name
	}
	if p.Net != "" {
		s += "@" + p.Net
	}
	return s
}

// lintSSH warns about rules of the file that open sshd's port to everybody, unless a
// deny closes it. The standard roles are not asked: that is what bastion is for.
func (c *compiler) lintSSH(p Policy) {
	denies, allows := byVerb(p.In)
	for _, r := range allows {
		if isStandard(r.Place) {
			continue
		}
		for _, port := range p.Management.Ports {
			if !r.takes(onePort("tcp", port)) {
				continue
			}
			ssh := r
			ssh.Traffic = onePort("tcp", port).Traffic
			if whom := crowd(r.From); whom != "" && shadow(ssh, denies) == nil {
				c.warnAt(r.Place, fmt.Sprintf("the rule opens SSH (port %d) to %s", port, whom), "name who may reach it with from; management has its own way in")
				break
			}
		}
	}
}

// takes reports whether the rule has a service in common with another.
func (r Rule) takes(o Rule) bool {
	if r.All || o.All {
		return r.All
	}
	return r.Traffic.meets(o.Traffic)
}

// lintSilence warns about hosts that are closed outbound and on which an allow has
// taken over dns or ntp and lets it out to nobody.
func (told remarks) lintSilence(p Policy) {
	var missing []string
	for _, service := range lifelines {
		ports, _ := services.Ports(service)
		// Without UDP neither service works; TCP is for the long answers of dns.
		ports = slices.DeleteFunc(ports, func(r inventory.PortRange) bool { return r.Proto != "udp" })
		isWayOut := func(r Rule) bool { return r.Allows() && r.takes(Rule{Traffic: Traffic{Ports: ports}}) }
		if !meet(p.Lifelines, ports) && !slices.ContainsFunc(p.Out, isWayOut) {
			missing = append(missing, service)
		}
	}
	if p.Outbound == inventory.Accept || len(missing) == 0 {
		return
	}
	told.add(p.Host, remark{p.Decided["outbound"].Place, fmt.Sprintf("outbound is %s and no rule allows %s out on ", p.Outbound, strings.Join(missing, " and ")), "",
		"an allow of out that names a service says alone where it goes: fill what it refers to or give it a later date, or take it out to let the service out to everywhere"})
}

func onePort(proto string, port uint16) Rule {
	return Rule{Traffic: Traffic{Ports: []inventory.PortRange{{Proto: proto, From: port, To: port}}}}
}
