package render

import (
	"slices"

	"fwpush/inventory"
	"fwpush/roles"
)

// Regular chains a base chain goes to for a refusal that is more than a drop.
const (
	refuseIn  = "refuse_in"
	refuseOut = "refuse_out"
)

// base opens a base chain. It runs before the usual priority 0 and not at it,
// because among equal priorities the chain registered last runs first, and each
// load would register ours again.
func base(hook string, policy inventory.Verdict) block {
	return block{
		head:  "chain " + hook,
		lines: plain("type filter hook " + hook + " priority filter - 10; policy " + string(policy) + ";"),
	}
}

// states lets known connections pass. Related is as needed as established: ICMP
// errors about a connection are related to it. An open output chain has no
// quarrel with what connection tracking finds invalid.
const (
	states     = "ct state vmap { established : accept, related : accept, invalid : drop }"
	statesOpen = "ct state vmap { established : accept, related : accept }"
)

func (r *renderer) input() block {
	b := base("input", inventory.Drop)
	b.add(r.managementPair("saddr", "dport")...)
	b.add(plain(`iifname "lo" accept`)...)
	if r.p.Antispoof {
		// The kernel drops such IPv4 packets itself, but not IPv6 ones. What this
		// host sends to a group that it is in comes back to it with its own source
		// on the interface it left by: only what is addressed to the host counts.
		b.add(placed(r.decided("antispoof"), `iifname != "lo" meta pkttype host fib saddr type local counter drop`)...)
	}
	b.add(plain("meta l4proto { icmp, icmpv6 } jump icmp_in", states)...)
	if r.p.DHCPClient {
		// The question went to a broadcast or multicast address, so its answer
		// is new to connection tracking (RFC 2131 4.1, RFC 8415 7.2).
		b.add(placed(r.decided("dhcp_client"),
			"meta nfproto ipv4 udp sport 67 udp dport 68 accept",
			"ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept")...)
	}
	b.add(r.denies(r.p.In, roles.Input, refuseIn)...)
	var allows []line
	if r.p.Ping {
		allows = placed(r.decided("ping"), ip4.echo+" accept", ip6.echo+" accept")
	}
	b.add(once(append(allows, r.allows(r.p.In)...))...)

	// Broadcasts are nobody's attempt to connect: refused before they fill the
	// log, and never answered.
	inbound := r.decided("inbound")
	b.add(placed(inbound, dropCast)...)
	b.add(r.logLine("input", r.p.Inbound)...)
	if r.p.Inbound == inventory.Reject {
		b.add(placed(inbound, rejects[:]...)...)
	} else {
		b.add(placed(inbound, "counter drop")...)
	}
	return b
}

// guardsOutput tells whether anything in output can refuse a packet. If so, the
// core (loopback, ICMP, known connections, DHCP) has to come before it.
func (r *renderer) guardsOutput() bool {
	return r.p.Outbound != inventory.Accept || hasDeny(r.p.Out)
}

func hasDeny(rules []roles.Rule) bool {
	return slices.ContainsFunc(rules, func(r roles.Rule) bool { return r.Deny })
}

func (r *renderer) output() block {
	outbound := r.decided("outbound")
	policy, closed := inventory.Drop, r.p.Outbound != inventory.Accept
	if !closed {
		policy = inventory.Accept
	}
	b := base("output", policy)
	b.add(r.managementPair("daddr", "sport")...)
	if r.guardsOutput() {
		known := statesOpen
		if closed {
			known = states
		}
		b.add(plain(`oifname "lo" accept`, "meta l4proto { icmp, icmpv6 } jump icmp_out", known)...)
		if r.p.DHCPClient {
			b.add(placed(r.decided("dhcp_client"),
				"meta nfproto ipv4 udp sport 68 udp dport 67 accept",
				"meta nfproto ipv6 udp sport 546 udp dport 547 accept")...)
		}
	}
	b.add(r.denies(r.p.Out, roles.Output, refuseOut)...)
	var allows []line
	if closed {
		allows = append(allows, r.lifelines()...)
		if r.p.Ping {
			allows = append(allows, placed(r.decided("ping"), ip4.echo+" accept", ip6.echo+" accept")...)
		}
	}
	b.add(once(append(allows, r.allows(r.p.Out)...))...)

	if !closed {
		b.add(placed(outbound, "accept")...)
		return b
	}
	b.add(placed(outbound, dropCastOut[:]...)...)
	b.add(r.logLine("output", r.p.Outbound)...)
	if r.p.Outbound == inventory.Reject {
		b.add(placed(outbound, rejects[:]...)...)
	} else {
		b.add(placed(outbound, "counter drop")...)
	}
	return b
}

// lifelines are what a closed outbound lets out to everywhere all the same.
func (r *renderer) lifelines() []line {
	var out []line
	for _, service := range services(roles.Rule{Ports: r.p.Lifelines}, family{}) {
		out = append(out, placed(r.decided("outbound"), service+" accept")...)
	}
	return out
}

// The limit keeps a flood from filling the disk; what it holds back is counted
// by the line that follows.
func (r *renderer) logLine(chain string, v inventory.Verdict) []line {
	if !r.p.Log.On {
		return nil
	}
	prefix := r.p.Log.Prefix
	if prefix == "" {
		prefix = "fwpush-" + chain + "-" + string(v) + ": "
	}
	return placed(r.decided("log"), `limit rate 5/second burst 10 packets log prefix "`+prefix+`"`)
}
