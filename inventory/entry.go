package inventory

import (
	"net/netip"
	"time"
)

// Set is a named list of addresses of both families: literal ones, those of its
// file among them, references, and names that are looked up.
type Set struct {
	Name       string
	Place      Place
	Addresses  []At[AddrRange] // merged and sorted
	Refs       []At[string]    // "set:x", "host:x", "role:x@net", "group:x"
	Names      []At[string]    // DNS names
	Resolved   []Lookup        // what Names stand for, once Resolve has looked
	AllowEmpty bool
}

// Lookup is a DNS name of a set and the addresses it had, sorted.
type Lookup struct {
	Name      At[string]
	Addresses []netip.Addr
}

// AddrRange is a closed range of addresses of one family; an address or a
// prefix is a range too.
type AddrRange struct {
	From, To netip.Addr
}

// Service is a named list of what connections are made of.
type Service struct {
	Name         string
	Place        Place
	Ports        []At[PortRange]
	ICMP, ICMPv6 []At[uint8] // types
	Protos       []At[uint8] // IP protocols without ports
	Include      []At[string]
	Helper       At[string]
	Override     bool // of the built-in service of this name
}

// PortRange is a closed range of ports of one transport protocol ("tcp",
// "udp", "sctp").
type PortRange struct {
	Proto    string
	From, To uint16
}

// Role is a named list of rules, as written.
type Role struct {
	Name     string
	Place    Place
	Extends  []At[string]
	Settings Settings
	Rules
}

// Rules are the lists that roles and hosts share.
type Rules struct {
	In, Out, Forward []Rule
	// Forwards tells that forward is written, if only as an empty list: what no
	// rule lets through is refused then.
	Forwards bool
	// Published are rules for ports that somebody else's nat hands on to a container.
	// Publishes tells that the list is written, as Forwards does of forward.
	Published []Rule
	Publishes bool
	NAT       []NAT
	Probes    []Probe
}

// Rule is one entry of in, out, forward or published: exactly one verb, and whom it
// concerns.
type Rule struct {
	Place      Place
	Verb       Verb
	Services   []At[string] // service names or literals such as "tcp/8443"
	From       []At[string] // peers; empty means any
	To         []At[string]
	InIfaces   []At[string] // aliases or names; empty means any. iface of in and published
	OutIfaces  []At[string] // iface of out
	Family     Family
	Rate       At[Rate] // the zero Rate is no limit
	MaxConns   At[int]  // 0 is no limit
	Log        Log
	Expires    At[time.Time] // the first moment after its last day, UTC; zero for never
	AllowEmpty bool
	Name       At[string]
	Comment    At[string]
	Owner      At[string]
	Ticket     At[string]
}

// Verb is what a rule does with a packet it matches.
type Verb string

const (
	AllowVerb  Verb = "allow"
	DenyVerb   Verb = "deny" // refuses as its chain does by default
	DropVerb   Verb = "drop"
	RejectVerb Verb = "reject"
)

// Family restricts a rule to one address family.
type Family string

const (
	BothFamilies Family = ""
	IPv4         Family = "ipv4"
	IPv6         Family = "ipv6"
)

// Rate is a limit of new connections. The zero Rate is none.
type Rate struct {
	N     int
	Per   time.Duration // a second, a minute, an hour or a day
	Scope Scope
	Burst int // how many at once; never 0 with an N
}

// Scope says what a rate counts together. IPv6 sources are /64 networks.
type Scope string

const (
	PerSource Scope = "source" // an address, of IPv6 a /64
	PerNet    Scope = "net"    // a /24, of IPv6 a /56
	Global    Scope = "global"
)

// NAT is one entry of nat.
type NAT struct {
	Place      Place
	Kind       NATKind
	ToAddr     netip.Addr // of snat and dnat
	ToPort     uint16     // of redirect; of dnat 0 to keep the port
	From, To   []At[string]
	InIfaces   []At[string]
	OutIfaces  []At[string]
	Services   []At[string] // dport
	Family     Family
	AllowEmpty bool
	Comment    At[string]
}

// NATKind is what is translated, and into what.
type NATKind string

const (
	Masquerade NATKind = "masquerade"
	SNAT       NATKind = "snat"
	DNAT       NATKind = "dnat"
	Redirect   NATKind = "redirect"
)

// Probe is something that must work, or fail, before a change is confirmed.
type Probe struct {
	Place   Place
	Kind    string     // tcp, http, ssh, run
	Port    uint16     // of tcp
	Text    string     // URL or path, family, or shell text
	From    At[string] // "controller" or "host:NAME"
	Host    At[string] // what is probed, "" for the host itself
	Fails   bool       // the probe must fail
	Status  int        // of http; 0 for any that is no error
	Timeout time.Duration
	Become  bool
}

// Raw is text that reaches a backend as it is.
type Raw struct {
	Place           Place
	Hosts           []At[string] // patterns
	Roles           []At[string]
	Chain           string // input, output, forward; "" with At "table"
	At              string // before-allow, before-default, table
	Nft, IPv4, IPv6 At[string]
}

// Test says what must be allowed and denied.
type Test struct {
	Place             Place
	Name              At[string]
	From, To          []At[string] // as in rules, and "internet" and "controller"
	Allow, Deny       []At[string] // services
	Family            Family
	Via               At[string] // host
	InIface, OutIface At[string]
	Published         bool // packets are handed on by the nat of somebody else
	RawOK             bool
}
