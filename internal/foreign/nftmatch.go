package foreign

import (
	"encoding/json"
	"strconv"
	"strings"
)

// match takes {"match": {"op": ..., "left": ..., "right": ...}}.
func (n *nftRule) match(body json.RawMessage) {
	var o struct {
		Op    string
		Left  json.RawMessage
		Right json.RawMessage
	}
	opaque := func() { n.opaque(compact(body), false) }
	if json.Unmarshal(body, &o) != nil {
		opaque()
		return
	}
	words := len(n.words)
	f, ok := n.field(o.Left)
	m := Match{Field: f}
	switch o.Op {
	case "==", "in", "":
	case "!=":
		m.Not = true
	default: // < > <= >=
		ok = false
	}
	var name string
	var list []json.RawMessage
	switch {
	case !ok:
	case json.Unmarshal(o.Right, &name) == nil && strings.HasPrefix(name, "@"):
		m.Set = name[1:]
	case f == CtStatus && o.Op != "in": // all of its bits are compared, and it has more than are named
		ok = false
	case json.Unmarshal(o.Right, &list) == nil: // flags: any of them, but for "==" and "!="
		ok = o.Op == "in"
		for _, e := range list {
			ok = ok && m.Values.element(e)
		}
	default:
		ok = m.Values.element(o.Right)
	}
	shown := m.right() // with names of protocols and types, which it loses
	if !ok || m.Set == "" && !m.numbers(n.v6) {
		// What the left side alone implies still holds: "tcp dport" is said of TCP only.
		n.words = n.words[:words]
		opaque()
		return
	}
	n.rule.Matches = append(n.rule.Matches, m)
	if f != Proto && f != ICMPType {
		shown = m.right()
	}
	n.words = append(n.words, shown)
	if f == Proto && !m.Not && len(m.Numbers) == 1 {
		n.v6 = m.Numbers[0].Lo == 58
	}
}

// numbers turns names into the numbers that the field is compared by; false where one is not known.
func (m *Match) numbers(v6 bool) bool {
	switch m.Field {
	case Proto, ICMPType:
		for _, name := range m.Names {
			n, ok := protocolNumber(name)
			if m.Field == ICMPType {
				n, ok = icmpTypeNumber(name, v6)
			}
			if !ok {
				return false
			}
			m.Numbers = append(m.Numbers, Range{n, n})
		}
		m.Names = nil
	case SrcPort, DstPort, CtOrigDstPort, Mark:
		return m.Names == nil && m.Addrs == nil
	case SrcAddr, DstAddr:
		for _, name := range m.Names {
			if _, ok := addrRange(name); !ok {
				return false
			}
		}
		if m.Numbers != nil {
			return false
		}
		m.Names = nil
	default:
		m.Addrs = nil
		return m.Numbers == nil
	}
	return true
}

// field takes the left side of a match or the key of a map, with what it implies: "tcp dport" is of
// TCP, "ip saddr" of IPv4.
func (n *nftRule) field(left json.RawMessage) (Field, bool) {
	var o struct {
		Payload *struct{ Protocol, Field, Tunnel string }
		Meta    *struct{ Key string }
		Ct      *struct{ Key, Dir string }
		Fib     *struct {
			Result string
			Flags  any
		}
	}
	if json.Unmarshal(left, &o) != nil {
		return 0, false
	}
	switch {
	case o.Payload != nil && o.Payload.Tunnel != "": // of a packet within the packet
	case o.Payload != nil:
		return n.payload(o.Payload.Protocol, o.Payload.Field)
	case o.Meta != nil:
		f, ok := map[string]Field{"l4proto": Proto, "iif": InIface, "iifname": InIface, "oif": OutIface, "oifname": OutIface,
			"nfproto": Nfproto, "mark": Mark, "pkttype": PktType}[o.Meta.Key]
		n.words = append(n.words, "meta "+o.Meta.Key)
		return f, ok
	case o.Ct != nil:
		key := strings.TrimSpace(o.Ct.Dir + " " + o.Ct.Key)
		f, ok := map[string]Field{"state": CtState, "status": CtStatus, "original proto-dst": CtOrigDstPort}[key]
		n.words = append(n.words, "ct "+key)
		return f, ok
	case o.Fib != nil && o.Fib.Result == "type":
		flags := flagList(o.Fib.Flags)
		f, ok := map[string]Field{"daddr": DstType, "saddr": SrcType}[flags]
		n.words = append(n.words, "fib "+flags+" type")
		return f, ok
	}
	return 0, false
}

func flagList(flags any) string {
	switch f := flags.(type) {
	case string:
		return f
	case []any:
		if len(f) == 1 {
			s, _ := f[0].(string)
			return s
		}
	}
	return ""
}

func (n *nftRule) payload(protocol, field string) (Field, bool) {
	n.words = append(n.words, protocol+" "+field)
	imply := func(f Field, v Values) { n.rule.Matches = append(n.rule.Matches, Match{Field: f, Values: v}) }
	switch protocol + " " + field {
	case "ip saddr", "ip daddr", "ip protocol":
		imply(Nfproto, Values{Names: []string{"ipv4"}})
	case "ip6 saddr", "ip6 daddr", "ip6 nexthdr":
		imply(Nfproto, Values{Names: []string{"ipv6"}})
	}
	switch field {
	case "saddr":
		return SrcAddr, protocol == "ip" || protocol == "ip6"
	case "daddr":
		return DstAddr, protocol == "ip" || protocol == "ip6"
	case "protocol", "nexthdr":
		return Proto, protocol == "ip" || protocol == "ip6" // others say what is within them
	case "sport", "dport", "type":
		if protocol != "th" {
			number, ok := protocolNumber(protocol)
			if !ok {
				return 0, false
			}
			imply(Proto, Values{Numbers: []Range{{number, number}}})
			n.v6 = number == 58
		}
		if field == "type" {
			return ICMPType, protocol == "icmp" || protocol == "icmpv6"
		}
		if field == "sport" {
			return SrcPort, true
		}
		return DstPort, true
	}
	return 0, false
}

// right is the right side of a match, as nft writes it.
func (m Match) right() string {
	var parts []string
	for _, r := range m.Addrs {
		if p, ok := r.Prefix(); ok {
			if p.IsSingleIP() {
				parts = append(parts, p.Addr().String())
			} else {
				parts = append(parts, p.String())
			}
		} else {
			parts = append(parts, r.String())
		}
	}
	for _, r := range m.Numbers {
		text := itoa(r.Lo)
		if r.Hi != r.Lo {
			text += "-" + itoa(r.Hi)
		}
		parts = append(parts, text)
	}
	for _, name := range m.Names {
		if m.Field == InIface || m.Field == OutIface {
			name = quoted(name)
		}
		parts = append(parts, name)
	}
	if len(parts) > mostShown {
		parts = append(parts[:mostShown], "...")
	}
	text := strings.Join(parts, ", ")
	switch {
	case m.Set != "":
		text = "@" + m.Set
	case len(parts) > 1 && (m.Field == CtState || m.Field == CtStatus):
		text = strings.Join(parts, ",")
	case len(parts) > 1:
		text = "{ " + text + " }"
	}
	if m.Not {
		text = "!= " + text
	}
	return text
}

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// quoted is for names, which hold no quote where nft printed them.
func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `'`) + `"` }
