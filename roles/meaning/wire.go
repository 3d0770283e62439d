package meaning

import (
	"fmt"
	"net/netip"
	"slices"

	"fwpush/inventory"
	"fwpush/roles"
)

// policy is what of a policy decides packets. Where the file says things, what it says
// of them to people, probes and logs do not.
type policy struct {
	Addresses  []netip.Addr      `json:",omitempty"`
	Management []int             `json:",omitempty"` // peers
	Ports      []uint16          `json:",omitempty"` // of management
	Inbound    inventory.Verdict `json:",omitempty"`
	Outbound   inventory.Verdict `json:",omitempty"`
	Ping       bool              `json:",omitempty"`
	DHCPClient bool              `json:",omitempty"`
	Antispoof  bool              `json:",omitempty"`
	IGMP       bool              `json:",omitempty"`
	AcceptRA   bool              `json:",omitempty"`
	SendsRA    bool              `json:",omitempty"`
	Forwards   bool              `json:",omitempty"`
	In         []rule            `json:",omitempty"`
	Out        []rule            `json:",omitempty"`
	Forward    []rule            `json:",omitempty"`
	Publishes  bool              `json:",omitempty"`
	Published  []rule            `json:",omitempty"`
	NAT        []nat             `json:",omitempty"`
	Raw        []raw             `json:",omitempty"`
	Lifelines  []string          `json:",omitempty"`
}

type peer struct {
	Kind roles.PeerKind
	Name string                `json:",omitempty"`
	Net  string                `json:",omitempty"`
	V4   []inventory.AddrRange `json:",omitempty"`
	V6   []inventory.AddrRange `json:",omitempty"`
}

type rule struct {
	Verb      inventory.Verb
	All       bool             `json:",omitempty"`
	Ports     []string         `json:",omitempty"`
	ICMP      []uint8          `json:",omitempty"`
	ICMPv6    []uint8          `json:",omitempty"`
	Protos    []uint8          `json:",omitempty"`
	From      []int            `json:",omitempty"` // peers
	To        []int            `json:",omitempty"`
	InIfaces  []string         `json:",omitempty"`
	OutIfaces []string         `json:",omitempty"`
	Family    inventory.Family `json:",omitempty"`
	Rate      inventory.Rate   `json:",omitzero"`
	MaxConns  int              `json:",omitempty"`
}

type nat struct {
	Kind      inventory.NATKind
	Ports     []string         `json:",omitempty"`
	From      []int            `json:",omitempty"` // peers
	To        []int            `json:",omitempty"`
	InIfaces  []string         `json:",omitempty"`
	OutIfaces []string         `json:",omitempty"`
	Family    inventory.Family `json:",omitempty"`
	ToAddr    netip.Addr       `json:",omitzero"`
	ToPort    uint16           `json:",omitempty"`
}

type raw struct {
	Chain string   `json:",omitempty"`
	At    string   `json:",omitempty"`
	Nft   []string `json:",omitempty"`
	IPv4  []string `json:",omitempty"`
	IPv6  []string `json:",omitempty"`
}

// pack puts the peers of a policy into the table.
func (k *kept) pack(p roles.Policy) policy {
	known := map[string]int{}
	indexes := func(list []roles.Peer) []int {
		var out []int
		for _, p := range list {
			key := p.String()
			if p.Name == "" {
				key += fmt.Sprint(p.V4, p.V6)
			}
			i, ok := known[key]
			if !ok {
				i = len(k.Peers)
				known[key] = i
				k.Peers = append(k.Peers, peer(p))
			}
			if !slices.Contains(out, i) {
				out = append(out, i)
			}
		}
		return out
	}
	rules := func(list []roles.Rule) []rule {
		var out []rule
		for _, r := range list {
			out = append(out, rule{
				Verb: r.Verb, All: r.All, Ports: words(r.Ports), ICMP: r.ICMP, ICMPv6: r.ICMPv6, Protos: r.Protos, From: indexes(r.From), To: indexes(r.To),
				InIfaces: r.InIfaces, OutIfaces: r.OutIfaces, Family: r.Family, Rate: r.Rate, MaxConns: r.MaxConns,
			})
		}
		return out
	}
	out := policy{
		Addresses: p.Addresses, Management: indexes(p.Management.Peers), Ports: p.Management.Ports, Inbound: p.Inbound, Outbound: p.Outbound,
		Ping: p.Ping.On, DHCPClient: p.DHCPClient, Antispoof: p.Antispoof, IGMP: p.IGMP, AcceptRA: p.AcceptRA, SendsRA: p.SendsRA, Forwards: p.Forwards,
		In: rules(p.In), Out: rules(p.Out), Forward: rules(p.Forward),
		Publishes: p.Publishes, Published: rules(p.Published), Lifelines: words(p.Lifelines),
	}
	for _, n := range p.NAT {
		out.NAT = append(out.NAT, nat{
			Kind: n.Kind, Ports: words(n.Ports), From: indexes(n.From), To: indexes(n.To), InIfaces: n.InIfaces, OutIfaces: n.OutIfaces,
			Family: n.Family, ToAddr: n.ToAddr, ToPort: n.ToPort,
		})
	}
	for _, r := range p.Raw {
		out.Raw = append(out.Raw, raw{r.Chain, r.At, r.Nft, r.IPv4, r.IPv6})
	}
	return out
}

// unpack puts them back into its rules. The error is a word that says nothing, or a
// peer that is not in the table.
func (k *kept) unpack() (roles.Policy, error) {
	table := make([]roles.Peer, len(k.Peers))
	for i, p := range k.Peers {
		table[i] = roles.Peer(p)
	}
	sound := true
	named := make([]int, len(table)) // in which list last: a list names nobody twice
	lists := 0
	peers := func(indexes []int) []roles.Peer {
		var out []roles.Peer
		lists++
		for _, i := range indexes {
			if i < 0 || i >= len(table) || named[i] == lists {
				sound = false
				return nil
			}
			named[i] = lists
			out = append(out, table[i])
		}
		return out
	}
	ports := func(words []string) []inventory.PortRange {
		var out []inventory.PortRange
		for _, w := range words {
			r, err := inventory.ParsePort(w)
			if err != nil {
				sound = false
				return nil
			}
			out = append(out, r)
		}
		return out
	}
	rules := func(list []rule) []roles.Rule {
		var out []roles.Rule
		for _, r := range list {
			out = append(out, roles.Rule{
				Verb: r.Verb, Traffic: roles.Traffic{All: r.All, Ports: ports(r.Ports), ICMP: r.ICMP, ICMPv6: r.ICMPv6, Protos: r.Protos},
				From: peers(r.From), To: peers(r.To), InIfaces: r.InIfaces, OutIfaces: r.OutIfaces, Family: r.Family, Rate: r.Rate, MaxConns: r.MaxConns,
			})
		}
		return out
	}
	p := k.Policy
	out := roles.Policy{
		Addresses: p.Addresses, Management: roles.Management{Peers: peers(p.Management), Ports: p.Ports}, Inbound: p.Inbound, Outbound: p.Outbound,
		Ping: inventory.Ping{On: p.Ping}, DHCPClient: p.DHCPClient, Antispoof: p.Antispoof, IGMP: p.IGMP, AcceptRA: p.AcceptRA, SendsRA: p.SendsRA,
		Forwards: p.Forwards, In: rules(p.In), Out: rules(p.Out), Forward: rules(p.Forward),
		Publishes: p.Publishes, Published: rules(p.Published), Lifelines: ports(p.Lifelines),
	}
	for _, n := range p.NAT {
		out.NAT = append(out.NAT, roles.NAT{
			Kind: n.Kind, Ports: ports(n.Ports), From: peers(n.From), To: peers(n.To), InIfaces: n.InIfaces, OutIfaces: n.OutIfaces,
			Family: n.Family, ToAddr: n.ToAddr, ToPort: n.ToPort,
		})
	}
	for _, r := range p.Raw {
		out.Raw = append(out.Raw, roles.Raw{Chain: r.Chain, At: r.At, Nft: r.Nft, IPv4: r.IPv4, IPv6: r.IPv6})
	}
	if !sound {
		return roles.Policy{}, errUnsound
	}
	return out, nil
}

// words are ranges of ports as a fleet file writes them.
func words(list []inventory.PortRange) []string {
	var out []string
	for _, r := range list {
		w := fmt.Sprintf("%s/%d", r.Proto, r.From)
		if r.To != r.From {
			w += fmt.Sprintf("-%d", r.To)
		}
		out = append(out, w)
	}
	return out
}
