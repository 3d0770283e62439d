package render

import (
	"slices"

	"fwpush/inventory"
	"fwpush/roles"
)

// base opens a base chain. It runs before the usual priority 0 and not at it,
// because among equal priorities the chain registered last runs first, and each
// load would register ours again.
func base(name string, policy inventory.Verdict) chain {
	return chain{name: name, hook: hook{"filter", name, "filter - 10", policy}}
}

func (r *renderer) input() chain {
	c := base("input", inventory.Drop)
	c.add(r.managementPair(roles.Input)...)
	c.add(accepting(cond{in: []string{"lo"}}))
	if r.p.Antispoof {
		// What has come this far has come from outside. The kernel drops such IPv4
		// packets itself, but not IPv6 ones. What this host sends to a group that it is in comes back to it with its own source
		// on the interface it left by: only what is addressed to the host counts.
		c.add(placedAt(r.decided("antispoof"), dropping(cond{cast: hostCast, spoofed: true}))...)
	}
	c.add(stmt{cond: cond{protos: []uint8{1, 58}}, do: action{kind: jump, to: icmpIn}}, stmt{cond: cond{state: known}})
	if r.p.DHCPClient {
		// The question went to a broadcast or multicast address, so its answer
		// is new to connection tracking (RFC 2131 4.1, RFC 8415 7.2).
		c.add(placedAt(r.decided("dhcp_client"),
			accepting(cond{family: ip4, proto: "udp", sport: []uint16{67}, ports: single("udp", 68)}),
			accepting(cond{family: ip6, src: linkLocal(), proto: "udp", sport: []uint16{547}, ports: single("udp", 546)}))...)
	}
	c.add(r.igmp()...)
	c.add(r.judged(roles.Input, r.ping(ip4, ip6))...)
	c.add(placedAt(r.decided("inbound"), dropCast()...)...)
	c.add(r.end(roles.Input, r.p.Inbound, r.decided("inbound"))...)
	return c
}

// speaksOfOutput tells whether the policy has anything to say of what the host
// sends. If not there is no chain for it.
func (r *renderer) speaksOfOutput() bool {
	return len(r.p.Out) > 0 || r.guardsOutput()
}

// guardsOutput tells whether anything in output can refuse a packet. If so, the
// core (loopback, ICMP, known connections, DHCP) has to come before it.
func (r *renderer) guardsOutput() bool {
	return r.p.Outbound != inventory.Accept ||
		slices.ContainsFunc(r.p.Out, func(rule roles.Rule) bool { return !rule.Allows() || limited(rule) }) ||
		slices.ContainsFunc(r.p.Raw, func(raw roles.Raw) bool { return raw.Chain == string(roles.Output) })
}

func (r *renderer) output() chain {
	outbound := r.decided("outbound")
	policy, closed := inventory.Drop, r.p.Outbound != inventory.Accept
	if !closed {
		policy = inventory.Accept
	}
	c := base("output", policy)
	c.add(r.managementPair(roles.Output)...)
	if r.guardsOutput() {
		states := knownOpen
		if closed {
			states = known
		}
		c.add(accepting(cond{out: []string{"lo"}}), stmt{cond: cond{protos: []uint8{1, 58}}, do: action{kind: jump, to: icmpOut}}, stmt{cond: cond{state: states}})
		if r.p.DHCPClient {
			c.add(placedAt(r.decided("dhcp_client"),
				accepting(cond{family: ip4, proto: "udp", sport: []uint16{68}, ports: single("udp", 67)}),
				accepting(cond{family: ip6, proto: "udp", sport: []uint16{546}, ports: single("udp", 547)}))...)
		}
		c.add(r.igmp()...)
	}
	var standing []stmt
	if closed {
		standing = append(r.lifelines(), r.ping(ip4, ip6)...)
	}
	c.add(r.judged(roles.Output, standing)...)
	if !closed {
		c.add(placedAt(outbound, stmt{do: action{kind: leave}})...)
		return c
	}
	c.add(placedAt(outbound, dropCastOut()...)...)
	c.add(r.end(roles.Output, r.p.Outbound, outbound)...)
	return c
}

// forward is for packets through the host, which pass with their replies and
// errors only if a rule says so. A router passes pings over IPv6 (RFC 4890 4.3.1).
// Where there are rules for published ports alone, the rest is none of our business.
func (r *renderer) forward() chain {
	handedOn := stmt{cond: cond{state: handedOn}, do: action{kind: jump, to: published}}
	if !r.p.Forwards {
		c := base("forward", inventory.Accept)
		c.add(handedOn, stmt{do: action{kind: leave}})
		return c
	}
	c := base("forward", inventory.Drop)
	c.add(icmpErrors()...)
	c.add(stmt{cond: cond{state: known}})
	if r.p.Publishes {
		c.add(handedOn)
	}
	c.add(r.judged(roles.Forward, r.ping(ip6))...)
	c.add(r.forwarded()...)
	inbound := r.decided("inbound")
	c.add(placedAt(inbound, dropCast()...)...)
	c.add(r.end(roles.Forward, r.p.Inbound, inbound)...)
	return c
}

// published judges the connections that the nat of somebody else hands on, by the
// ports that were asked for. What it lets pass is accepted where forward would refuse
// it; else the rules of whoever published the port, below ours, have their say.
func (r *renderer) published() chain {
	c := chain{name: published}
	for _, s := range r.forwarded() {
		s.do.kind = back // our own nat: forward has rules for it
		c.add(s)
	}
	for _, s := range r.judged(roles.Published, nil) {
		s.asked = true
		if s.do.kind == accept && !r.p.Forwards {
			s.do.kind = back
		}
		// One port each: nft 1.0.6 cannot list a set of such ports.
		for _, s.ports = range each(s.ports) {
			c.add(s)
		}
	}
	c.add(r.end(roles.Published, r.p.Inbound, r.decided("inbound"))...)
	return c
}

// each is a list for each of the ports, and one empty list for none.
func each(ports []inventory.PortRange) [][]inventory.PortRange {
	if len(ports) < 2 {
		return [][]inventory.PortRange{ports}
	}
	return slices.Collect(slices.Chunk(ports, 1))
}

// end is the explicit end of a chain, behind its last word to the log. The limit
// keeps a flood from filling the disk; what it holds back is counted by the
// statement that follows.
func (r *renderer) end(d roles.Direction, v inventory.Verdict, places []inventory.Place) []stmt {
	var out []stmt
	if r.p.Log.On {
		prefix := r.p.Log.Prefix
		if prefix == "" {
			prefix = "fwpush-" + string(d) + "-" + string(v) + ": "
		}
		out = placedAt(r.decided("log"), stmt{log: prefix})
	}
	if v == inventory.Reject {
		return append(out, placedAt(places, rejects()...)...)
	}
	return append(out, placedAt(places, dropping(cond{}))...)
}

// igmp is how a host tells which groups it is in (RFC 3376).
func (r *renderer) igmp() []stmt {
	if !r.p.IGMP {
		return nil
	}
	return placedAt(r.decided("igmp"), accepting(cond{family: ip4, protos: []uint8{2}}))
}

// ping lets echo requests pass.
func (r *renderer) ping(families ...family) []stmt {
	if !r.p.Ping.On {
		return nil
	}
	var out []stmt
	for _, f := range families {
		out = append(out, accepting(icmpTypes(f, f.echo)))
	}
	return placedAt(r.decided("ping"), out...)
}

// lifelines are what a closed outbound lets out to everywhere all the same.
func (r *renderer) lifelines() []stmt {
	var out []stmt
	for _, c := range services(roles.Traffic{Ports: r.p.Lifelines}, family{}) {
		out = append(out, accepting(c))
	}
	return placedAt(r.decided("outbound"), out...)
}

// judged is what the rules of the file make of a chain: what refuses, what limits,
// what lets pass. Standing is let pass beside the rules.
func (r *renderer) judged(d roles.Direction, standing []stmt) []stmt {
	rules := r.p.Rules(d)
	var out []stmt
	out = append(out, r.denies(d, rules)...)
	out = append(out, r.raw(d, "before-allow")...)
	out = append(out, r.limits(d, rules)...)
	out = append(out, r.logs(rules, true)...)
	out = append(out, r.assists(rules)...)
	out = append(out, standing...)
	out = append(out, r.allows(rules)...)
	return append(out, r.raw(d, "before-default")...)
}

func (r *renderer) raw(d roles.Direction, at string) []stmt {
	var out []stmt
	for i, raw := range r.p.Raw {
		if raw.Chain == string(d) && raw.At == at {
			out = append(out, stmt{raw: &r.p.Raw[i], places: []inventory.Place{raw.Place}})
		}
	}
	return out
}
