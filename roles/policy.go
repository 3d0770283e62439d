package roles

import (
	"net/netip"
	"slices"
	"time"

	"fwpush/inventory"
)

// Policy is what one host shall enforce. It is complete: rendering it needs
// nothing else. Order carries no meaning anywhere in it; Compile sorts.
type Policy struct {
	Host string
	// Addresses are those the file gives the host, sorted. Nothing is rendered from
	// them: they are for questions about the policy.
	Addresses  []netip.Addr
	Management Management
	Inbound    inventory.Verdict // Drop or Reject, for what no rule decides
	Outbound   inventory.Verdict // Accept, Drop or Reject
	Log        inventory.Log
	Ping       inventory.Ping
	DHCPClient bool
	Antispoof  bool
	IGMP       bool
	AcceptRA   bool
	SendsRA    bool
	In, Out    []Rule
	// Forward are the rules for packets through the host. They count where
	// Forwards is true: what none of them lets through is refused as Inbound
	// says. Else this host's forwarding is none of fwpush's business.
	Forward  []Rule
	Forwards bool
	// Published are the rules for connections to this host that the nat of somebody
	// else hands on, as Docker does with the ports it publishes. They speak of the
	// ports that were asked for, and count where Publishes is true: what none of them
	// lets through is refused as Inbound says. Else they go as Forward decides.
	Published []Rule
	Publishes bool
	NAT       []NAT
	Raw       []Raw
	Probes    []inventory.Probe
	// Lifelines are what a closed outbound lets out to everywhere all the same:
	// dns and ntp, each unless an allow in `out` of the host or its roles names
	// a port of it. Such an allow takes the service over, even one that stands
	// for nobody or has expired: it is the one kind of allow that can close something. `all`
	// names nothing. Empty where outbound accepts.
	Lifelines []inventory.PortRange
	// Decided says who decided a key ("inbound", "ping", ...). Hosts share it: it must not be
	// changed.
	Decided map[string]Decision
}

// Decision says which level of the file decided a setting.
type Decision struct {
	By    string // "default", "defaults", "role db", "host web1"
	Place inventory.Place
}

// Management is the pair of rules that keeps SSH open, rendered first and
// stateless. Peers never includes "any" unless the file said allow_any.
type Management struct {
	Peers []Peer   // sorted; an empty list admits nobody
	Ports []uint16 // sorted; what sshd listens on as the host sees it
	// Controller is where pushes come from as the host sees them, if the file
	// says so. It opens nothing and is only read by ProveManagement.
	Controller []netip.Addr
	Place      inventory.Place `json:"-"` // of what admits them; a host that keeps its policy keeps no places
}

// Rule is one compiled rule: traffic between peers. A rule matches a family only
// if From and To both have addresses of it (or are empty), and it speaks of
// something in it.
type Rule struct {
	Verb inventory.Verb
	Traffic
	Helpers   []Helper
	From      []Peer // empty means any
	To        []Peer
	InIfaces  []string // names on this host, sorted; empty means any
	OutIfaces []string
	Family    inventory.Family
	Rate      inventory.Rate // of an allow; the zero Rate is no limit
	MaxConns  int            // of an allow, for each source; 0 is no limit
	Log       inventory.Log
	Expires   time.Time // the moment from which it no longer holds; zero for never
	// Name is the rule's own, or made of what it says; no two rules of a policy
	// have the same. Counted tells that the file gave it.
	Name    string
	Counted bool
	Comment string
	Owner   string
	Ticket  string
	Place   inventory.Place
}

// Allows tells an allow from the verbs that refuse.
func (r Rule) Allows() bool { return r.Verb == inventory.AllowVerb }

// Traffic is what a rule is about. Each list is merged and sorted.
type Traffic struct {
	All    bool // every protocol; the lists are empty
	Ports  []inventory.PortRange
	ICMP   []uint8 // types of ICMP, over IPv4
	ICMPv6 []uint8 // types of ICMPv6, over IPv6
	Protos []uint8 // other IP protocols by number
}

// Helper is a connection tracking helper for ports of a rule.
type Helper struct {
	Name  string
	Ports []inventory.PortRange
}

// NAT is one compiled entry of nat.
type NAT struct {
	Kind      inventory.NATKind
	From      []Peer // empty means any
	To        []Peer // empty means any, of dnat the host's own addresses
	InIfaces  []string
	OutIfaces []string
	Ports     []inventory.PortRange // empty for all traffic
	Family    inventory.Family
	ToAddr    netip.Addr // of snat and dnat
	ToPort    uint16     // of redirect; of dnat 0 to keep the port
	Comment   string
	Place     inventory.Place
}

// Raw is text for this host that a backend gets as it is. Texts are of lines that
// are neither blank nor comments.
type Raw struct {
	Chain           string // input, output, forward; "" outside of chains
	At              string // before-allow, before-default, table
	Nft, IPv4, IPv6 []string
	Place           inventory.Place
}

// Peer is a group of addresses under a stable name. A peer of kind Any holds
// the whole of both families; it stands in Management, and in To of a dnat that
// says any. Elsewhere any is an empty list.
type Peer struct {
	Kind   PeerKind
	Name   string                // set, host, role or group name; "" for literals and any
	Net    string                // for hosts, roles and groups: the net after "@", "" for all nets
	V4, V6 []inventory.AddrRange // merged, sorted, never overlapping
}

// PeerKind tells where a peer's addresses come from. Its stable name in a
// ruleset is derived from kind, name, net and family.
type PeerKind string

const (
	Any       PeerKind = "any"
	Literal   PeerKind = "literal"
	SetPeer   PeerKind = "set"
	HostPeer  PeerKind = "host"
	RolePeer  PeerKind = "role"
	GroupPeer PeerKind = "group"
)

// Direction is the chain a packet passes.
type Direction string

const (
	Input   Direction = "input"   // arriving for the host itself
	Output  Direction = "output"  // sent by the host itself
	Forward Direction = "forward" // arriving for somebody else
	// Published is arriving for the host and handed on by the nat of somebody else.
	Published Direction = "published"
)

// Directions are all there are.
var Directions = [...]Direction{Input, Output, Forward, Published}

// Rules are the rules of a direction.
func (p Policy) Rules(d Direction) []Rule {
	switch d {
	case Output:
		return p.Out
	case Forward:
		return p.Forward
	case Published:
		return p.Published
	}
	return p.In
}

// AllRules are the rules of every direction.
func (p Policy) AllRules() []Rule {
	return slices.Concat(p.In, p.Out, p.Forward, p.Published)
}

// Default is what a direction does with packets that no rule decides.
func (p Policy) Default(d Direction) inventory.Verdict {
	switch {
	case d == Output:
		return p.Outbound
	case d == Forward && !p.Forwards, d == Published && !p.Publishes:
		return inventory.Accept
	}
	return p.Inbound
}

// Refusal is the verdict of a deny: what the chain does with packets that no rule
// decides. Where that is accept (outbound only) a deny rejects, so that a local
// program fails at once and not after a timeout.
func (p Policy) Refusal(d Direction) inventory.Verdict {
	if v := p.Default(d); v != inventory.Accept {
		return v
	}
	return inventory.Reject
}

// VerdictOf is what a rule does with a packet it matches.
func (p Policy) VerdictOf(d Direction, r Rule) inventory.Verdict {
	switch r.Verb {
	case inventory.AllowVerb:
		return inventory.Accept
	case inventory.DropVerb:
		return inventory.Drop
	case inventory.RejectVerb:
		return inventory.Reject
	}
	return p.Refusal(d)
}

// LeftIn is the one family in which what a rule refers to has left it, "" for a rule
// of both and for one that says its family.
func (r Rule) LeftIn() string {
	switch v4, v6 := r.families(); {
	case r.Family != inventory.BothFamilies || v4 == v6:
		return ""
	case v4:
		return "IPv4"
	}
	return "IPv6"
}

// families reports for which families a rule matches anything.
func (r Rule) families() (v4, v6 bool) {
	from4, from6 := familiesOf(r.From)
	to4, to6 := familiesOf(r.To)
	t4, t6 := r.Traffic.families()
	return r.Family != inventory.IPv6 && t4 && from4 && to4, r.Family != inventory.IPv4 && t6 && from6 && to6
}

// families reports over which families the traffic can go.
func (t Traffic) families() (v4, v6 bool) {
	both := t.All || len(t.Ports)+len(t.Protos) > 0
	return both || len(t.ICMP) > 0, both || len(t.ICMPv6) > 0
}
