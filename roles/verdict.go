package roles

import (
	"net/netip"
	"slices"

	"fwpush/inventory"
)

// Direction is the chain a packet passes.
type Direction string

const (
	Input  Direction = "input"  // arriving for the host itself
	Output Direction = "output" // sent by the host itself
)

// Packet is the first packet of a new connection between the host and another
// machine.
type Packet struct {
	Direction Direction
	// Proto is "tcp", "udp", "sctp", or "ping" for an echo request of the
	// family of the addresses. Of any other protocol only `all` speaks.
	Proto            string
	Src, Dst         netip.Addr
	SrcPort, DstPort uint16 // 0 where the protocol has none
}

// Verdict decides a packet as the rendered ruleset does, in its order: the
// management pair, the DHCP client, every deny, then every allow, ping and the
// lifelines, then the default. The rule is the one that decided, nil where none
// did.
//
// Three stages of a ruleset have no part in it: loopback and antispoof (which
// ask for the interface and the host's own addresses), and the ICMP core and
// known connections (which are never new ones).
func (p Policy) Verdict(k Packet) (inventory.Verdict, *Rule) {
	if p.isManagement(k) || p.isDHCP(k) {
		return inventory.Accept, nil
	}
	rules, otherwise := p.In, p.Inbound
	if k.Direction == Output {
		rules, otherwise = p.Out, p.Outbound
	}
	for i := range rules {
		if rules[i].Deny && rules[i].matches(k) {
			return p.Refusal(k.Direction), &rules[i]
		}
	}
	if p.Ping && k.Proto == "ping" {
		return inventory.Accept, nil
	}
	for i := range rules {
		if !rules[i].Deny && rules[i].matches(k) {
			return inventory.Accept, &rules[i]
		}
	}
	if k.Direction == Output && (Rule{Ports: p.Lifelines}).serves(k) {
		return inventory.Accept, nil
	}
	return otherwise, nil
}

// isManagement reports whether the stateless pair admits the packet: to sshd's
// port from a management source, or from sshd's port back to one.
func (p Policy) isManagement(k Packet) bool {
	remote, local := k.Src, k.DstPort
	if k.Direction == Output {
		remote, local = k.Dst, k.SrcPort
	}
	return k.Proto == "tcp" && p.Management.admits(remote, local)
}

func (m Management) admits(remote netip.Addr, local uint16) bool {
	if _, ok := slices.BinarySearch(m.Ports, local); !ok {
		return false
	}
	return slices.ContainsFunc(m.Peers, func(p Peer) bool { return p.has(remote) })
}

// isDHCP reports whether the packet belongs to the host's own DHCP client. Its
// answers come from an address the question did not go to, so connection
// tracking sees them as new (RFC 2131 4.1, RFC 8415 7.2).
func (p Policy) isDHCP(k Packet) bool {
	if !p.DHCPClient || k.Proto != "udp" {
		return false
	}
	server, client := k.SrcPort, k.DstPort
	if k.Direction == Output {
		server, client = k.DstPort, k.SrcPort
	}
	if k.Src.Is4() {
		return server == 67 && client == 68
	}
	return server == 547 && client == 546 && (k.Direction == Output || k.Src.IsLinkLocalUnicast())
}

// matches reports whether a rule speaks of the packet.
func (r Rule) matches(k Packet) bool {
	return r.serves(k) && matchesAny(r.From, k.Src) && matchesAny(r.To, k.Dst)
}

func (r Rule) serves(k Packet) bool {
	if r.All || r.Ping && k.Proto == "ping" {
		return true
	}
	return slices.ContainsFunc(r.Ports, func(s inventory.PortRange) bool {
		return s.Proto == k.Proto && s.From <= k.DstPort && k.DstPort <= s.To
	})
}

// matchesAny reports whether a rule's peer list, empty for any, has the address.
func matchesAny(peers []Peer, a netip.Addr) bool {
	return len(peers) == 0 || slices.ContainsFunc(peers, func(p Peer) bool { return p.has(a) })
}
