package render

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"fwpush/inventory"
	"fwpush/roles"
)

// Iptables renders a policy for iptables-restore and ip6tables-restore of iptables
// 1.8, in sections for their loader: sets, then one table of one family each, with
// chains of our own that the loader jumps to from the built-in ones. Without ipset
// sets are unrolled into chains. The same policy gives the same bytes.
//
// The error names the host, the place and the key: one that iptables has nothing
// for, besides what Nftables refuses.
func Iptables(p roles.Policy, ipset bool) (Ruleset, error) {
	r, err := newRenderer(p)
	if err == nil {
		err = xtRefuses(p)
	}
	if err != nil {
		return Ruleset{}, fmt.Errorf("%s: cannot be rendered for iptables: %w", p.Host, err)
	}
	pr := r.program()
	x := xtPrinter{ipset: ipset, names: map[string]string{}, made: map[string]bool{}}
	var w xtText
	w.say(line{text: strings.TrimSuffix(iptablesHead, "\n")})
	if ipset && len(pr.sets) > 0 {
		w.say(line{text: "#: ipset"})
		for _, s := range pr.sets {
			w.say(x.set(s)...)
		}
	}
	for _, table := range []string{"filter", "nat"} {
		for _, f := range families {
			w.table(f, table, x.chains(pr, f, table))
		}
	}
	return w.ruleset(), nil
}

// xtRefuses names what the file says that iptables cannot.
func xtRefuses(p roles.Policy) error {
	for _, rule := range p.AllRules() {
		if err := roles.IptablesRefuses(rule); err != nil {
			return fmt.Errorf("%s%w", prefix(rule), err)
		}
	}
	for _, raw := range p.Raw {
		switch at := prefix(roles.Rule{Place: raw.Place}); {
		case raw.Chain == "":
			return fmt.Errorf("%sraw at \"table\" cannot be had with iptables", at)
		case len(raw.IPv4) == 0 || len(raw.IPv6) == 0:
			return fmt.Errorf("%sraw lacks its text for iptables; write iptables and ip6tables", at)
		}
	}
	return nil
}

// xtPrinter says statements in the words of iptables.
type xtPrinter struct {
	ipset bool
	names map[string]string // of sets in ipset, by stem and digit
	made  map[string]bool   // the names that are declared
	bare  map[string][]string
}

// xtChain is a chain in the making.
type xtChain struct {
	name  string
	lines []line
}

// xtNames are the chains of a program as iptables knows them. The loader jumps to
// the first five.
var xtNames = map[string]string{
	"input": "FWPUSH-IN", "output": "FWPUSH-OUT", "forward": "FWPUSH-FWD", "prerouting": "FWPUSH-PRE", "postrouting": "FWPUSH-POST",
	icmpIn: "FWPUSH-ICMP-IN", icmpOut: "FWPUSH-ICMP-OUT", refuseIn: "FWPUSH-REFUSE-IN", refuseOut: "FWPUSH-REFUSE-OUT", published: "FWPUSH-PUBLISHED",
}

// maxChain is the longest name of a chain in bytes (XT_EXTENSION_MAXNAMELEN - 1).
const maxChain = 28

func xtName(chain string) string {
	if name := xtNames[chain]; name != "" {
		return name
	}
	name := "FWPUSH-L-" + strings.TrimPrefix(chain, "limit_")
	if len(name) > maxChain {
		name = name[:maxChain-9] + "-" + shortDigest(chain)
	}
	return name
}

// shortDigest is eight hex digits that tell texts apart.
func shortDigest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}

// chains are those of a table, in one family. Chains that sets are unrolled into
// come first. A chain of nat without a rule is left out: the loader would jump to it.
func (x *xtPrinter) chains(pr program, f family, table string) []xtChain {
	x.bare = map[string][]string{}
	if !x.ipset {
		for _, s := range pr.sets {
			if s.family == f {
				for _, r := range s.ranges {
					for _, p := range r.Prefixes() {
						x.bare[s.stem] = append(x.bare[s.stem], p.String())
					}
				}
			}
		}
	}
	un := unroller{chains: map[string][]string{}, known: map[unrolled]string{}}
	var out []xtChain
	for _, c := range pr.chains {
		if (c.hook.kind == "nat") != (table == "nat") {
			continue
		}
		var inside passage
		for _, s := range c.stmts {
			if s.raw != nil {
				inside.quote(xtRaw(s.raw, f), s.places)
				continue
			}
			for _, l := range x.rules(s, f, &un) {
				inside.say(line{l, s.places})
			}
		}
		if table != "nat" || len(inside.lines) > 0 {
			out = append(out, xtChain{name: xtName(c.name), lines: inside.lines})
		}
	}
	return append(un.list(), out...)
}

func xtRaw(r *roles.Raw, f family) []string {
	if f == ip6 {
		return r.IPv6
	}
	return r.IPv4
}

// set declares one set of ipset. Its name holds a digest of what is in it, so that
// a set never changes under the rules that refer to it.
func (x *xtPrinter) set(s addressSet) []line {
	var elements []string
	for _, r := range s.ranges {
		for _, p := range r.Prefixes() {
			if p.Bits() == 0 { // refused by hash:net
				low, high := halves(p)
				elements = append(elements, low, high)
				continue
			}
			elements = append(elements, p.String())
		}
	}
	const longest = 31 - len("fwp4--01234567")
	stem := strings.TrimRight(s.stem, "_")
	name := "fwp" + s.family.digit + "-" + stem[:min(len(stem), longest)] + "-" + shortDigest(strings.Join(elements, " "))
	x.names[s.stem+s.family.digit] = name
	if x.made[name] {
		return nil // two sets of much the same name, with the same in them
	}
	x.made[name] = true
	inet := map[family]string{ip4: "inet", ip6: "inet6"}[s.family]
	create := "create " + name + " hash:net family " + inet
	const standing = 65536 // elements that a set takes unasked
	if len(elements) > standing {
		create += fmt.Sprintf(" maxelem %d", len(elements))
	}
	out := []line{{text: create}}
	for _, e := range elements {
		out = append(out, line{text: "add " + name + " " + e})
	}
	return out
}

// xtText is a text in the making.
type xtText struct {
	b      strings.Builder
	n      int
	places map[int][]inventory.Place
	marker int // offset of where the version is declared
}

func (w *xtText) say(lines ...line) {
	for _, l := range lines {
		w.n++
		w.b.WriteString(l.text + "\n")
		if len(l.places) > 0 {
			if w.places == nil {
				w.places = map[int][]inventory.Place{}
			}
			w.places[w.n] = l.places
		}
	}
}

func (w *xtText) table(f family, table string, chains []xtChain) {
	if len(chains) == 0 {
		return
	}
	w.say(line{text: "#: " + xtTool(f) + " " + table}, line{text: "*" + table})
	for _, c := range chains {
		w.say(line{text: ":" + c.name + " - [0:0]"})
	}
	if f == ip4 && table == "filter" {
		w.marker = w.b.Len()
		w.n++
	}
	for _, c := range chains {
		for _, l := range c.lines {
			w.say(line{"-A " + c.name + " " + l.text, l.places})
		}
	}
	w.say(line{text: "COMMIT"})
}

func xtTool(f family) string {
	if f == ip6 {
		return "ip6tables"
	}
	return "iptables"
}

// ruleset puts the version in, which is the digest of the text without it.
func (w *xtText) ruleset() Ruleset {
	bare := w.b.String()
	sum := sha256.Sum256([]byte(bare))
	digits := hex.EncodeToString(sum[:])[:markerDigits]
	text := bare[:w.marker] + ":" + iptablesMarker + digits + " - [0:0]\n" + bare[w.marker:]
	return Ruleset{Backend: BackendIptables, Text: text, Digest: digest(text), Marker: markerPrefix + digits, Places: w.places}
}
