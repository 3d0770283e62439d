package foreign

import (
	"net/netip"
	"slices"

	"go4.org/netipx"
)

// Published is a port of the host that a rule of nat hands on to somebody behind it: the packets go
// through forward chains, and no input chain sees them.
type Published struct {
	IPv6    bool
	Proto   uint32           // 0: any
	Ports   []Range          // as they are asked for; nil: any
	Dst     []netipx.IPRange // addresses of the host; nil: any
	Locally bool             // on addresses of the host only (addrtype LOCAL)
	To      netip.AddrPort   // of the first of several; not valid where it is not one
	Others  int              // how many more there are
	By      Place
	Manager string
}

// Limits of a search through chains that a host told of.
const (
	mostSteps     = 200_000
	mostPublished = 256
)

// Published lists what is published by translation on prerouting, each port once.
func (rs Ruleset) Published() []Published {
	var s publishing
	for _, t := range rs.Tables {
		for _, c := range t.Chains {
			if c.Base == nil || c.Base.Hook != "prerouting" || c.Base.Type != "nat" {
				continue
			}
			s.table, s.chains = t, map[string]*Chain{}
			for _, other := range t.Chains {
				s.chains[other.Name] = other
			}
			s.chain(c, Published{IPv6: t.Family == IPv6}, 0)
		}
	}
	a := attribution{}
	for i, p := range s.found {
		s.found[i].Manager = byHand(p.By.Table)
		if owner := a.ofChain(p.By.Table, p.By.Table.Chain(p.By.Chain)); owner != "" {
			s.found[i].Manager = owner
		}
	}
	return s.found
}

type publishing struct {
	table  *Table
	chains map[string]*Chain
	steps  int
	found  []Published
}

// chain follows jumps, with what the rules on the way demand.
func (s *publishing) chain(c *Chain, way Published, depth int) {
	if c == nil || depth > 16 {
		return
	}
	for i := range c.Rules {
		if s.steps++; s.steps > mostSteps || len(s.found) >= mostPublished {
			return
		}
		r := &c.Rules[i]
		next, ok := way.narrowed(r)
		if !ok {
			continue
		}
		switch r.Verdict.Kind {
		case Jump, Goto:
			s.chain(s.chains[r.Verdict.Chain], next, depth+1)
		case DNAT:
			next.To, next.By = r.Verdict.To, Place{s.table, c.Name, r.Text, DNAT}
			s.add(next)
		}
	}
}

func (s *publishing) add(p Published) {
	for i, f := range s.found {
		if f.IPv6 == p.IPv6 && f.Proto == p.Proto && f.By.Table == p.By.Table && slices.Equal(f.Ports, p.Ports) && slices.Equal(f.Dst, p.Dst) {
			if f.To != p.To {
				s.found[i].Others++
			}
			return
		}
	}
	s.found = append(s.found, p)
}

// narrowed adds what one rule demands; false if no packet from outside is left.
func (p Published) narrowed(r *Rule) (Published, bool) {
	for _, m := range r.Matches {
		if m.Not || m.Set != "" {
			continue
		}
		switch m.Field {
		case Proto:
			if len(m.Numbers) == 1 && m.Numbers[0].Lo == m.Numbers[0].Hi {
				p.Proto = m.Numbers[0].Lo
			}
		case DstPort:
			p.Ports = m.Numbers
		case DstAddr:
			p.Dst = m.Addrs
			for _, a := range m.Addrs {
				if a.From().IsLoopback() {
					return p, false
				}
			}
		case DstType:
			p.Locally = p.Locally || slices.Equal(m.Names, []string{"local"})
		case InIface:
			if slices.Equal(m.Names, []string{"lo"}) {
				return p, false
			}
		case Nfproto:
			p.IPv6 = slices.Equal(m.Names, []string{"ipv6"})
		}
	}
	return p, true
}
