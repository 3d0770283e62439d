package roles

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"fwpush/inventory"
)

// maxDerived keeps a name that is made within what a written one may have.
const maxDerived = 24

// nameRules gives every rule without a name one that is made of what it says:
// "ssh", "tcp-8443". Where several would have the same, each gets a digest of all
// it says behind it, so that a name never depends on another rule's place.
func nameRules(p *Policy) {
	taken := map[string]int{}
	lists := [][]Rule{p.In, p.Out, p.Forward, p.Published}
	for i, list := range lists {
		for _, r := range list {
			if !r.Counted {
				taken[inRuleset(derived(i, r))]++
			} else {
				taken[inRuleset(r.Name)]++
			}
		}
	}
	for i, list := range lists {
		for j := range list {
			if r := &list[j]; !r.Counted {
				name := derived(i, *r)
				if taken[inRuleset(name)] > 1 {
					name += "-" + digestOf(i, *r)
				}
				r.Name = name
			}
		}
	}
}

// inRuleset is a name as rulesets write it: names that are one there are one.
func inRuleset(name string) string { return strings.ReplaceAll(name, "-", "_") }

func derived(list int, r Rule) string {
	words := []string{}
	if !r.Allows() {
		words = append(words, string(r.Verb))
	}
	if prefix := []string{"", "out", "fwd", "pub"}[list]; prefix != "" {
		words = append(words, prefix)
	}
	words = append(words, r.Traffic.words()...)
	name := strings.Join(words, "-")
	if len(name) > maxDerived {
		name = strings.TrimRight(name[:maxDerived], "-")
	}
	return name
}

// words name traffic as short as can be.
func (t Traffic) words() []string {
	if t.All {
		return []string{"all"}
	}
	var words []string
	for _, p := range t.Ports {
		word := fmt.Sprintf("%s-%d", p.Proto, p.From)
		if p.To != p.From {
			word += fmt.Sprintf("-%d", p.To)
		}
		words = append(words, word)
	}
	if len(t.ICMP) > 0 || len(t.ICMPv6) > 0 {
		switch echo := pingTraffic(); {
		case compareTraffic(Traffic{ICMP: t.ICMP, ICMPv6: t.ICMPv6}, echo) == 0:
			words = append(words, "ping")
		case len(t.ICMP) == 0:
			words = append(words, "icmpv6")
		default:
			words = append(words, "icmp")
		}
	}
	for _, p := range t.Protos {
		words = append(words, inventory.ProtoName(p))
	}
	return words
}

// String is traffic in the words of a fleet file: "tcp/80, tcp/443, ping".
func (t Traffic) String() string {
	words := Traffic{All: t.All, ICMP: t.ICMP, ICMPv6: t.ICMPv6, Protos: t.Protos}.words()
	var ports []string
	for _, p := range t.Ports {
		word := fmt.Sprintf("%s/%d", p.Proto, p.From)
		if p.To != p.From {
			word += fmt.Sprintf("-%d", p.To)
		}
		ports = append(ports, word)
	}
	return strings.Join(append(ports, words...), ", ")
}

// digestOf tells rules apart that have the same words.
//
// Names of peers count and not what they stand for, so that a rule keeps its name
// when a host gets another address.
func digestOf(list int, r Rule) string {
	peers := func(list []Peer) (out []string) {
		for _, p := range list {
			if out = append(out, p.String()); p.Kind == Literal {
				out = append(out, fmt.Sprint(p.V4, p.V6))
			}
		}
		return out
	}
	text := fmt.Sprintf("%d %q %v %q %q %q %q %q %v %d %v %v %q %v", list, r.Verb, r.Traffic, peers(r.From), peers(r.To),
		r.InIfaces, r.OutIfaces, r.Family, r.Rate, r.MaxConns, r.Log, r.Expires.Unix(),
		[]string{r.Comment, r.Owner, r.Ticket}, r.Helpers)
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:6]
}
