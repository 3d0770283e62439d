package render

import (
	"net/netip"

	"go4.org/netipx"
)

// Chains beside the base chains.
const (
	icmpIn    = "icmp_in"
	icmpOut   = "icmp_out"
	refuseIn  = "refuse_in" // a refusal that is more than a drop
	refuseOut = "refuse_out"
	published = "published" // what somebody else's nat hands on
)

// icmpErrors are those without which paths and connections break (RFC 792, RFC
// 4443, RFC 4890 4.3.1): packet-too-big among them.
func icmpErrors() []stmt {
	return []stmt{accepting(icmpTypes(ip4, 3, 11, 12)), accepting(icmpTypes(ip6, 1, 2, 3, 4))}
}

// icmpIn admits what IP cannot work without (RFC 4890 4.4, RFC 792): errors,
// neighbour discovery and multicast listener discovery. Connection tracking does
// not track the last two, so they have to pass before it is asked. The hop limit of
// 255 proves that a neighbour sent the packet (RFC 4861 6.1, 7.1); listener
// discovery leaves with 1 and comes from a link-local address (RFC 3810 5), or from
// :: before there is one.
func (r *renderer) icmpIn() []stmt {
	neighbours := icmpTypes(ip6, 133, 135, 136)
	neighbours.hops = 255
	out := append(icmpErrors(), accepting(neighbours))
	if r.p.AcceptRA {
		routers := icmpTypes(ip6, 134)
		routers.src, routers.hops = linkLocal(), 255
		out = append(out, placedAt(r.decided("accept_ra"), accepting(routers))...)
	}
	listeners := icmpTypes(ip6, 130, 131, 132, 143)
	listeners.src = linkLocal()
	early := icmpTypes(ip6, 143)
	early.src = one(netip.IPv6Unspecified())
	return append(out, accepting(listeners), accepting(early))
}

// icmpOut is the same for what a host sends, which is a router only if it says so.
func (r *renderer) icmpOut() []stmt {
	neighbours := icmpTypes(ip6, 133, 135, 136)
	neighbours.hops = 255
	out := append(icmpErrors(), accepting(neighbours))
	if r.p.SendsRA {
		routers := icmpTypes(ip6, 134)
		routers.hops = 255
		out = append(out, placedAt(r.decided("sends_ra"), accepting(routers))...)
	}
	listeners := icmpTypes(ip6, 131, 132, 143)
	listeners.hops = 1
	return append(out, accepting(listeners))
}

func linkLocal() operand {
	return operand{one: netipx.RangeOfPrefix(netip.MustParsePrefix("fe80::/10")), given: true}
}

func one(a netip.Addr) operand { return operand{one: netipx.IPRangeFrom(a, a), given: true} }

// dropCast drops broadcasts: they are nobody's attempt to connect, are refused
// before they fill the log, and are never answered.
func dropCast() []stmt { return []stmt{dropping(cond{cast: manyCast})} }

// dropCastOut says the same of packets on their way out, which have no packet
// type yet. A broadcast to a subnet is not among them; the kernel answers none.
func dropCastOut() []stmt {
	groups := cond{family: ip4, dst: operand{one: netipx.RangeOfPrefix(netip.MustParsePrefix("224.0.0.0/4")), given: true}}
	groups6 := cond{family: ip6, dst: operand{one: netipx.RangeOfPrefix(netip.MustParsePrefix("ff00::/8")), given: true}}
	all := cond{family: ip4, dst: one(netip.AddrFrom4([4]byte{255, 255, 255, 255}))}
	return []stmt{dropping(groups), dropping(all), dropping(groups6)}
}

// rejects ends a chain with an answer: a reset for TCP, since clients take that
// as "refused" at once and wait on the ICMP error.
func rejects() []stmt {
	return []stmt{
		stmt{cond: cond{protos: []uint8{6}}, count: true, do: action{kind: reset}},
		stmt{count: true, do: action{kind: answer}}}
}
