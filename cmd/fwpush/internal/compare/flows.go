package compare

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/roles"
	"fwpush/roles/meaning"
	"fwpush/roles/space"
)

// flow is one way that a change opens or closes.
type flow struct {
	kind      meaning.Kind
	direction roles.Direction
	what      string // services
	ends      string // "from set:ops"
}

// flowsOf is what a change means, by the policy that the host keeps of what it last
// confirmed, and what to know of hosts that are not selected. The error says why
// that cannot be told.
func flowsOf(t rollout.Target, f commit.Facts, others Others) (list []flow, beside string, err error) {
	if f.PolicySame || f.Generation == 0 || t.Candidate.Remove {
		return nil, "", nil
	}
	old, differences, err := changes(t.Policy, f.Policy)
	if err != nil {
		return nil, "", fmt.Errorf("what it opens and closes cannot be told: %w", err)
	}
	names := naming(old, t.Policy)
	for _, c := range differences {
		list = append(list, flow{c.Kind, c.Direction, report.KeyText(c.Packets.Key, c.Packets.V6()), names.ends(c)})
	}
	return united(list), others.note(differences), nil
}

// changes compares a policy with the one that a host keeps.
func changes(now roles.Policy, kept string) (old roles.Policy, list []meaning.Change, err error) {
	if kept == "" {
		return old, nil, errors.New("the host keeps no policy of what it confirmed")
	}
	if old, err = meaning.Recall(kept); err == nil {
		list, err = meaning.Diff(old, now)
	}
	return old, list, err
}

// united makes one flow of those that differ in their service only, and of two
// families from anybody.
func united(list []flow) []flow {
	var out []flow
	for _, f := range list {
		i := slices.IndexFunc(out, func(o flow) bool { return o.kind == f.kind && o.direction == f.direction && o.ends == f.ends })
		if i < 0 {
			out = append(out, f)
			continue
		}
		have := strings.Split(out[i].what, ", ")
		for word := range strings.SplitSeq(f.what, ", ") {
			if !slices.Contains(have, word) {
				have = append(have, word)
			}
		}
		out[i].what = strings.Join(have, ", ")
	}
	return out
}

// String is a flow in words, without the hosts.
func (f flow) String() string {
	word := map[meaning.Kind]string{meaning.Opened: "newly open", meaning.Closed: "newly closed", meaning.Unclear: "up to raw text, before or now",
		meaning.Rewrite: "raw text changed, and decides"}[f.kind]
	switch f.direction {
	case roles.Output:
		word += " out"
	case roles.Forward:
		word += " through"
	case roles.Published:
		word += " to published ports"
	}
	return fmt.Sprintf("%s: %s %s", word, f.what, f.ends)
}

// labels are what the file calls addresses, by the first of them.
type labels map[netip.Addr][]label

type label struct {
	name  string
	addrs space.Addrs
}

// naming are the names of a policy before and after its change. Of names of the same
// addresses the first is taken.
func naming(policies ...roles.Policy) labels {
	names := labels{}
	add := func(a space.Addrs, name string) {
		if len(a) == 0 {
			return
		}
		same := slices.IndexFunc(names[a[0].From], func(l label) bool { return l.addrs.Equal(a) })
		if same < 0 {
			names[a[0].From] = append(names[a[0].From], label{name, a})
			return
		}
		l := &names[a[0].From][same]
		l.name = min(l.name, name)
	}
	for _, p := range policies {
		seen := map[string]bool{} // thousands of rules may name the same ten thousand addresses
		named := func(peers []roles.Peer) {
			for _, peer := range peers {
				if name := peer.String(); peer.Kind != roles.Literal && peer.Kind != roles.Any && !seen[name] {
					seen[name] = true
					add(space.AddrsOf(peer.V4...), name)
					add(space.AddrsOf(peer.V6...), name)
				}
			}
		}
		named(p.Management.Peers)
		for _, r := range p.AllRules() {
			named(r.From)
			named(r.To)
		}
	}
	return names
}

// addresses are what the file calls them, or themselves; "any" for a whole family.
func (n labels) addresses(a space.Addrs) string {
	if a.Equal(space.Everyone(a[0].From.Is6())) {
		return "any"
	}
	for _, l := range n[a[0].From] {
		if l.addrs.Equal(a) {
			return l.name
		}
	}
	return space.AddrsText(a)
}

// ends says between whom the packets of a change go. Of the host's own side nothing
// is said where it is all of its addresses.
func (n labels) ends(c meaning.Change) string {
	b := c.Packets
	from, to := "from "+n.addresses(b.Src), "to "+n.addresses(b.Dst)
	var parts []string
	switch {
	case (c.Direction == roles.Input || c.Direction == roles.Published) && to == "to any":
		parts = []string{from}
	case c.Direction == roles.Output && from == "from any":
		parts = []string{to}
	default:
		parts = []string{from, to}
	}
	if len(b.SrcPort) == 1 && b.SrcPort[0].From == b.SrcPort[0].To {
		parts = append(parts, fmt.Sprintf("with source port %d", b.SrcPort[0].From))
	}
	parts = append(parts, b.Interfaces()...)
	return strings.Join(parts, " ")
}

// mostFlows is how many are written out for a group of hosts.
const mostFlows = 20

// flowLines are the flows of hosts, one a line.
func flowLines(list []flow, hosts string) []string {
	var lines []string
	for i, f := range list {
		if i == mostFlows {
			return append(lines, fmt.Sprintf("and %d more", len(list)-mostFlows))
		}
		lines = append(lines, fmt.Sprintf("%s on %s", f, hosts))
	}
	return lines
}
