package inventory

import (
	"net/netip"
	"slices"
	"time"

	"fwpush/inventory/internal/source"
)

// Fleet is a fleet file as written: defaults are merged into Hosts, names are
// not resolved. It is immutable once loaded.
type Fleet struct {
	Path       string // as the user named it
	Name       string // key "fleet", the owner stamp on hosts; "default" if absent
	Defaults   Settings
	Management Management
	Sets       map[string]Set
	Services   map[string]Service
	Roles      map[string]Role
	Hosts      []Host // natural order of names (web2 before web10)
	Rollout    Rollout

	source *source.Doc // for Annotate
}

// Annotate returns findings with the line of the fleet file and the width of
// what is written at their place, for those that lack them. Findings at a place
// in another file stay as they are.
func (f *Fleet) Annotate(ps Problems) Problems {
	out := slices.Clone(ps)
	for i, p := range out {
		if f.source == nil || p.Place.File != f.Path || p.Place.Line == 0 || p.Source != "" {
			continue
		}
		out[i].Source = f.source.Line(p.Place.Line)
		out[i].Width = f.source.SpanAt(p.Place.Line, p.Place.Col).Width
	}
	return out
}

// Verdict is what a chain's default or a rule does with a packet.
type Verdict string

const (
	Accept Verdict = "accept"
	Drop   Verdict = "drop"
	Reject Verdict = "reject"
)

// Settings are the scalars that [defaults], roles and hosts share. A nil
// pointer means "not written here": such a level does not vote.
type Settings struct {
	Inbound    *At[Verdict] // drop | reject
	Outbound   *At[Verdict] // accept | reject | drop
	Log        *At[Log]
	Ping       *At[bool]
	DHCPClient *At[bool]
	Antispoof  *At[bool]
}

// Log says whether refused packets are logged, and with which prefix
// ("" means the default one, fwpush-<chain>-<verdict>).
type Log struct {
	On     bool
	Prefix string
}

// Management is the lock-out guard: who may always reach SSH.
type Management struct {
	Place         Place
	From          []At[string] // addresses, "set:x", "host:x", "role:x@net"
	AllowAny      bool
	Controller    []At[netip.Addr]
	FailsafePorts []At[uint16]
}

// Set is a named list of addresses of both families.
type Set struct {
	Name       string
	Place      Place
	Addresses  []At[AddrRange]
	AllowEmpty bool
}

// AddrRange is a closed range of addresses of one family; an address or a
// prefix is a range too.
type AddrRange struct {
	From, To netip.Addr
}

// Service is a named list of ports.
type Service struct {
	Name  string
	Place Place
	Ports []At[PortRange]
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
	In, Out  []Rule
}

// Rule is one entry of in or out: exactly one verb, and whom it concerns.
type Rule struct {
	Place      Place
	Deny       bool         // deny, else allow
	Services   []At[string] // service names or literals such as "tcp/8443"
	From       []At[string] // peers; empty means any
	To         []At[string]
	AllowEmpty bool
	Comment    At[string]
	Owner      At[string]
	Ticket     At[string]
}

// Host is one machine of the fleet. Roles and SSH already hold the defaults.
type Host struct {
	Name      string
	Place     Place
	Roles     []At[string]
	Addresses []Net // in the order written; a plain list is the net ""
	SSH       Endpoint
	SSHDPorts []At[uint16] // ports sshd listens on as the host sees them; never empty
	Settings  Settings     // the host's own, without defaults
	In, Out   []Rule
}

// Net is the addresses a host has in one of its networks.
type Net struct {
	Name      string // "" for a plain address list
	Place     Place
	Addresses []At[netip.Addr]
}

// Endpoint is how a host is reached. transport knows this type and nothing
// else of the fleet.
type Endpoint struct {
	Name           string // the host's name in the fleet, for messages
	Place          Place
	Address        string // IP literal or a name to resolve
	Port           uint16
	User           string   // "" as ssh would choose
	Identity       []string // key files; empty: the agent, then ~/.ssh/id_*
	KnownHosts     []string // empty: ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts
	Become         string   // "none" | "sudo"
	ConnectTimeout time.Duration
}

// Rollout is how a run walks through the fleet.
type Rollout struct {
	Window   time.Duration // the revert fires no earlier than this after it was armed
	Parallel int
}
