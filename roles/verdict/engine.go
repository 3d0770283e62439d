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
	lists  Lists
	nat    map[roles.Direction][]step // what changes a destination before the chain
	chains map[roles.Direction][]step
	sent   []step // what packets pass that nat has sent on
	budget *int   // of work; nil for as much as it takes
}

// step is one place of a chain where packets are decided.
type step struct {
	stage   Stage
	verdict inventory.Verdict
	match   space.Region
	rule    *roles.Rule
	nat     *roles.NAT
	raw     *roles.Raw
	place   inventory.Place
	by      string
	limit   string
}

// New makes the engine of a policy.
func New(p roles.Policy) *Engine { return Lists{}.Engine(p, nil) }

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
			hit, rest, ok := e.cut(packets, m)
			if !ok {
				return append(out, given(d, packets, nil)...)
			}
			for _, b := range hit {
				out = append(out, e.translated(d, s, b)...)
			}
			packets = rest
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
			hit, rest, ok := e.cut(packets, m)
			if !ok {
				return append(out, given(d, packets, nat)...)
			}
			place := s.place
			if s.stage == Translated {
				place = nat.Place
			}
			for _, b := range hit {
				out = append(out, Outcome{Packets: b, Direction: d, Verdict: s.verdict, Stage: s.stage, Rule: s.rule, NAT: nat, Place: place, by: s.by, limit: s.limit})
			}
			packets = rest
		}
	}
	return out
}

// given are packets given up.
func given(d roles.Direction, packets space.Region, nat *roles.NAT) []Outcome {
	var out []Outcome
	for _, b := range packets {
		out = append(out, Outcome{Packets: b, Direction: d, Verdict: Undecided, Stage: Raw, NAT: nat, by: "more than can be worked out"})
	}
	return out
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
			Src: e.addrs(r.From, v6), Dst: e.addrs(r.To, v6), Key: r.Traffic.Keys(v6), SrcPort: space.AllPorts(),
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
