package foreign

import (
	"net/netip"

	"go4.org/netipx"
)

// Engine is the program that rules were loaded by, and whose words they are told in.
type Engine string

// The engines. Rules of iptables are told by iptables-save in either variant.
const (
	Nft      Engine = "nft"
	Iptables Engine = "iptables"
)

// Family is a family of nftables; rules of iptables are of IPv4 or IPv6.
type Family string

// The families that see packets which fwpush has rules for.
const (
	IPv4   Family = "ip"
	IPv6   Family = "ip6"
	Inet   Family = "inet"
	Netdev Family = "netdev"
)

// Ruleset is what one or more programs told of a host.
type Ruleset struct {
	Tables []*Table
}

// Table is one of nftables, or of iptables for one family and variant.
type Table struct {
	Engine Engine
	Legacy bool // of iptables-legacy, which nft does not see
	Family Family
	Name   string
	Chains []*Chain
	Sets   map[string]*Set
}

// Chain is a list of rules. Regular chains have no Base.
type Chain struct {
	Name  string
	Base  *Base
	Rules []Rule
	Cut   bool // there may be more rules, which nobody told
}

// Base is how the kernel gets to a chain.
type Base struct {
	Type     string // filter, nat, route
	Hook     string // prerouting, input, forward, output, postrouting, ingress
	Device   string // of ingress
	Priority int    // lower ones see a packet first
	Policy   Kind   // Accept or Drop
}

// Set is a named set, or a map of which only the keys are known.
type Set struct {
	Name   string
	Values Values
	Opaque bool // it has more elements than Values
}

// Rule is one rule. A packet matches it if it satisfies each of Matches and each of Opaque.
type Rule struct {
	Matches []Match
	Opaque  []string // conditions that are not understood, in the engine's words
	Verdict Verdict
	// Untracks and Rewrites are of rules that take a packet out of connection tracking, or write into
	// its headers, before Verdict.
	Untracks, Rewrites bool

	Comment string
	Text    string // the rule as its engine writes it
	Line    int    // where it stands in what iptables-save printed; 0 for rules of nft
}

// Field is what of a packet a Match looks at.
type Field uint8

// The fields.
const (
	Proto Field = iota + 1
	SrcAddr
	DstAddr
	SrcPort
	DstPort
	EitherPort // source or destination (multiport --ports)
	ICMPType
	InIface
	OutIface
	CtState
	CtStatus
	CtOrigDstPort
	Nfproto  // the family, in tables that see both
	SrcType  // addrtype, fib saddr type
	DstType  // addrtype, fib daddr type
	TCPSyn   // the flags of a first packet
	Mark     // of the packet; Numbers under a mask are Opaque
	PktType  // host, broadcast, multicast
	numField // how many there are, and one
)

// Match is one condition.
type Match struct {
	Field Field
	Not   bool
	Values
	Set string // named set whose elements are the values, "" if they stand here
}

// Values are alternatives; which kind is used depends on the field: addresses, numbers (protocols,
// ports, ICMP types, marks) or names (interfaces, where a final * stands for any rest, states, types).
type Values struct {
	Addrs   []netipx.IPRange
	Numbers []Range
	Names   []string
}

// Range is numbers from Lo to Hi, both inclusive.
type Range struct{ Lo, Hi uint32 }

// Kind is what a rule does with a packet that matches.
type Kind uint8

// The kinds. Unknown may do anything, Continue lets the next rule see the packet.
const (
	Continue Kind = iota
	Accept
	Drop
	Reject
	Jump
	Goto
	Return
	DNAT
	SNAT
	Masquerade
	Redirect
	Queue
	Unknown
)

// Verdict is what a rule does.
type Verdict struct {
	Kind  Kind
	Chain string         // of Jump and Goto
	To    netip.AddrPort // of DNAT, SNAT and Redirect as far as it is one; the address or the port may be missing
}

// Chain returns the chain of that name, nil if there is none.
func (t *Table) Chain(name string) *Chain {
	for _, c := range t.Chains {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// String is how a person calls the table: "ip nat" is of nftables, "iptables nat" of iptables.
func (t *Table) String() string {
	switch {
	case t.Engine == Nft:
		return string(t.Family) + " " + t.Name
	case t.Family == IPv6 && t.Legacy:
		return "ip6tables-legacy " + t.Name
	case t.Family == IPv6:
		return "ip6tables " + t.Name
	case t.Legacy:
		return "iptables-legacy " + t.Name
	}
	return "iptables " + t.Name
}

// sees says whether packets of a family come to the table.
func (t *Table) sees(v6 bool) bool {
	switch t.Family {
	case IPv4:
		return !v6
	case IPv6:
		return v6
	case Inet, Netdev:
		return true
	}
	return false
}
