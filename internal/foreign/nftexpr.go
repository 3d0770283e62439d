package foreign

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
)

// nftRule reads the expressions of one rule.
type nftRule struct {
	rule  Rule
	v6    bool // the last protocol named is ICMPv6
	words []string
	maybe bool // an expression was not understood that may be what the rule does
	odd   bool // one that does something of its own beside it
}

// rules reads a rule. One that looks its verdict up in a map is as many as that has elements.
func (r *nftReader) rules(family, table, comment string, exprs []json.RawMessage) []Rule {
	n := nftRule{rule: Rule{Comment: comment}}
	var branches []Rule
	for _, raw := range exprs {
		var expr map[string]json.RawMessage
		if json.Unmarshal(raw, &expr) != nil || len(expr) != 1 {
			n.opaque(compact(raw), true)
			continue
		}
		for name, body := range expr {
			if name == "vmap" {
				branches = r.branches(&n, family+" "+table+" ", body)
				continue
			}
			n.expression(name, body)
		}
	}
	if n.odd || n.maybe && n.rule.Verdict.Kind == Continue {
		n.rule.Verdict.Kind = Unknown
	}
	text := strings.Join(n.words, " ")
	if comment != "" {
		text += " comment " + quoted(comment)
	}
	n.rule.Text = text
	for i := range branches {
		branches[i].Text, branches[i].Comment = text, comment
		branches[i].Opaque = append(branches[i].Opaque, n.rule.Opaque...)
	}
	if branches != nil && n.rule.Verdict.Kind == Continue {
		return branches
	}
	return append(branches, n.rule)
}

// branches makes rules of the elements of a verdict map. A map that is not understood is one rule
// that may do anything.
func (r *nftReader) branches(n *nftRule, where string, body json.RawMessage) []Rule {
	var o struct{ Key, Data json.RawMessage }
	var elements []json.RawMessage
	var name string
	unknown := func() []Rule {
		n.words = append(n.words, "vmap "+compact(body))
		one := n.rule
		one.Verdict = Verdict{Kind: Unknown}
		return []Rule{one}
	}
	if json.Unmarshal(body, &o) != nil {
		return unknown()
	}
	if json.Unmarshal(o.Data, &name) == nil {
		var ok bool
		if elements, ok = r.maps[where+strings.TrimPrefix(name, "@")]; !ok {
			return unknown()
		}
	} else {
		var set struct{ Set []json.RawMessage }
		if json.Unmarshal(o.Data, &set) != nil {
			return unknown()
		}
		elements = set.Set
	}
	if r.left -= len(elements) * (1 + len(n.rule.Matches)); r.left < 0 {
		return unknown()
	}
	before, words := len(n.rule.Matches), len(n.words)
	key, ok := n.field(o.Key)
	if !ok || key == CtStatus { // of which all bits are compared
		n.words = n.words[:words]
		return unknown()
	}
	implied := n.rule.Matches[before:]
	list, shown := []Rule{}, []string{}
	rest, other := Match{Field: key, Not: true}, -1 // what no other element is, and where in the list that is
	for _, e := range elements {
		var pair []json.RawMessage
		if json.Unmarshal(e, &pair) != nil || len(pair) != 2 {
			return unknown()
		}
		m := Match{Field: key}
		one := nftRule{}
		var does map[string]json.RawMessage
		if text := string(bytes.TrimSpace(pair[0])); text == `"`+catchAll+`"` {
			other = len(list)
		} else if !m.Values.element(pair[0]) || !m.numbers(n.v6) {
			return unknown()
		}
		if json.Unmarshal(pair[1], &does) != nil {
			return unknown()
		}
		for name, body := range does {
			if !one.verdict(name, body) {
				return unknown()
			}
		}
		right := m.right()
		if other == len(list) {
			right = catchAll
		}
		shown = append(shown, right+" : "+strings.Join(one.words, " "))
		one.rule.Matches = append(append([]Match{}, n.rule.Matches[:before]...), implied...)
		rest.Values = rest.Values.and(m.Values)
		one.rule.Matches = append(one.rule.Matches, m)
		list = append(list, one.rule)
	}
	if other >= 0 {
		list[other].Matches[before+len(implied)] = rest
	}
	if name == "" {
		name = "{ " + strings.Join(shown[:min(len(shown), mostShown)], ", ") + " }"
	}
	n.words = append(n.words, "vmap "+name)
	return list
}

// mostShown is how many elements of a set are told of a rule.
const mostShown = 20

func (n *nftRule) opaque(text string, maybe bool) {
	n.rule.Opaque = append(n.rule.Opaque, text)
	n.words = append(n.words, text)
	n.maybe = n.maybe || maybe
}

// expression takes one expression: a match, a statement or a verdict.
func (n *nftRule) expression(name string, body json.RawMessage) {
	if n.verdict(name, body) {
		return
	}
	switch name {
	case "match":
		n.match(body)
	case "counter", "last", "log", "dup", "ct helper", "ct timeout", "ct expectation", "flow", "secmark":
		if bytes.Contains(body, []byte(`"map"`)) { // which one it is; a packet that the map does not know does not match
			n.opaque(name+" "+compact(body), false)
		} else {
			n.words = append(n.words, name)
		}
	case "notrack":
		n.rule.Untracks = true
		n.words = append(n.words, name)
	case "mangle":
		n.mangle(body)
	case "quota", "meter": // they may end a rule
		n.opaque(name+" "+compact(body), false)
	case "set", "map":
		// Adding to a set that is full ends the rule.
		n.opaque(name+" "+compact(body), false)
	case "xt":
		n.compat(body)
	case "limit":
		n.opaque(limitText(body), false)
	default: // a limit of connections narrows; what is not known may do more
		n.opaque(name+" "+compact(body), false)
		n.odd = n.odd || name != "ct count" && name != "connlimit"
	}
}

// mangle takes a statement that writes into a packet or into what the kernel keeps beside it.
func (n *nftRule) mangle(body json.RawMessage) {
	var o struct {
		Key struct{ Meta, Ct, Payload json.RawMessage }
	}
	switch {
	case json.Unmarshal(body, &o) != nil || o.Key.Payload != nil:
		n.rule.Rewrites = true
		n.opaque("mangle "+compact(body), false)
	case o.Key.Meta == nil && o.Key.Ct == nil, bytes.Contains(body, []byte(`"map"`)):
		// An option that the packet has not, or a value that the map does not know, ends the rule.
		n.opaque("mangle "+compact(body), false)
	default:
		n.words = append(n.words, "mangle")
	}
}

// usualBurst is what nft(8) does not write: packets of a limit that says none.
const usualBurst = 5

func limitText(body json.RawMessage) string {
	var o struct {
		Rate, Burst uint64
		RateUnit    string `json:"rate_unit"`
		Per         string
		Inv         bool
	}
	if json.Unmarshal(body, &o) != nil {
		return "limit " + compact(body)
	}
	over, unit, burst := "", "", ""
	if o.Inv {
		over = "over "
	}
	if o.RateUnit != "" && o.RateUnit != "packets" {
		unit = " " + o.RateUnit
	} else if o.Burst > 0 && o.Burst != usualBurst {
		burst = " burst " + strconv.FormatUint(o.Burst, 10) + " packets"
	}
	return "limit rate " + over + strconv.FormatUint(o.Rate, 10) + unit + "/" + o.Per + burst
}

// compat takes an xtables compat expression: its type and name at best, or null.
func (n *nftRule) compat(body json.RawMessage) {
	var o struct{ Type, Name string }
	if json.Unmarshal(body, &o) != nil || o.Type == "" {
		n.opaque("xt", true)
		return
	}
	if o.Type != "target" {
		if o.Name != "comment" {
			n.opaque("-m "+o.Name, false)
		}
		return
	}
	n.rule.Verdict.Kind = target(o.Name)
	n.rule.Untracks = o.Name == "CT" || o.Name == "NOTRACK" // with which options is not told
	n.words = append(n.words, "-j "+o.Name)
}

// verdict takes the end of a rule; false if it is none.
func (n *nftRule) verdict(name string, body json.RawMessage) bool {
	v := &n.rule.Verdict
	var jump struct{ Target string }
	var to struct {
		Addr json.RawMessage
		Port json.RawMessage
	}
	switch name {
	case "accept":
		v.Kind = Accept
	case "drop":
		v.Kind = Drop
	case "continue":
		v.Kind = Continue
	case "return":
		v.Kind = Return
	case "reject":
		v.Kind = Reject
		n.told(body)
	case "queue":
		v.Kind = Queue
	case "masquerade":
		v.Kind = Masquerade
	case "jump", "goto":
		if json.Unmarshal(body, &jump) != nil || jump.Target == "" {
			return false
		}
		v.Kind, v.Chain = Jump, jump.Target
		if name == "goto" {
			v.Kind = Goto
		}
		n.words = append(n.words, name+" "+jump.Target)
		return true
	case "dnat", "snat", "redirect":
		v.Kind = map[string]Kind{"dnat": DNAT, "snat": SNAT, "redirect": Redirect}[name]
		n.told(body)
		if json.Unmarshal(body, &to) == nil {
			v.To = netip.AddrPortFrom(plainAddr(to.Addr), plainPort(to.Port))
			if bytes.Contains(body, []byte(`"map"`)) { // a packet that the map does not know does not match
				n.rule.Opaque = append(n.rule.Opaque, "map")
			}
		}
		n.words = append(n.words, name+toText(v.To, body))
		return true
	default:
		return false
	}
	n.words = append(n.words, name)
	return true
}

// told adds what a verdict is for alone; nft leaves out the condition that says so: an ICMP error and
// an address are of one family, a reset is of TCP.
func (n *nftRule) told(body json.RawMessage) {
	var o struct{ Type, Family string }
	if json.Unmarshal(body, &o) != nil {
		return
	}
	imply := func(f Field, v Values) { n.rule.Matches = append(n.rule.Matches, Match{Field: f, Values: v}) }
	switch {
	case o.Type == "icmp" || o.Family == "ip":
		imply(Nfproto, Values{Names: []string{"ipv4"}})
	case o.Type == "icmpv6" || o.Family == "ip6":
		imply(Nfproto, Values{Names: []string{"ipv6"}})
	case o.Type == "tcp reset":
		imply(Proto, Values{Numbers: []Range{{6, 6}}})
	}
}

// plainAddr is an address that stands in the rule itself; not valid where a range or map does.
func plainAddr(raw json.RawMessage) (a netip.Addr) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		a, _ = netip.ParseAddr(text)
	}
	return a
}

// plainPort is the same for a port; 0 where a range or map stands.
func plainPort(raw json.RawMessage) (port uint16) {
	if json.Unmarshal(raw, &port) != nil {
		return 0
	}
	return port
}

func toText(to netip.AddrPort, body json.RawMessage) string {
	switch {
	case to.Addr().IsValid() && to.Port() != 0:
		return " to " + to.String()
	case to.Addr().IsValid():
		return " to " + to.Addr().String()
	case to.Port() != 0:
		return " to :" + itoa(uint32(to.Port()))
	case string(body) == "null":
		return ""
	}
	return " to " + compact(body)
}

// compact is JSON without spaces, cut where it is long.
func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return "?"
	}
	if b.Len() > 200 {
		return b.String()[:200] + "..."
	}
	return b.String()
}
