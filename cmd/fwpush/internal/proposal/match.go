package proposal

import (
	"net/netip"
	"slices"
	"strings"

	"fwpush/internal/foreign"
	"fwpush/roles/space"
)

// matched is what a rule is about.
type matched struct {
	box    space.Box // of packets that begin something
	empty  bool      // it is about no such packet
	limit  *limit
	sentOn bool     // of what is not understood, one is that nat has sent it there
	unsure []string // conditions that are not understood: it is about a part of the box at most
}

// match reads the conditions of a rule for packets of a family.
func match(t *foreign.Table, r foreign.Rule, v6 bool) matched {
	m := matched{box: space.All(v6)}
	var ports []foreign.Match
	for _, c := range r.Matches {
		if c.Field == foreign.DstPort || c.Field == foreign.SrcPort {
			ports = append(ports, c)
			continue
		}
		m.take(t, c, v6)
	}
	for _, c := range ports { // which are those of the protocols that the others leave
		m.take(t, c, v6)
	}
	m.limit, m.unsure = limits(r, m.unsure)
	m.empty = m.empty || m.box.Empty()
	return m
}

func (m *matched) take(t *foreign.Table, c foreign.Match, v6 bool) {
	v := c.Values
	if c.Set != "" {
		s := t.Sets[c.Set]
		if s == nil || s.Opaque {
			m.unsure = append(m.unsure, "set "+c.Set+" is not known here")
			return
		}
		v = s.Values
	}
	switch c.Field {
	case foreign.Proto:
		var keys space.Keys
		for _, n := range v.Numbers {
			for p := n.Lo; p <= n.Hi && p < 256; p++ {
				keys = keys.Union(space.ProtoKeys(uint8(p)))
			}
		}
		m.keys(keys, c.Not)
	case foreign.ICMPType:
		proto := uint8(space.ICMP)
		if v6 {
			proto = space.ICMPv6
		}
		m.keys(types(proto, v.Numbers), false)
		if c.Not {
			m.unsure = append(m.unsure, "every type of ICMP but one")
		}
	case foreign.DstPort:
		var keys, all space.Keys
		for _, p := range [...]uint8{space.TCP, space.UDP, space.SCTP} {
			all = all.Union(space.ProtoKeys(p))
			for _, n := range v.Numbers {
				keys = keys.Union(space.PortKeys(p, port(n.Lo), port(n.Hi)))
			}
		}
		if c.Not {
			keys = all.Minus(keys)
		}
		m.keys(keys, false)
	case foreign.SrcPort:
		var list []space.Range[space.Port]
		for _, n := range v.Numbers {
			list = append(list, space.Range[space.Port]{From: space.Port(port(n.Lo)), To: space.Port(port(n.Hi))})
		}
		set := space.Of(list...)
		if c.Not {
			set = space.AllPorts().Minus(set)
		}
		m.box.SrcPort = m.box.SrcPort.And(set)
		m.keys(space.ProtoKeys(space.TCP).Union(space.ProtoKeys(space.UDP)).Union(space.ProtoKeys(space.SCTP)), false)
	case foreign.SrcAddr:
		m.box.Src = m.box.Src.And(addrs(v, c.Not, v6))
	case foreign.DstAddr:
		m.box.Dst = m.box.Dst.And(addrs(v, c.Not, v6))
	case foreign.InIface:
		m.ifaces(&m.box.In, v.Names, c.Not)
	case foreign.OutIface:
		m.ifaces(&m.box.Out, v.Names, c.Not)
	case foreign.CtState:
		m.empty = m.empty || slices.Contains(v.Names, "new") == c.Not
	case foreign.Nfproto:
		m.empty = m.empty || slices.Contains(v.Names, map[bool]string{false: "ipv4", true: "ipv6"}[v6]) == c.Not
	case foreign.TCPSyn: // as every first packet is
		m.keys(space.ProtoKeys(space.TCP), false)
		m.empty = m.empty || c.Not
	case foreign.CtStatus:
		m.sentOn = m.sentOn || !c.Not && slices.Equal(v.Names, []string{"dnat"})
		m.unsure = append(m.unsure, "connections that are translated, or are not")
	default:
		m.unsure = append(m.unsure, unknown(c))
	}
}

// unknown names a condition that no rule of a fleet file has.
func unknown(c foreign.Match) string {
	switch c.Field {
	case foreign.EitherPort:
		return "ports of either end"
	case foreign.CtOrigDstPort:
		return "the port before a translation"
	case foreign.SrcType, foreign.DstType:
		return "the type of an address: " + strings.Join(c.Names, ", ")
	case foreign.Mark:
		return "a mark"
	case foreign.PktType:
		return "broadcasts and multicasts of the link"
	}
	return "a condition that has no key"
}

func (m *matched) keys(k space.Keys, not bool) {
	if not {
		m.box.Key = m.box.Key.Minus(k)
		return
	}
	m.box.Key = m.box.Key.And(k)
}

func (m *matched) ifaces(to *space.Names, names []string, not bool) {
	for _, n := range names {
		if strings.ContainsAny(n, "*+") {
			m.unsure = append(m.unsure, "interfaces called "+n)
			return
		}
	}
	set := space.NamesOf(names...)
	if not {
		set = set.Not()
	}
	*to = to.And(set)
}

func types(proto uint8, list []foreign.Range) space.Keys {
	var keys space.Keys
	for _, n := range list {
		for t := n.Lo; t <= n.Hi && t < 256; t++ {
			keys = keys.Union(space.TypeKeys(proto, uint8(t)))
		}
	}
	return keys
}

func port(n uint32) uint16 { return uint16(min(n, 65535)) }

// addrs are the addresses of one family; of the other there are none in a list, and all
// outside of it.
func addrs(v foreign.Values, not, v6 bool) space.Addrs {
	var ranges []space.Range[netip.Addr]
	for _, r := range v.Addrs {
		if r.IsValid() && r.From().Is6() == v6 {
			ranges = append(ranges, space.Range[netip.Addr]{From: r.From(), To: r.To()})
		}
	}
	set := space.Of(ranges...)
	if not {
		return space.Everyone(v6).Minus(set)
	}
	return set
}
