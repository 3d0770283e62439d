package render

import (
	"time"

	"go4.org/netipx"

	"fwpush/inventory"
	"fwpush/roles"
)

// program is a ruleset before it is said in the words of a backend: its chains,
// with what they name. Both printers say all of it, or refuse.
type program struct {
	sets     []addressSet
	meters   []meter
	counters []string // of rules that the fleet file names
	helpers  []helper
	table    []stmt // raw text of the table
	chains   []chain
}

// addressSet is a named set of addresses of one family.
type addressSet struct {
	stem   string
	family family
	ranges []netipx.IPRange
}

// meter is a set that packets fill: who has sent how much, or has how many
// connections open.
type meter struct {
	name    string
	family  family
	timeout time.Duration // 0: the kernel knows when an element is not needed
}

// helper is a connection tracking helper.
type helper struct{ kind, proto string }

func (h helper) name() string { return "h_" + word(h.kind) + "_" + h.proto }

// chain is a list of statements. One with a hook is where packets come in.
type chain struct {
	name  string
	hook  hook
	stmts []stmt
}

// hook is where a base chain stands; the zero hook is none.
type hook struct {
	kind, name, priority string
	policy               inventory.Verdict
}

func (c *chain) add(stmts ...stmt) { c.stmts = append(c.stmts, stmts...) }

// stmt is one statement: what it matches, and what it does.
type stmt struct {
	cond
	meter   *limit
	log     string // prefix of a message, at most so often; "" for none
	count   bool
	counter string // named counter
	do      action
	comment string
	places  []inventory.Place
	raw     *roles.Raw // text instead of all this
}

// cond is what a packet must be like. Its parts are all needed; a part that is not
// set matches everything.
type cond struct {
	family   family
	in, out  []string // interfaces
	cast     cast
	spoofed  bool // its source is an address of this host
	local    bool // its destination is
	src, dst operand
	proto    string // tcp, udp, sctp
	ports    []inventory.PortRange
	asked    bool // ports are those of the connection's first packet, before nat
	sport    []uint16
	types    []uint8 // of the ICMP of family
	protos   []uint8
	hops     int
	state    state
	until    time.Time
}

// operand is addresses: a set, or one range. The zero operand is everything.
type operand struct {
	stem  string
	one   netipx.IPRange
	given bool
}

// cast tells packets apart by whom they are for.
type cast int

const (
	anyCast  cast = iota
	hostCast      // the host itself
	manyCast      // multicast and broadcast, as the packet came
)

// state is what connection tracking says.
type state int

const (
	anyState   state = iota
	known            // a known connection is accepted, what is invalid dropped: a statement of its own
	knownOpen        // the same, and nothing dropped
	translated       // nat has sent it here
	handedOn         // the first of a connection that nat has sent here
)

// action is what a statement does.
type action struct {
	kind actionKind
	to   string // chain, kind of helper or address
	port uint16
}

type actionKind int

const (
	nothing  actionKind = iota
	accept              // the packet passes
	leave               // the packet passes as far as this base chain is concerned
	back                // the chain that jumped here goes on
	drop                // the packet is gone
	reset               // a connection of TCP is reset
	answer              // the sender is told that it is prohibited
	jump                // another chain is asked
	jumpTo              // another chain decides
	assist              // a helper watches the connection
	masqed              // source becomes the address of the interface
	snat                // source becomes an address
	dnat                // destination becomes an address
	redirect            // destination becomes this host
)

// limit refuses what is over a rate or a number of connections.
type limit struct {
	name  string
	rate  inventory.Rate
	conns int
}

// placedAt gives statements the place they follow from.
func placedAt(places []inventory.Place, stmts ...stmt) []stmt {
	for i := range stmts {
		stmts[i].places = places
	}
	return stmts
}

func accepting(c cond) stmt { return stmt{cond: c, do: action{kind: accept}} }

func dropping(c cond) stmt { return stmt{cond: c, count: true, do: action{kind: drop}} }

// icmpTypes is a match of types of one family's ICMP.
func icmpTypes(f family, types ...uint8) cond { return cond{family: f, types: types} }
