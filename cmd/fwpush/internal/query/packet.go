package query

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
)

// Packet is a question as it is asked: "tcp 198.51.100.7 > :443".
type Packet struct {
	Text     string
	Traffic  roles.Traffic
	From, To string // words for the ends, "" where nothing is said
	SrcPort  space.Ports
}

// Syntax is how a packet is written, for help and errors.
const Syntax = `WHAT [FROM[:PORT]] > [TO][:PORT]`

// Parse reads a packet. What is tcp, udp or sctp with a port behind it, tcp/PORT and
// its like, ping, icmp/TYPE, icmpv6/TYPE, proto/NUMBER, or a service of the file or
// built in. FROM and TO are addresses, prefixes, ranges, references as in rules, names
// of hosts, roles, sets and groups, internet, or any.
func Parse(names roles.Names, text string) (Packet, error) {
	k := Packet{Text: text}
	bad := func(format string, args ...any) (Packet, error) {
		return Packet{}, fmt.Errorf("packet %q: %s; write %s", text, fmt.Sprintf(format, args...), Syntax)
	}
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return bad("it is empty")
	}
	what, rest := fields[0], fields[1:]
	if what == ">" {
		return bad("it does not say what it is")
	}
	arrow := slices.Index(rest, ">")
	var from, to []string
	if arrow >= 0 {
		from, to = rest[:arrow], rest[arrow+1:]
	} else {
		to = rest // "tcp :443", where --from says the other end
	}
	if len(from) > 1 || len(to) > 1 {
		return bad("more than one word at an end")
	}
	if arrow < 0 && len(to) == 1 && !strings.HasPrefix(to[0], ":") {
		return Packet{}, fmt.Errorf("packet %q does not say which way it goes; write %q if it comes from there, or %q if it goes there",
			text, what+" "+to[0]+" >", what+" > "+to[0])
	}
	var srcPort, dstPort string
	if len(from) == 1 {
		k.From, srcPort = cutPort(from[0])
	}
	if len(to) == 1 {
		k.To, dstPort = cutPort(to[0])
	}
	traffic, err := whatOf(names, what, dstPort)
	if err != nil {
		return bad("%v", err)
	}
	k.Traffic = traffic
	if srcPort != "" {
		a, b, err := ports(srcPort)
		if err != nil {
			return bad("%v", err)
		}
		k.SrcPort = space.Ports{{From: space.Port(a), To: space.Port(b)}}
	}
	return k, nil
}

// cutPort takes the port off an end: "10.0.0.1:80", "[2001:db8::1]:80", ":80",
// "set:ops:80". An IPv6 address without brackets has none, nor has "host:1a".
func cutPort(s string) (end, port string) {
	if rest, ok := strings.CutPrefix(s, "["); ok {
		end, port, _ = strings.Cut(rest, "]")
		return end, strings.TrimPrefix(port, ":")
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return s, ""
	}
	if _, err := inventory.ParseAddrRange(s); err == nil {
		return s, ""
	}
	i := strings.LastIndexByte(s, ':')
	kind := s[:max(i, 0)]
	if slices.Contains([]string{"host", "role", "set", "group"}, kind) || i < 0 || i+1 == len(s) || s[i+1] < '0' || s[i+1] > '9' {
		return s, ""
	}
	return s[:i], s[i+1:]
}

func ports(s string) (from, to uint16, err error) {
	a, b, ranged := strings.Cut(s, "-")
	if !ranged {
		b = a
	}
	first, err1 := strconv.ParseUint(a, 10, 16)
	last, err2 := strconv.ParseUint(b, 10, 16)
	if err1 != nil || err2 != nil || first == 0 || last < first {
		return 0, 0, fmt.Errorf("%q is no port or range of ports", s)
	}
	return uint16(first), uint16(last), nil
}

func whatOf(names roles.Names, what, port string) (roles.Traffic, error) {
	proto, kind, _ := strings.Cut(what, "/")
	switch {
	case slices.Contains([]string{"tcp", "udp", "sctp"}, what):
		r := inventory.PortRange{Proto: what, From: 1, To: 65535}
		if port != "" {
			var err error
			if r.From, r.To, err = ports(port); err != nil {
				return roles.Traffic{}, err
			}
		}
		return roles.Traffic{Ports: []inventory.PortRange{r}}, nil
	case port != "":
		return roles.Traffic{}, fmt.Errorf("%s has its port by itself", what)
	case proto == "icmp" && kind != "":
		t, err := inventory.ParseICMP(false, kind)
		return roles.Traffic{ICMP: []uint8{t}}, err
	case proto == "icmpv6" && kind != "":
		t, err := inventory.ParseICMP(true, kind)
		return roles.Traffic{ICMPv6: []uint8{t}}, err
	}
	n, err := strconv.ParseUint(kind, 10, 8)
	switch _, number := strconv.Atoi(what); {
	case number == nil:
		return roles.Traffic{}, fmt.Errorf("%s alone may be a port or a protocol: write tcp/%s or proto/%s", what, what, what)
	case proto == "proto" && (err != nil || n == 0):
		return roles.Traffic{}, fmt.Errorf("%q is no number of a protocol, which are 1 to 255", kind)
	case proto == "proto":
		return roles.Traffic{Protos: []uint8{uint8(n)}}, nil
	}
	return names.Traffic(what)
}

// keys are what a packet is about in one family.
func (k Packet) keys(v6 bool) space.Keys { return k.Traffic.Keys(v6) }
