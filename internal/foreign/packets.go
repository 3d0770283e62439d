package foreign

import (
	"net/netip"
	"slices"
	"strings"

	"go4.org/netipx"
)

// Packets are what is asked about: all that have what is said here, and anything in what is not.
type Packets struct {
	IPv6             bool
	Src, Dst         netipx.IPRange // not valid: any
	Proto            uint32         // 0: any
	SrcPort, DstPort Range          // {}: any; so are ports of protocols that have none
	ICMPType         *uint32        // nil: any
	In, Out          string         // interfaces, "" for any but loopback
	State            string         // new, established, related; "": any
	Local            bool           // Dst is an address of the host, no broadcast or multicast
	OrigDstPort      uint32         // the port that was asked for before a translation; 0: any
	Translated       bool           // by DNAT

	hook      string
	members   map[membership]truth // of sets that were asked; many rules may ask a large one
	untracked bool                 // perhaps, or not tracked yet: what connection tracking would say is not known
}

// membership is that of one of the packets' fields in a set.
type membership struct {
	set   *Set
	field Field
}

// rewritten are the packets when a rule may have written into their headers.
func (p Packets) rewritten() Packets {
	p.Src, p.Dst, p.SrcPort, p.DstPort, p.Local = netipx.IPRange{}, netipx.IPRange{}, Range{}, Range{}, false
	return p
}

// truth is whether a condition holds: for none of the packets, for some or perhaps, for all.
type truth uint8

const (
	no truth = iota
	maybe
	yes
)

func (t truth) not() truth { return yes - t }

func and(a, b truth) truth { return min(a, b) }

func holds(ok bool) truth {
	if ok {
		return yes
	}
	return no
}

// matches says whether the packets match a rule.
func (p Packets) matches(r *Rule, t *Table) truth {
	all := yes
	for i := range r.Matches {
		if all = and(all, p.match(&r.Matches[i], t)); all == no {
			return no
		}
	}
	if len(r.Opaque) > 0 {
		all = and(all, maybe)
	}
	return all
}

func (p Packets) match(m *Match, t *Table) truth {
	got := maybe
	if m.Set == "" {
		got = p.values(m.Field, &m.Values)
	} else if s := t.Sets[m.Set]; s != nil {
		got = p.in(s, m.Field)
	}
	if m.Not {
		got = got.not()
	}
	return got
}

// in says whether a set has a field of the packets.
func (p Packets) in(s *Set, f Field) truth {
	got, known := p.members[membership{s, f}]
	if known {
		return got
	}
	if got = p.values(f, &s.Values); got == no && s.Opaque {
		got = maybe
	}
	if p.members != nil {
		p.members[membership{s, f}] = got
	}
	return got
}

func (p Packets) values(f Field, v *Values) truth {
	switch f {
	case Proto:
		if p.Proto == 0 {
			return maybe
		}
		return within(Range{p.Proto, p.Proto}, v.Numbers)
	case SrcAddr:
		return covered(p.Src, v.Addrs)
	case DstAddr:
		return covered(p.Dst, v.Addrs)
	case SrcPort:
		return ports(p.SrcPort, v.Numbers)
	case DstPort:
		return ports(p.DstPort, v.Numbers)
	case EitherPort:
		return max(ports(p.SrcPort, v.Numbers), ports(p.DstPort, v.Numbers))
	case CtOrigDstPort:
		if p.untracked {
			return maybe
		}
		return ports(Range{p.OrigDstPort, p.OrigDstPort}, v.Numbers)
	case ICMPType:
		if p.ICMPType == nil {
			return maybe
		}
		return within(Range{*p.ICMPType, *p.ICMPType}, v.Numbers)
	case InIface:
		if p.hook == "output" || p.hook == "postrouting" { // there is none, and kernels differ in what that is
			return maybe
		}
		return iface(p.In, v.Names)
	case OutIface:
		if p.hook == "prerouting" || p.hook == "input" || p.hook == "ingress" {
			return maybe
		}
		return iface(p.Out, v.Names)
	case CtState:
		if p.State == "" || p.untracked {
			return maybe
		}
		return holds(slices.Contains(v.Names, p.State))
	case CtStatus:
		switch {
		case p.untracked:
		case slices.Contains(v.Names, "dnat"):
			return max(holds(p.Translated), someOther(v.Names))
		}
	case Nfproto:
		return holds(p.IPv6 && slices.Contains(v.Names, "ipv6") || !p.IPv6 && slices.Contains(v.Names, "ipv4"))
	case DstType:
		if p.Local {
			return holds(slices.Contains(v.Names, "local"))
		}
	case TCPSyn:
		switch {
		case p.Proto != 0 && p.Proto != 6:
			return no
		case p.Proto == 6 && p.State == "new":
			return yes
		}
	case PktType:
		if p.Local {
			return holds(slices.Contains(v.Names, "host") || slices.Contains(v.Names, "unicast"))
		}
	}
	return maybe
}

// someOther is perhaps for a list that has more than one name.
func someOther(names []string) truth {
	if len(names) > 1 {
		return maybe
	}
	return no
}

func ports(r Range, list []Range) truth {
	if r == (Range{}) {
		return maybe
	}
	return within(r, list)
}

// within says whether a range is in one of a list. That several together cover it counts as perhaps.
func within(r Range, list []Range) truth {
	got := no
	for _, l := range list {
		switch {
		case l.Lo <= r.Lo && r.Hi <= l.Hi:
			return yes
		case l.Lo <= r.Hi && r.Lo <= l.Hi:
			got = maybe
		}
	}
	return got
}

// covered says whether addresses are in one of a list of ranges.
func covered(r netipx.IPRange, list []netipx.IPRange) truth {
	if !r.IsValid() {
		// Whatever it is, a range of all addresses has it.
		for _, l := range list {
			if p, ok := l.Prefix(); ok && p.Bits() == 0 {
				return yes
			}
		}
		return maybe
	}
	got := no
	for _, l := range list {
		switch {
		case l.From().Compare(r.From()) <= 0 && r.To().Compare(l.To()) <= 0:
			return yes
		case l.Overlaps(r):
			got = maybe
		}
	}
	return got
}

func iface(name string, list []string) truth {
	got := no
	for _, want := range list {
		start, any := strings.CutSuffix(want, "*")
		switch {
		case any && start == "":
			return yes
		case name == "" && want != "lo":
			got = maybe
		case name == "":
		case want == name || any && strings.HasPrefix(name, start):
			return yes
		}
	}
	return got
}

// One is a single address, for Packets.
func One(a netip.Addr) netipx.IPRange { return netipx.IPRangeFrom(a, a) }

// Between is a range of addresses, both ends included.
func Between(from, to netip.Addr) netipx.IPRange { return netipx.IPRangeFrom(from, to) }
