package verdict

import (
	"fmt"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
)

// Undecided is the verdict on packets that raw text may decide otherwise, or that come
// from an address that the file does not say.
const Undecided inventory.Verdict = "undecided"

// Stage is the part of a chain that decides, in the order of the chain.
type Stage string

const (
	Management Stage = "management"
	Translated Stage = "dnat" // sent on by nat, or to another port of the host
	Loopback   Stage = "loopback"
	Antispoof  Stage = "antispoof"
	ICMPCore   Stage = "icmp"
	State      Stage = "state" // not the first packet of anything
	DHCP       Stage = "dhcp"
	IGMP       Stage = "igmp"
	Deny       Stage = "deny"
	Raw        Stage = "raw"
	Lifeline   Stage = "lifeline"
	Ping       Stage = "ping"
	Allow      Stage = "allow"
	Default    Stage = "default"
	Open       Stage = "open" // the chain refuses nothing
)

// Outcome is what becomes of packets.
type Outcome struct {
	Packets   space.Box       // as they came, before any nat of the host
	Direction roles.Direction // of the chain that decides, which nat may have led them to
	Verdict   inventory.Verdict
	Stage     Stage
	Rule      *roles.Rule // that decided; nil at other stages than Deny and Allow
	NAT       *roles.NAT  // that translated them before; nil for none
	// Place is where the fleet file says so; the zero Place for what it leaves to
	// fwpush.
	Place inventory.Place
	by    string
	limit string
}

// Why is the reason in the words of the fleet file: "rule ssh", "outbound drop".
func (o Outcome) Why() string { return o.by }

// Limited is the limit of what has accepted the packets, "" for none.
func (o Outcome) Limited() string { return o.limit }

// limitOf is the limit of a rule in words.
func limitOf(r roles.Rule) string {
	switch {
	case !r.Allows():
		return ""
	case r.Rate.N > 0 && r.MaxConns > 0:
		return fmt.Sprintf("%s, at most %d at once", r.Rate, r.MaxConns)
	case r.Rate.N > 0:
		return r.Rate.String()
	case r.MaxConns > 0:
		return fmt.Sprintf("at most %d at once", r.MaxConns)
	}
	return ""
}

// Unsure is the outcome of packets that the file does not say enough about.
func Unsure(d roles.Direction, packets space.Box, place inventory.Place, why string) Outcome {
	return Outcome{Packets: packets, Direction: d, Verdict: Undecided, Stage: Translated, Place: place, by: why}
}

// Decided are the outcomes of one verdict.
func Decided(list []Outcome, v inventory.Verdict) []Outcome {
	var out []Outcome
	for _, o := range list {
		if o.Verdict == v {
			out = append(out, o)
		}
	}
	return out
}
