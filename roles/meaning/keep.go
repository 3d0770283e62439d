package meaning

import (
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles"
)

// kept is a policy as a host keeps it beside the rules that were made of it. A
// change of what is in a policy is a new version, so that none is half understood.
type kept struct {
	Version int
	// Peers are the named peers of the rules, each once: thousands of rules may name
	// the same ten thousand addresses. In Policy they stand without addresses.
	Peers  []roles.Peer
	Policy roles.Policy
}

const version = 1

// Keep writes what of a policy decides packets, for Recall: one line of JSON, the same
// for the same policy. Where the file says things, what it says of
// them to people, probes and the words of raw text are left out.
func Keep(p roles.Policy) (string, error) {
	p = bare(p)
	k := kept{Version: version, Peers: named(&p)}
	k.Policy = p
	text, err := json.Marshal(k)
	return string(text), err
}

func bare(p roles.Policy) roles.Policy {
	p.Decided, p.Probes = nil, nil
	for _, list := range []*[]roles.Rule{&p.In, &p.Out, &p.Forward} {
		*list = slices.Clone(*list)
		for i := range *list {
			r := &(*list)[i]
			r.Place, r.Comment, r.Owner, r.Ticket = inventory.Place{}, "", "", ""
		}
	}
	p.NAT = slices.Clone(p.NAT)
	for i := range p.NAT {
		p.NAT[i].Place, p.NAT[i].Comment = inventory.Place{}, ""
	}
	p.Raw = slices.Clone(p.Raw)
	for i, r := range p.Raw {
		p.Raw[i] = roles.Raw{Chain: r.Chain, At: r.At}
	}
	return p
}

// named takes the addresses of named peers out of a policy that is the caller's own.
func named(p *roles.Policy) []roles.Peer {
	table := map[string]roles.Peer{}
	eachList(p, func(list []roles.Peer) []roles.Peer {
		list = slices.Clone(list)
		for i, peer := range list {
			if peer.Name != "" {
				table[peer.String()] = peer
				list[i].V4, list[i].V6 = nil, nil
			}
		}
		return list
	})
	var all []roles.Peer
	for _, name := range slices.Sorted(maps.Keys(table)) {
		all = append(all, table[name])
	}
	return all
}

// fill puts them back. The error is a name that is not in the table.
func fill(p *roles.Policy, peers []roles.Peer) error {
	table := map[string]roles.Peer{}
	for _, peer := range peers {
		table[peer.String()] = peer
	}
	missing := false
	eachList(p, func(list []roles.Peer) []roles.Peer {
		for i, peer := range list {
			if peer.Name != "" {
				known, ok := table[peer.String()]
				missing = missing || !ok
				list[i] = known
			}
		}
		return list
	})
	if missing {
		return errors.New("a peer has no addresses")
	}
	return nil
}

// eachList changes every list of peers of a policy.
func eachList(p *roles.Policy, change func([]roles.Peer) []roles.Peer) {
	p.Management.Peers = change(p.Management.Peers)
	for _, rules := range [][]roles.Rule{p.In, p.Out, p.Forward} {
		for i := range rules {
			rules[i].From, rules[i].To = change(rules[i].From), change(rules[i].To)
		}
	}
	for i := range p.NAT {
		p.NAT[i].From, p.NAT[i].To = change(p.NAT[i].From), change(p.NAT[i].To)
	}
}

// Recall reads what Keep has written. The text comes from a host and is taken for
// hostile: the error says that it is not understood, and then nothing is known of
// what the rules of that host meant.
func Recall(text string) (roles.Policy, error) {
	var k kept
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&k); err != nil || k.Version != version || d.More() {
		return roles.Policy{}, errors.New("what the host keeps of its policy is of another version of fwpush")
	}
	if !soundPeers(k.Peers) || fill(&k.Policy, k.Peers) != nil || !sound(k.Policy) {
		return roles.Policy{}, errors.New("what the host keeps of its policy is no policy")
	}
	return k.Policy, nil
}

// sound reports whether ranges are ranges, as everything that reads a policy relies
// on.
func sound(p roles.Policy) bool {
	peers := slices.Clone(p.Management.Peers)
	for _, r := range slices.Concat(p.In, p.Out, p.Forward) {
		if !soundPorts(r.Ports) {
			return false
		}
		peers = slices.Concat(peers, r.From, r.To)
	}
	for _, n := range p.NAT {
		if !soundPorts(n.Ports) {
			return false
		}
		peers = slices.Concat(peers, n.From, n.To)
	}
	literals := slices.DeleteFunc(peers, func(p roles.Peer) bool { return p.Name != "" }) // the others have been looked at
	return soundPeers(literals) && soundPorts(p.Lifelines) && !slices.ContainsFunc(p.Addresses, func(a netip.Addr) bool { return !a.IsValid() || a.Zone() != "" })
}

func soundPeers(list []roles.Peer) bool {
	return !slices.ContainsFunc(list, func(p roles.Peer) bool { return !soundRanges(p.V4, true) || !soundRanges(p.V6, false) })
}

func soundRanges(list []inventory.AddrRange, v4 bool) bool {
	return !slices.ContainsFunc(list, func(r inventory.AddrRange) bool {
		return !r.From.IsValid() || !r.To.IsValid() || r.From.Is4() != v4 || r.To.Is4() != v4 || r.From.Zone()+r.To.Zone() != "" || r.To.Less(r.From)
	})
}

func soundPorts(list []inventory.PortRange) bool {
	return !slices.ContainsFunc(list, func(r inventory.PortRange) bool {
		return r.To < r.From || !slices.Contains([]string{"tcp", "udp", "sctp"}, r.Proto)
	})
}
