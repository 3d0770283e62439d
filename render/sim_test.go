package render_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"fwpush/inventory"
)

// sim is an interpreter for the texts this package writes: an independent
// reader, so that a test can ask what a text does and not what it looks like.
// Whatever it does not know ends the test.
type sim struct {
	sets   map[string][]inventory.AddrRange
	chains map[string][][]string // tokens of each rule
}

// failer is what *testing.T and *rapid.T share.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// packet is a first packet from or to another machine, by eth0, of a connection
// nobody knows, unless it says otherwise.
type packet struct {
	chain        string // "input", "output" or "forward"
	proto        string // tcp udp sctp icmp icmpv6 or another
	src, dst     netip.Addr
	sport, dport uint16
	icmp         string // type
	hops         int
	iface, oface string // where it comes in and goes out
	state        string // "" is new
	multicast    bool
	localSource  bool
	translated   bool   // by the nat of somebody else
	asked        uint16 // the port before that
}

func readText(t failer, text string) sim {
	t.Helper()
	s := sim{sets: map[string][]inventory.AddrRange{}, chains: map[string][][]string{}}
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] != "add table inet fwpush" || lines[1] != "delete table inet fwpush" || lines[2] != "table inet fwpush {" {
		t.Fatalf("not our header:\n%s", text)
	}
	kind, name := "", ""
	for i, l := range lines[3:] {
		tokens := tokenize(t, strings.TrimSpace(l))
		switch {
		case len(tokens) == 0:
		case len(tokens) == 3 && tokens[2] == "{" && (tokens[0] == "set" || tokens[0] == "chain" || tokens[0] == "counter"):
			kind, name = tokens[0], tokens[1]
			if kind == "chain" {
				s.chains[name] = nil
			}
		case l == "\t}":
			kind = ""
		case l == "}":
			if i != len(lines[3:])-2 {
				t.Fatalf("the table ends at line %d", i+4)
			}
		case kind == "chain":
			s.chains[name] = append(s.chains[name], tokens)
		case kind == "set":
			if e, ok := strings.CutSuffix(tokens[0], ","); ok {
				s.sets[name] = append(s.sets[name], addrRange(e))
			} else if tokens[0] == "elements" && len(tokens[2]) > 1 {
				s.sets[name] = append(s.sets[name], addrRange(members(tokens[2])[0]))
			}
		default:
			t.Fatalf("line %d: %q is outside of everything", i+4, l)
		}
	}
	return s
}

// tokenize splits at blanks, keeping a quoted string as one token with its
// quotes and an anonymous set as one with its braces.
func tokenize(t failer, l string) []string {
	t.Helper()
	var out []string
	for l != "" {
		end := strings.IndexByte(l, ' ')
		switch {
		case l[0] == '"':
			end = strings.IndexByte(l[1:], '"')
			if end < 0 {
				t.Fatalf("a quote that does not end: %q", l)
			}
			end += 2
		case l[0] == '{' && len(l) > 1:
			end = strings.IndexByte(l, '}') + 1
			if end == 0 {
				t.Fatalf("a brace that does not end: %q", l)
			}
		case end < 0:
			end = len(l)
		}
		out = append(out, l[:end])
		l = strings.TrimLeft(l[end:], " ")
	}
	return out
}

// verdict is "accept", "drop", "reset" or "unreachable".
func (s sim) verdict(t failer, p packet) string {
	t.Helper()
	rules, ok := s.chains[p.chain]
	if !ok && p.chain == "output" {
		return "accept" // nothing is said of it
	}
	if len(rules) < 2 || rules[0][0] != "type" {
		t.Fatalf("no base chain %s", p.chain)
	}
	if v := s.walk(t, rules[1:], p); v != "" {
		return v
	}
	t.Fatalf("%s has no explicit end for %+v", p.chain, p)
	return ""
}

func (s sim) walk(t failer, rules [][]string, p packet) string {
	t.Helper()
	for _, r := range rules {
		switch v := s.rule(t, r, p); v {
		case "":
		case "return":
			return ""
		default:
			return v
		}
	}
	return ""
}

// rule is the verdict of one rule, "" if it has none for the packet.
func (s sim) rule(t failer, tok []string, p packet) string {
	t.Helper()
	for i := 0; i < len(tok); {
		arg := func(n int) string { return strings.Join(tok[i:min(i+n, len(tok))], " ") }
		used, hit := 0, true
		switch {
		case arg(2) == "counter name":
			used = 3
		case tok[i] == "counter":
			used = 1
		case arg(8) == "limit rate 5/second burst 10 packets log prefix" && i+9 == len(tok):
			used = 9
		case arg(3) == "ct state new":
			used, hit = 3, p.state == ""
		case arg(3) == "ct status dnat":
			used, hit = 3, p.translated
		case arg(3) == "ct original proto-dst":
			used, hit = 4, portIn(t, tok[i+3], p.asked)
		case arg(2) == "ct state":
			used = 4
			want, _, _ := strings.Cut(tok[i+3], "}")
			for pair := range strings.SplitSeq(strings.Trim(want, "{ "), ",") {
				if state, verdict, _ := strings.Cut(pair, ":"); strings.TrimSpace(state) == p.state && p.state != "" {
					return strings.TrimSpace(verdict)
				}
			}
		case tok[i] == "iifname":
			used, hit = 2, slices.Contains(members(tok[i+1]), `"`+p.iface+`"`)
		case tok[i] == "oifname":
			used, hit = 2, slices.Contains(members(tok[i+1]), `"`+p.oface+`"`)
		case arg(3) == "meta time <":
			used = 4
		case (tok[i] == "add" || tok[i] == "update") && strings.HasPrefix(tok[i+1], "@d_"), arg(3) == "limit rate over":
			return "" // no limit is reached
		case arg(4) == "fib saddr type local":
			used, hit = 4, p.localSource
		case arg(2) == "meta pkttype":
			used, hit = 3, p.multicast == (tok[i+2] != "host")
		case arg(2) == "meta nfproto":
			used, hit = 3, tok[i+2] == "ipv4" == p.src.Is4()
		case arg(2) == "meta l4proto":
			used, hit = 3, slices.Contains(members(tok[i+2]), p.proto)
		case arg(2) == "ip6 hoplimit":
			used, hit = 3, !p.src.Is4() && tok[i+2] == strconv.Itoa(p.hops)
		case tok[i] == "ip" || tok[i] == "ip6":
			used, hit = 3, (tok[i] == "ip") == p.src.Is4() && s.address(t, tok[i+1], tok[i+2], p)
		case tok[i] == "icmp" || tok[i] == "icmpv6":
			used, hit = 3, tok[i] == p.proto && slices.Contains(members(tok[i+2]), p.icmp)
		case slices.Contains([]string{"tcp", "udp", "sctp"}, tok[i]):
			used, hit = 3, tok[i] == p.proto && portIn(t, tok[i+2], map[string]uint16{"sport": p.sport, "dport": p.dport}[tok[i+1]])
		default:
			return s.act(t, tok[i:], p)
		}
		if !hit {
			return ""
		}
		i += used
	}
	return ""
}

// act is the end of a rule: a verdict and perhaps a comment, nothing else.
func (s sim) act(t failer, tok []string, p packet) string {
	t.Helper()
	if n := len(tok); n >= 2 && tok[n-2] == "comment" && strings.HasPrefix(tok[n-1], `"`) {
		tok = tok[:n-2]
	}
	said := strings.Join(tok, " ")
	switch {
	case said == "accept", said == "drop", said == "return":
		return said
	case said == "reject with tcp reset":
		return "reset"
	case said == "reject with icmpx type admin-prohibited":
		return "unreachable"
	case len(tok) == 2 && (tok[0] == "jump" || tok[0] == "goto") && s.chains[tok[1]] != nil:
		if v := s.walk(t, s.chains[tok[1]], p); v != "" || tok[0] == "jump" {
			return v
		}
		return "return"
	}
	t.Fatalf("%q is no verdict", said)
	return ""
}

func (s sim) address(t failer, field, want string, p packet) bool {
	t.Helper()
	a := p.src
	if field == "daddr" {
		a = p.dst
	}
	list := []inventory.AddrRange{}
	if name, ok := strings.CutPrefix(want, "@"); ok {
		var declared bool
		if list, declared = s.sets[name]; !declared {
			t.Fatalf("set %s has no elements", name)
		}
	} else {
		list = append(list, addrRange(want))
	}
	return slices.ContainsFunc(list, func(r inventory.AddrRange) bool {
		return r.From.Compare(a) <= 0 && a.Compare(r.To) <= 0
	})
}

func members(s string) []string {
	var out []string
	for m := range strings.SplitSeq(strings.Trim(s, "{}"), ",") {
		out = append(out, strings.TrimSpace(m))
	}
	return out
}

func portIn(t failer, s string, port uint16) bool {
	t.Helper()
	return slices.ContainsFunc(members(s), func(m string) bool {
		var from, to uint16
		if n, _ := fmt.Sscanf(m, "%d-%d", &from, &to); n == 2 {
			return from <= port && port <= to
		}
		n, err := strconv.ParseUint(m, 10, 16)
		if err != nil {
			t.Fatalf("%q is no port", m)
		}
		return uint16(n) == port
	})
}
