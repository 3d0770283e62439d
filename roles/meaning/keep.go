package meaning

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles"
)

// kept is a policy as a host keeps it beside the rules that were made of it. A
// change of what is in it is a new version, so that none is half understood.
type kept struct {
	Version int
	// TooLarge is the digest of a policy that is not kept: one policy is not another.
	TooLarge string `json:",omitempty"`
	// Peers are all that rules name, each once, and rules have their indexes here:
	// thousands may name the same ten thousand addresses.
	Peers  []peer `json:",omitempty"`
	Policy policy `json:",omitzero"`
}

const version = 2

// mostKept bounds what a host keeps, in bytes. It comes back as one line, of which the
// transport takes a megabyte, and is worked on before anybody has looked at it.
const mostKept = 512 << 10

// Keep writes what of a policy decides packets, for Recall: one line of JSON, the same
// for the same policy. Of one that is too large it says so and which it was.
func Keep(p roles.Policy) (string, error) {
	k := kept{Version: version}
	k.Policy = k.pack(p)
	text, err := json.Marshal(k)
	if err != nil || len(text) <= mostKept {
		return string(text), err
	}
	text, err = json.Marshal(kept{Version: version, TooLarge: fmt.Sprintf("%x", sha256.Sum256(text))})
	return string(text), err
}

var (
	errTooLarge = errors.New("the policy that it confirmed is too large for it to keep")
	errVersion  = errors.New("what the host keeps of its policy is of another version of fwpush")
	errUnsound  = errors.New("what the host keeps of its policy is no policy")
)

// Recall reads what Keep has written. The text comes from a host and is taken for
// hostile: the error says that it is not understood, and then nothing is known of
// what the rules of that host meant.
func Recall(text string) (roles.Policy, error) {
	if len(text) > mostKept {
		return roles.Policy{}, errTooLarge
	}
	var k kept
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&k); err != nil || k.Version != version || d.More() {
		return roles.Policy{}, errVersion
	}
	if k.TooLarge != "" {
		return roles.Policy{}, errTooLarge
	}
	if slices.ContainsFunc(k.Peers, func(p peer) bool { return !p.sound() }) || !k.Policy.sound() {
		return roles.Policy{}, errUnsound
	}
	return k.unpack()
}

// What an honest policy of this size has less of, and what costs more than its text.
const (
	mostRules = 20_000
	mostPorts = 100 // of management
	mostName  = 255
)

func (p policy) sound() bool {
	return len(p.In)+len(p.Out)+len(p.Forward)+len(p.Published)+len(p.NAT) <= mostRules && len(p.Ports) <= mostPorts &&
		!slices.ContainsFunc(p.Addresses, func(a netip.Addr) bool { return !a.IsValid() || a.Zone() != "" })
}

// sound reports whether ranges are ranges of the family they stand in, as everything
// that reads a policy relies on.
func (p peer) sound() bool {
	return slices.Contains(kinds, p.Kind) && len(p.Name)+len(p.Net) <= mostName && soundRanges(p.V4, true) && soundRanges(p.V6, false)
}

var kinds = []roles.PeerKind{roles.Any, roles.Literal, roles.SetPeer, roles.HostPeer, roles.RolePeer, roles.GroupPeer}

func soundRanges(list []inventory.AddrRange, v4 bool) bool {
	return !slices.ContainsFunc(list, func(r inventory.AddrRange) bool {
		return !r.From.IsValid() || !r.To.IsValid() || r.From.Is4() != v4 || r.To.Is4() != v4 || r.From.Zone()+r.To.Zone() != "" || r.To.Less(r.From)
	})
}
