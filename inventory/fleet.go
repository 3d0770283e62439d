package inventory

import (
	"net/netip"
	"slices"
	"time"

	"fwpush/inventory/internal/source"
)

// Fleet is a fleet file with the files it includes, as written: defaults are
// merged into Hosts, names are not resolved. It is immutable once loaded.
type Fleet struct {
	Path string // as the user named it
	// Digest is "sha256:" and the hex digest of the file and all files it includes or
	// reads, under their names; "" if it was not read from a file.
	Digest     string
	Files      []string // the same files, sorted
	Name       string   // key "fleet", the owner stamp on hosts; "default" if absent
	Defaults   Settings
	Management Management
	Sets       map[string]Set
	Services   map[string]Service
	Roles      map[string]Role
	Hosts      []Host // natural order of names (web2 before web10)
	Groups     map[string]Group
	Raw        []Raw
	Tests      []Test
	Rollout    Rollout
	LeftOut    LeftOut
	// ReadAt is when the file was read: a rule that had expired by then is left
	// out of rulesets. The zero time is before every date.
	ReadAt time.Time

	sources map[string]func() *source.Doc // by file, for Annotate
}

// LeftOut is what has a mistake and is therefore in no list, as far as it was
// understood: the names in it can be looked up all the same, so that a second
// mistake does not wait for the first to be mended.
type LeftOut struct {
	Rules  []Rule
	NAT    []NAT
	Probes []Probe
	Raw    []Raw
	Tests  []Test
}

// Annotate returns findings with the line of the file they are about, the width
// of what is written at their place and the key it belongs to, for those that
// lack them. Findings at a place in a file that is none of this fleet's stay as
// they are.
func (f *Fleet) Annotate(ps Problems) Problems {
	out := slices.Clone(ps)
	docs := map[string]*source.Doc{}
	for _, p := range ps {
		if p.Place.Line == 0 || p.Source != "" && p.Key != "" {
			continue // the file has nothing to say to that
		}
		if again := f.sources[p.Place.File]; again != nil && docs[p.Place.File] == nil {
			docs[p.Place.File] = again()
		}
	}
	out.findKeys(docs)
	for i, p := range out {
		doc := docs[p.Place.File]
		if doc == nil || p.Place.Line == 0 || p.Place.Of != "" || p.Source != "" {
			continue
		}
		out[i].Source = doc.Line(p.Place.Line)
		out[i].Width = doc.SpanAt(p.Place.Line, p.Place.Col).Width
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
	Ping       *At[Ping]
	DHCPClient *At[bool]
	Antispoof  *At[bool]
	IGMP       *At[bool]
	AcceptRA   *At[bool]
	SendsRA    *At[bool]
}

// Log says whether packets are logged, and with which prefix ("" means the
// default one: fwpush-<chain>-<verdict> for what is refused, fwpush-<name> for
// what a rule matches).
type Log struct {
	On     bool
	Prefix string
}

// Ping says whether echo requests are accepted, and how many.
type Ping struct {
	On   bool
	Rate Rate // the zero Rate is no limit
}

// Management is the lock-out guard: who may always reach SSH.
type Management struct {
	Place         Place
	From          []At[string] // addresses, "set:x", "host:x", "role:x@net"
	AllowAny      bool
	Controller    []At[netip.Addr]
	FailsafePorts []At[uint16]
}

// Host is one machine of the fleet. Roles, SSH, Backend, Timers and Mode already
// hold the defaults.
type Host struct {
	Name      string
	Place     Place
	Roles     []At[string]
	Addresses []Net            // in the order written; a plain list is the net ""
	Shared    []At[netip.Addr] // of its addresses those that other hosts may have
	Ifaces    map[string]At[string]
	Labels    map[string]string
	Unmanaged bool // an entry of the address book, never pushed
	Coexist   []At[string]
	SSH       Endpoint
	SSHDPorts []At[uint16] // ports sshd listens on as the host sees them; never empty
	Settings  Settings     // the host's own, without defaults
	Backend   Backend
	Timers    At[int]    // independent timers that must be proved
	Mode      At[string] // coexist | exclusive
	Rules
}

// Addrs are all addresses of the host, in the order written.
func (h Host) Addrs() []netip.Addr {
	var list []netip.Addr
	for _, n := range h.Addresses {
		for _, a := range n.Addresses {
			list = append(list, a.V)
		}
	}
	return list
}

// Backend is what loads rules on a host.
type Backend string

const (
	Auto     Backend = "auto"
	Nftables Backend = "nftables"
	Iptables Backend = "iptables"
)

// Net is the addresses a host has in one of its networks.
type Net struct {
	Name      string // "" for a plain address list
	Place     Place
	Addresses []At[netip.Addr]
}

// Group is hosts that are listed or matched.
type Group struct {
	Name  string
	Place Place
	Hosts []At[string]      // patterns
	Match map[string]string // labels, all of which a host must have; empty matches none
}

// Endpoint is how a host is reached. transport knows this type and nothing
// else of the fleet.
//
// As it is loaded it holds what the fleet file writes, and defaults. What ssh_config adds
// is put in by transport/sshconfig before the first connection; the fields that only it
// sets are as ssh_config(5) has them.
type Endpoint struct {
	Name       string // the host's name in the fleet, for messages
	Outside    bool   // a jump host that no verb selects: unmanaged, or no host of the fleet; then Name is how it was written
	Place      Place
	Address    string // IP literal or a name to resolve
	Port       uint16
	User       string   // "" as ssh would choose
	Identity   []string // key files; empty: the agent, then ~/.ssh/id_*
	KnownHosts []string // empty: those that ssh reads, ~/.ssh/known_hosts first
	Become     string   // "none" | "sudo" | "doas" | "su"
	Jump       string   // host of the fleet, or [user@]address[:port]; "" for none
	// Via is how Jump is reached; nil for none. The way ends, even in a file in which jumps
	// go in a circle. Hosts share it: it must not be changed.
	Via            *Endpoint
	ConnectTimeout time.Duration
	JumpLogins     int // under way at a time through it, where it is a jump host; 0: 16

	HostKeyAlias  string   // looked up in known_hosts instead of address and port; "" for none
	RevokedKeys   string   // file with host keys that are never accepted (RevokedHostKeys); "": none
	HashNames     bool     // hide the names of hosts that are recorded (HashKnownHosts)
	Certificates  []string // certificate files to offer, beside those next to the keys
	OtherKeys     bool     // beside those of Identity those that the agent holds, too (IdentitiesOnly no)
	IdentityAgent string   // socket of the agent; "": SSH_AUTH_SOCK, "none": no agent
	AddressFamily string   // "": any, "inet" or "inet6"
	BindAddress   string   // this machine's end; "" for what the route says
	BindInterface string   // whose address that is; "" for any
	ProxyCommand  string   // run instead of a connection, with %h, %p and %% in it; "" for none

	// Written says where the fleet file writes a key of ssh, defaults included. What it
	// does not write is ssh's to say. Hosts may share it: it must not be changed.
	Written map[string]Place
}

// Direct reports whether connections go straight from this machine to Address.
func (e Endpoint) Direct() bool { return e.Via == nil && e.Jump == "" && e.ProxyCommand == "" }

// Slowest is how long a connection may take: of a name that is looked up here both
// families are tried, one by one, and jump hosts on the way may have to be logged in to
// anew.
func (e Endpoint) Slowest() time.Duration {
	slowest := time.Duration(0)
	for hop := &e; hop != nil; hop = hop.Via {
		slowest += hop.ConnectTimeout
		if _, err := netip.ParseAddr(hop.Address); err != nil && hop.Via == nil {
			slowest += hop.ConnectTimeout
		}
	}
	return slowest
}

// Rollout is how a run walks through the fleet.
type Rollout struct {
	Window   time.Duration // the revert fires no earlier than this after it was armed
	Parallel int

	Canary         []At[string] // patterns
	Waves          []At[int]    // percent of the hosts, cumulative; empty for all at once
	Serial         []At[string] // roles
	MaxFailures    At[Budget]
	MaxUnreachable At[Budget]
	Soak           At[time.Duration]
	OnStop         At[string] // keep | rollback; "" if not written
}

// Budget is a number of hosts, or a share of those of a run.
type Budget struct {
	Count   int
	Percent int // used if not zero
}
