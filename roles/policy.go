package roles

import (
	"net/netip"

	"fwpush/inventory"
)

// Policy is what one host shall enforce. It is complete: rendering it needs
// nothing else. Order carries no meaning anywhere in it; Compile sorts.
type Policy struct {
	Host       string
	Management Management
	Inbound    inventory.Verdict // Drop or Reject, for what no rule decides
	Outbound   inventory.Verdict // Accept, Drop or Reject
	Log        inventory.Log
	Ping       bool
	DHCPClient bool
	Antispoof  bool
	In, Out    []Rule
	// Lifelines are what a closed outbound lets out to everywhere all the same:
	// dns and ntp, each unless an allow in `out` of the host or its roles names
	// a port of it. Such an allow takes the service over, even one that stands
	// for nobody: it is the one kind of allow that can close something. `all`
	// names nothing. Empty where outbound accepts.
	Lifelines []inventory.PortRange
	Decided   map[string]Decision // by key ("inbound", "ping", ...): who decided it
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
}

// Rule is one compiled rule: services by peers. A rule matches a family only
// if From and To both have addresses of it (or are empty).
type Rule struct {
	Deny    bool                  // refuse with Refusal, else accept
	Ports   []inventory.PortRange // merged and sorted
	All     bool                  // service "all": every protocol; Ports is empty
	Ping    bool                  // service "ping": echo-request of both families
	From    []Peer                // empty means any
	To      []Peer
	Comment string
	Owner   string
	Ticket  string
	Place   inventory.Place
}

// Peer is a group of addresses under a stable name. A peer of kind Any holds
// the whole of both families; it stands in Management only, a rule says any
// with an empty list.
type Peer struct {
	Kind   PeerKind
	Name   string                // set, host or role name; "" for literals and any
	Net    string                // for hosts and roles: the net after "@", "" for all nets
	V4, V6 []inventory.AddrRange // merged, sorted, never overlapping
}

// PeerKind tells where a peer's addresses come from. Its stable name in a
// ruleset is derived from kind, name, net and family.
type PeerKind string

const (
	Any      PeerKind = "any"
	Literal  PeerKind = "literal"
	SetPeer  PeerKind = "set"
	HostPeer PeerKind = "host"
	RolePeer PeerKind = "role"
)

// Refusal is the verdict of a deny rule: what the chain does with packets that
// no rule decides. Where that is accept (outbound only) a deny rejects, so that
// a local program fails at once and not after a timeout.
func (p Policy) Refusal(d Direction) inventory.Verdict {
	v := p.Inbound
	if d == Output {
		v = p.Outbound
	}
	if v == inventory.Accept {
		return inventory.Reject
	}
	return v
}
