package reach

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/expect"
	"fwpush/roles/meaning"
	"fwpush/roles/space"
	"fwpush/roles/verdict"
)

// Graph is who may talk to whom in a fleet.
type Graph struct {
	Nodes []Node
	Edges []Edge // by From and To
}

// Node is one party: the hosts of a role, a set that rules name, or the internet.
type Node struct {
	Name  string // "role:web", "set:ops", "internet"
	Hosts int    // of a role
	Aside bool   // there for what goes between it and others only
}

// Edge is what one node may say to another.
type Edge struct {
	From, To int // indexes of nodes
	Flows    []Flow
}

// Flow is services that one rule lets pass.
type Flow struct {
	Services []Service
	Within   []string // names of all services that pass whole, as https does with a wider one
	Rule     string   // its name, or why without one
	Place    inventory.Place
	Limit    string
	Part     bool // only some of the addresses, hosts or interfaces
	ByRule   bool // a rule of the file lets them pass, and not what stands for all hosts
}

// Of asks the rules of a whole fleet. A flow between two roles is one that the
// target's rules let in and the source's do not keep from leaving.
func Of(fleet *inventory.Fleet, policies map[string]roles.Policy) (Graph, error) {
	names := roles.NamesOf(fleet)
	r := reacher{fleet: expect.NewFleet(fleet, policies), names: names, called: calledIn(names), policies: policies}
	if err := r.parties(fleet); err != nil {
		return Graph{}, err
	}
	var g Graph
	for _, p := range r.list {
		g.Nodes = append(g.Nodes, Node{Name: p.name, Hosts: len(p.hosts)})
	}
	for i := range r.list {
		var err error
		if r.list[i].unlike, err = distinct(r.list[i].hosts, policies); err != nil {
			return Graph{}, err
		}
	}
	for i, from := range r.list {
		for j, to := range r.list {
			if i == j && len(from.hosts) < 2 || len(from.hosts)+len(to.hosts) == 0 {
				continue
			}
			if flows := r.between(from, to); len(flows) > 0 {
				g.Edges = append(g.Edges, Edge{i, j, flows})
			}
		}
	}
	return g, nil
}

// About is what of the graph some nodes take part in.
func (g Graph) About(names []string) Graph {
	var out Graph
	named := func(node int) bool { return slices.Contains(names, g.Nodes[node].Name) }
	keep := make([]bool, len(g.Nodes))
	for _, e := range g.Edges {
		if named(e.From) || named(e.To) {
			out.Edges = append(out.Edges, e)
			keep[e.From], keep[e.To] = true, true
		}
	}
	index := make([]int, len(g.Nodes))
	for i, n := range g.Nodes {
		if n.Aside = !named(i); keep[i] || !n.Aside {
			index[i] = len(out.Nodes)
			out.Nodes = append(out.Nodes, n)
		}
	}
	for i, e := range out.Edges {
		out.Edges[i].From, out.Edges[i].To = index[e.From], index[e.To]
	}
	return out
}

// party is a node with all its addresses.
type party struct {
	name   string
	hosts  []string
	unlike []string // those of the hosts of which each has other rules than the rest
	v4, v6 space.Addrs
}

func (p party) addrs(v6 bool) space.Addrs {
	if v6 {
		return p.v6
	}
	return p.v4
}

type reacher struct {
	fleet    *expect.Fleet
	names    roles.Names
	called   called
	policies map[string]roles.Policy
	list     []party
}

// parties are the internet, which most people look for first, the roles that some
// hosts have and not all, and the sets that rules name.
func (r *reacher) parties(fleet *inventory.Fleet) error {
	members := map[string][]string{}
	managed := 0
	for _, h := range fleet.Hosts {
		if _, ok := r.policies[h.Name]; !ok {
			continue
		}
		managed++
		for _, role := range h.Roles {
			if !slices.Contains(members[role.V], h.Name) {
				members[role.V] = append(members[role.V], h.Name)
			}
		}
	}
	add := func(word string, hosts []string) error {
		ends, err := r.names.Ends(word)
		if err != nil {
			return err
		}
		p := party{name: word, hosts: hosts}
		for _, e := range ends {
			for _, n := range e.Nets {
				p.v4, p.v6 = p.v4.Union(space.AddrsOf(n.V4...)), p.v6.Union(space.AddrsOf(n.V6...))
			}
		}
		r.list = append(r.list, p)
		return nil
	}
	if err := add("internet", nil); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if len(members[name]) == managed && len(members) > 1 {
			continue // what all hosts have tells none apart
		}
		if err := add("role:"+name, members[name]); err != nil {
			r.list = append(r.list, party{name: "role:" + name, hosts: members[name]}) // some host's addresses are not said
		}
	}
	for _, name := range r.setsInRules() {
		if err := add("set:"+name, nil); err != nil {
			return err
		}
	}
	return nil
}

func (r *reacher) setsInRules() []string {
	sets := map[string]bool{}
	name := func(peers []roles.Peer) {
		for _, peer := range peers {
			if peer.Kind == roles.SetPeer {
				sets[peer.Name] = true
			}
		}
	}
	for _, p := range r.policies {
		name(p.Management.Peers)
		for _, rules := range [][]roles.Rule{p.In, p.Out} {
			for _, rule := range rules {
				name(rule.From)
				name(rule.To)
			}
		}
	}
	return slices.Sorted(maps.Keys(sets))
}

// between are the flows from one party to another.
func (r *reacher) between(from, to party) []Flow {
	found := flows{called: r.called}
	if len(to.hosts) == 0 {
		for _, host := range from.unlike {
			for _, o := range r.decide(host, roles.Output, from, to) {
				if o.Verdict == inventory.Accept && o.Stage != verdict.Management && !core(o) {
					found.add(o, o.Packets.Key, partial(o, from, to))
				}
			}
		}
		return found.sorted()
	}
	for _, host := range to.unlike {
		for _, o := range r.decide(host, roles.Input, from, to) {
			if o.Verdict != inventory.Accept || core(o) {
				continue
			}
			leaves := r.leaves(from, o.Packets)
			if left := o.Packets.Key.And(leaves); !left.Empty() {
				found.add(o, left, partial(o, from, to) || !leaves.Covers(o.Packets.Key))
			}
		}
	}
	return found.sorted()
}

// core is what hosts need and nobody asks about.
func core(o verdict.Outcome) bool {
	return o.Stage == verdict.ICMPCore || o.Stage == verdict.DHCP || o.Stage == verdict.IGMP
}

// leaves is what of packets some host of a party may send.
func (r *reacher) leaves(from party, packets space.Box) space.Keys {
	if len(from.hosts) == 0 {
		return packets.Key
	}
	var keys space.Keys
	packets.In, packets.Out = space.NamesOf("lo").Not(), space.NamesOf("lo").Not()
	for _, host := range from.unlike {
		for _, o := range r.fleet.Engine(host).Decide(roles.Output, space.Region{packets}) {
			if o.Verdict == inventory.Accept {
				keys = keys.Union(o.Packets.Key)
			}
		}
	}
	return keys
}

func (r *reacher) decide(host string, d roles.Direction, from, to party) []verdict.Outcome {
	var ask space.Region
	for _, v6 := range [...]bool{false, true} {
		b := space.All(v6)
		b.Src, b.Dst = from.addrs(v6), to.addrs(v6)
		b.SrcPort = r.fleet.Sources(host)
		b.In, b.Out = space.NamesOf("lo").Not(), space.NamesOf("lo").Not()
		if !b.Empty() {
			ask = append(ask, b)
		}
	}
	return r.fleet.Engine(host).Decide(d, ask)
}

// distinct are hosts of which each has other rules than the rest.
func distinct(hosts []string, policies map[string]roles.Policy) ([]string, error) {
	seen := map[string]bool{}
	var list []string
	for _, h := range hosts {
		p := policies[h]
		p.Host, p.Addresses = "", nil
		key, err := meaning.Keep(p)
		if err != nil {
			return nil, err
		}
		for _, rules := range [][]roles.Rule{p.In, p.Out} {
			for _, rule := range rules {
				key += "\n" + rule.Name
			}
		}
		if !seen[key] {
			seen[key] = true
			list = append(list, h)
		}
	}
	return list, nil
}

// partial tells whether packets are only some of those between two parties.
func partial(o verdict.Outcome, from, to party) bool {
	v6 := o.Packets.V6()
	outside := space.NamesOf("lo").Not()
	return !o.Packets.Src.Covers(from.addrs(v6)) || !o.Packets.Dst.Covers(to.addrs(v6)) || !o.Packets.In.Equal(outside) || !o.Packets.Out.Equal(outside)
}

// flows are those found so far, by what lets them pass.
type flows struct {
	called called
	list   []Flow
	keys   []space.Keys
	v6     []bool
}

func (f *flows) add(o verdict.Outcome, keys space.Keys, part bool) {
	name := o.Why()
	if o.Rule != nil {
		name = o.Rule.Name
	}
	flow := Flow{Rule: name, Place: o.Place, Limit: o.Limited(), Part: part, ByRule: o.Rule != nil || o.NAT != nil}
	v6 := o.Packets.V6()
	for i, have := range f.list {
		if have.Rule == flow.Rule && have.Place == flow.Place && f.v6[i] == v6 {
			f.keys[i] = f.keys[i].Union(keys)
			f.list[i].Part = have.Part && part
			return
		}
	}
	f.list, f.keys, f.v6 = append(f.list, flow), append(f.keys, keys), append(f.v6, v6)
}

// sorted are the flows of both families together.
func (f *flows) sorted() []Flow {
	var out []Flow
	for i, flow := range f.list {
		services, within := f.called.services(f.keys[i], f.v6[i]), f.called.within(f.keys[i], f.v6[i])
		j := slices.IndexFunc(out, func(o Flow) bool { return o.Rule == flow.Rule && o.Place == flow.Place })
		if j < 0 {
			flow.Services, flow.Within = services, within
			out = append(out, flow)
			continue
		}
		for _, s := range services {
			if !slices.Contains(out[j].Services, s) {
				out[j].Services = append(out[j].Services, s)
			}
		}
		for _, name := range within {
			if !slices.Contains(out[j].Within, name) {
				out[j].Within = append(out[j].Within, name)
			}
		}
		out[j].Part = out[j].Part && flow.Part
	}
	slices.SortFunc(out, func(a, b Flow) int {
		return cmp.Or(slices.CompareFunc(a.Services, b.Services, func(a, b Service) int { return strings.Compare(a.String(), b.String()) }),
			strings.Compare(a.Rule, b.Rule))
	})
	return out
}
