package verdict

import (
	"net/netip"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
)

// Engine answers for one policy. It is read only once made.
type Engine struct {
	policy roles.Policy
	own    space.Addrs
	known  map[string]space.Addrs     // peers by what the file calls them
	nat    map[roles.Direction][]step // what changes a destination before the chain
	chains map[roles.Direction][]step
	budget *int // of comparisons; nil for as many as it takes
}

// Bounded is an engine that gives up after so many comparisons of addresses, over all
// its questions: for a policy that somebody else has made, who may have made one that
// takes forever. What it has not come to by then is Undecided.
func Bounded(p roles.Policy, comparisons int) *Engine {
	e := New(p)
	e.budget = &comparisons
	return e
}

// step is one place of a chain where packets are decided.
type step struct {
	stage   Stage
	verdict inventory.Verdict
	match   space.Region
	rule    *roles.Rule
	nat     *roles.NAT
	place   inventory.Place
	by      string
	limit   string
}

// New makes the engine of a policy.
func New(p roles.Policy) *Engine {
	e := &Engine{policy: p, known: map[string]space.Addrs{}}
	for _, a := range p.Addresses {
		e.own = e.own.Union(space.One(a))
	}
	e.nat = map[roles.Direction][]step{
		roles.Input:   e.translations(roles.Input),
		roles.Forward: e.translations(roles.Forward),
	}
	e.chains = map[roles.Direction][]step{
		roles.Input:   e.input(),
		roles.Output:  e.output(),
		roles.Forward: e.forward(),
	}
	return e
}

// Own are the addresses of the host that its file names.
func (e *Engine) Own() space.Addrs { return e.own }

// Policy is what the engine answers for.
func (e *Engine) Policy() roles.Policy { return e.policy }

// Decide tells what becomes of packets that pass a chain. Its outcomes have no
// packet in common, and together they are the region.
func (e *Engine) Decide(d roles.Direction, packets space.Region) []Outcome {
	// Nat looks at packets before a route is chosen. What it leaves alone goes
	// where it was going.
	var out []Outcome
	for _, s := range e.nat[d] {
		for _, m := range s.match {
			hit := packets.And(m)
			packets = packets.Minus(m)
			for _, b := range hit {
				out = append(out, e.translated(d, s, b)...)
			}
		}
	}
	return append(out, e.walk(d, e.chains[d], packets, nil)...)
}

// walk leads packets through a chain of a direction.
func (e *Engine) walk(d roles.Direction, chain []step, packets space.Region, nat *roles.NAT) []Outcome {
	var out []Outcome
	for i := range chain {
		s := &chain[i]
		for _, m := range s.match {
			if len(packets) == 0 {
				return out
			}
			if !e.afford(packets, m) {
				for _, b := range packets {
					out = append(out, Outcome{Packets: b, Direction: d, Verdict: Undecided, Stage: Raw, NAT: nat, by: "more than can be worked out"})
				}
				return out
			}
			for _, b := range packets.And(m) {
				out = append(out, Outcome{Packets: b, Direction: d, Verdict: s.verdict, Stage: s.stage, Rule: s.rule, NAT: nat, Place: s.place, by: s.by, limit: s.limit})
			}
			packets = packets.Minus(m)
		}
	}
	return out
}

// afford tells whether packets may still be compared with a match.
func (e *Engine) afford(packets space.Region, m space.Box) bool {
	if e.budget == nil {
		return true
	}
	for _, b := range packets {
		*e.budget -= 1 + len(b.Key)
		if b.Key.Meets(m.Key) {
			*e.budget -= len(b.Src) + len(b.Dst) + len(m.Src) + len(m.Dst)
		}
	}
	return *e.budget > 0
}

// Exhausted tells whether a bounded engine has given up.
func (e *Engine) Exhausted() bool { return e.budget != nil && *e.budget <= 0 }

// addrs are the addresses of a list of peers in one family; an empty list is any.
func (e *Engine) addrs(peers []roles.Peer, v6 bool) space.Addrs {
	if len(peers) == 0 {
		return space.Everyone(v6)
	}
	var out space.Addrs
	for _, p := range peers {
		out = out.Union(e.peer(p, v6))
	}
	return out
}

func (e *Engine) peer(p roles.Peer, v6 bool) space.Addrs {
	list, key := p.V4, "4"+p.String()
	if v6 {
		list, key = p.V6, "6"+p.String()
	}
	if p.Kind == roles.Literal {
		return space.AddrsOf(list...)
	}
	known, ok := e.known[key]
	if !ok {
		known = space.AddrsOf(list...)
		e.known[key] = known
	}
	return known
}

// Keys are what traffic is about in one family.
func Keys(t roles.Traffic, v6 bool) space.Keys {
	if t.All {
		return space.AllKeys()
	}
	var list []space.Range[space.Key]
	for _, p := range t.Ports {
		list = append(list, space.PortKeys(space.ProtoNumber(p.Proto), p.From, p.To)...)
	}
	types, proto := t.ICMP, uint8(space.ICMP)
	if v6 {
		types, proto = t.ICMPv6, space.ICMPv6
	}
	for _, n := range types {
		list = append(list, space.TypeKeys(proto, n)...)
	}
	for _, n := range t.Protos {
		list = append(list, space.ProtoKeys(n)...)
	}
	return space.Of(list...)
}

// families are the two, IPv4 first.
var families = [...]bool{false, true}

// speaks reports whether something is about a family.
func speaks(f inventory.Family, v6 bool) bool {
	return f == inventory.BothFamilies || (f == inventory.IPv6) == v6
}

func ifaces(names []string) space.Names {
	if len(names) == 0 {
		return space.AnyName()
	}
	return space.NamesOf(names...)
}

// Packets are what a rule matches.
func (e *Engine) Packets(r roles.Rule) space.Region {
	var out space.Region
	for _, v6 := range families {
		if !speaks(r.Family, v6) {
			continue
		}
		b := space.Box{
			Src: e.addrs(r.From, v6), Dst: e.addrs(r.To, v6), Key: Keys(r.Traffic, v6), SrcPort: space.AllPorts(),
			In: ifaces(r.InIfaces), Out: ifaces(r.OutIfaces),
		}
		if !b.Empty() {
			out = append(out, b)
		}
	}
	return out
}

// about is every packet of a family with the keys.
func about(v6 bool, k space.Keys) space.Box {
	b := space.All(v6)
	b.Key = k
	return b
}

func everything() space.Region { return space.Region{space.All(false), space.All(true)} }

// linkLocal is where neighbours send from (RFC 4291 section 2.5.6).
var linkLocal = space.Prefix(netip.MustParsePrefix("fe80::/10"))

// cast are the groups that nobody is answered from: multicast and the broadcast.
func cast(v6 bool) space.Addrs {
	if v6 {
		return space.Prefix(netip.MustParsePrefix("ff00::/8"))
	}
	return space.Prefix(netip.MustParsePrefix("224.0.0.0/4")).Union(space.One(netip.AddrFrom4([4]byte{255, 255, 255, 255})))
}
