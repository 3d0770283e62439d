package query

import (
	"fmt"
	"slices"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/expect"
	"fwpush/roles/space"
)

// Names are what a question and the rules that answer it call addresses, those of the
// question first.
type Names []named

type named struct {
	word  string
	addrs space.Addrs
}

// add has the addresses of both families under a word. What is written as addresses, or
// as any, has no other name.
func (n *Names) add(word string, families ...space.Addrs) {
	for _, a := range families {
		if !a.Empty() && !slices.ContainsFunc(*n, func(o named) bool { return o.addrs.Equal(a) }) {
			*n = append(*n, named{word, a})
		}
	}
}

func (n *Names) addEnds(ends []roles.End) {
	words := map[string][2]space.Addrs{}
	var order []string
	for _, e := range ends {
		sum, known := words[e.Word]
		if !known {
			order = append(order, e.Word)
		}
		for _, net := range e.Nets {
			sum[0], sum[1] = sum[0].Union(expect.Addrs(net, false)), sum[1].Union(expect.Addrs(net, true))
		}
		words[e.Word] = sum
	}
	for _, w := range order {
		if _, err := inventory.ParseAddrRange(w); err != nil && w != "any" {
			n.add(w, words[w][0], words[w][1])
		}
	}
}

func (n *Names) addPolicy(p roles.Policy) {
	peers := slices.Clone(p.Management.Peers)
	for _, r := range p.AllRules() {
		peers = slices.Concat(peers, r.From, r.To)
	}
	for _, peer := range peers {
		if peer.Name != "" {
			n.add(peer.String(), space.AddrsOf(peer.V4...), space.AddrsOf(peer.V6...))
		}
	}
}

// short is how many ranges are written out beside their name.
const short = 2

// Say calls addresses by name, with the addresses where they are few; those of a name
// but for a few as such.
func (n Names) Say(a space.Addrs) string {
	for _, k := range n {
		switch {
		case !k.addrs.Equal(a):
		case len(a) > short:
			return k.word
		default:
			return fmt.Sprintf("%s (%s)", k.word, space.AddrsText(a))
		}
	}
	for _, k := range n {
		if rest := k.addrs.Minus(a); len(rest) <= short && len(a) > short && k.addrs.Covers(a) {
			return fmt.Sprintf("%s but %s", k.word, space.AddrsText(rest))
		}
	}
	return space.AddrsText(a)
}
