package render

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go4.org/netipx"

	"fwpush/inventory"
	"fwpush/roles"
)

// identity is what a named peer is called in the fleet file.
type identity struct {
	kind      roles.PeerKind
	name, net string
}

func identityOf(p roles.Peer) identity {
	return identity{p.Kind, p.Name, p.Net}
}

// managementSet is the stem of the management sets. A set of the fleet file
// that is called mgmt has to give way.
const managementSet = "s_mgmt"

// stemLimit keeps set names, which may hold a DNS name and a net, well below
// the 255 bytes of the kernel (NFT_NAME_MAXLEN).
const stemLimit = 100

// stem is the name of a peer's sets without the digit of the family. It begins
// with the letter of the kind, because words such as log or ip are no names to
// nft, and ends in a letter or "_", so that the digit stays readable.
func stem(id identity) string {
	s := string(id.kind[:1]) + "_" + id.name
	if id.net != "" {
		s += "_" + id.net
	}
	s = strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, s)
	return apart(s)
}

func apart(s string) string {
	if c := s[len(s)-1]; c >= '0' && c <= '9' {
		return s + "_"
	}
	return s
}

// stems gives each identity a name of its own. Where two readable names fall
// together ("bastion@lan" and "bastion_lan") or one is too long, the digest of
// the identity is appended after a dot, which no readable name has; so a name
// with a dot never meets one without, and two with a dot differ in the digest.
func stems(ids []identity) map[identity]string {
	takers := map[string]int{managementSet: 1}
	for _, id := range ids {
		takers[stem(id)]++
	}
	out := make(map[identity]string, len(ids))
	for _, id := range ids {
		s := stem(id)
		if takers[s] > 1 || len(s) > stemLimit {
			sum := sha256.Sum256([]byte(strings.Join([]string{string(id.kind), id.name, id.net}, "\x00")))
			s = s[:min(len(s), stemLimit/2)] + "." + hex.EncodeToString(sum[:8]) + "_"
		}
		out[id] = s
	}
	return out
}

// end is one end of a rule's packets.
type end string

const (
	fromEnd end = "from"
	toEnd   end = "to"
)

func (e end) of(r roles.Rule) []roles.Peer {
	if e == fromEnd {
		return r.From
	}
	return r.To
}

// unionOf is what stands for all peers of one end of a rule.
func unionOf(r roles.Rule, e end) identity { return identity{"peers", r.Name, string(e)} }

// unions are the ends of a rule at which a packet can be of several peers and must
// not be counted for each.
func unions(r roles.Rule) (map[identity]addresses, error) {
	if !limited(r) && !r.Log.On {
		return nil, nil
	}
	out := map[identity]addresses{}
	for _, e := range [...]end{fromEnd, toEnd} {
		peers := e.of(r)
		if len(peers) < 2 || slices.ContainsFunc(peers, isAny) {
			continue
		}
		all, err := mergePeers(peers...)
		if err != nil {
			return nil, err
		}
		if overlap(peers) {
			out[unionOf(r, e)] = all
		}
	}
	return out, nil
}

// overlap tells whether an address is of two peers. Literal ones are matched as one.
func overlap(peers []roles.Peer) bool {
	var literals []roles.Peer
	var all []netipx.IPRange
	add := func(peers ...roles.Peer) {
		a, _ := mergePeers(peers...) // together they could be merged
		all = slices.Concat(all, a.v4, a.v6)
	}
	for _, p := range peers {
		if p.Kind == roles.Literal {
			literals = append(literals, p)
		} else {
			add(p)
		}
	}
	add(literals...)
	slices.SortFunc(all, func(a, b netipx.IPRange) int { return a.From().Compare(b.From()) })
	for i := 1; i < len(all); i++ {
		if all[i].From().Compare(all[i-1].To()) <= 0 {
			return true
		}
	}
	return false
}

// namedPeers collects the peers that become sets and checks the addresses of
// all. The same name with different addresses would make one rule speak for
// another, and is refused.
func namedPeers(policy roles.Policy) (map[identity]addresses, error) {
	named := map[identity]addresses{}
	rules := policy.AllRules()
	for _, n := range policy.NAT {
		rules = append(rules, roles.Rule{From: n.From, To: n.To, Place: n.Place})
	}
	first := map[identity]roles.Peer{}
	for _, r := range rules {
		merged, err := unions(r)
		if err != nil {
			return nil, fmt.Errorf("%s%w", prefix(r), err)
		}
		maps.Copy(named, merged)
		for _, p := range slices.Concat(r.From, r.To) {
			if o, seen := first[identityOf(p)]; seen && p.Name != "" && sameList(o.V4, p.V4) && sameList(o.V6, p.V6) {
				continue // thousands of rules may share a list
			}
			a, err := mergePeers(p)
			if err != nil {
				return nil, fmt.Errorf("%s%w", prefix(r), err)
			}
			switch p.Kind {
			case roles.Any, roles.Literal:
				continue
			case roles.SetPeer, roles.HostPeer, roles.RolePeer, roles.GroupPeer:
			default:
				return nil, fmt.Errorf("%sunknown kind of peer %q", prefix(r), p.Kind)
			}
			if p.Name == "" {
				return nil, fmt.Errorf("%sa %s without a name", prefix(r), p.Kind)
			}
			id := identityOf(p)
			if old, seen := named[id]; seen && !(slices.Equal(old.v4, a.v4) && slices.Equal(old.v6, a.v6)) {
				return nil, fmt.Errorf("%s%s stands for different addresses in two rules", prefix(r), describe(p))
			}
			named[id] = a
			first[id] = p
		}
	}
	return named, nil
}

// sameList tells, without looking into them, that two lists are one.
func sameList(a, b []inventory.AddrRange) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// prefix is the place of a rule before an error message.
func prefix(r roles.Rule) string {
	if s := r.Place.String(); s != "" {
		return s + ": "
	}
	return ""
}
