package syntax

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// icmp4 and icmp6 are the types of ICMP and ICMPv6 by number, as nft spells them
// (nft(8), "ICMP TYPE TYPE" and "ICMPV6 TYPE TYPE"; nft has no word for 139 and
// 140).
var icmp4 = map[uint8]string{
	0: "echo-reply", 3: "destination-unreachable", 4: "source-quench", 5: "redirect", 8: "echo-request",
	9: "router-advertisement", 10: "router-solicitation", 11: "time-exceeded", 12: "parameter-problem",
	13: "timestamp-request", 14: "timestamp-reply", 15: "info-request", 16: "info-reply",
	17: "address-mask-request", 18: "address-mask-reply",
}

var icmp6 = map[uint8]string{
	1: "destination-unreachable", 2: "packet-too-big", 3: "time-exceeded", 4: "parameter-problem",
	128: "echo-request", 129: "echo-reply", 130: "mld-listener-query", 131: "mld-listener-report",
	132: "mld-listener-done", 133: "nd-router-solicit", 134: "nd-router-advert", 135: "nd-neighbor-solicit",
	136: "nd-neighbor-advert", 137: "nd-redirect", 138: "router-renumbering",
	141: "ind-neighbor-solicit", 142: "ind-neighbor-advert", 143: "mld2-listener-report",
}

// other spellings, those of iptables and ip6tables (their --help) among them.
var icmp4Other = map[string]uint8{
	"pong": 0, "ping": 8, "ttl-exceeded": 11, "host-unreachable": 3, "network-unreachable": 3, "fragmentation-needed": 3,
	"port-unreachable": 3, "protocol-unreachable": 3,
}

var icmp6Other = map[string]uint8{
	"ping": 128, "pong": 129, "router-solicitation": 133, "router-advertisement": 134,
	"neighbour-solicitation": 135, "neighbor-solicitation": 135, "neighbour-advertisement": 136, "neighbor-advertisement": 136,
	"redirect": 137, "mld-listener-reduction": 132, "ttl-exceeded": 3, "node-information-query": 139, "node-information-reply": 140,
}

// names of codes of a type: they are no types, and a rule for the type would
// match more than was meant.
var codes = []string{"host-unreachable", "network-unreachable", "fragmentation-needed", "port-unreachable", "protocol-unreachable"}

// ICMP reads the name of a type of ICMP, or of ICMPv6.
func ICMP(v6 bool, s string) (uint8, *Error) {
	family, types, other := "icmp", icmp4, icmp4Other
	if v6 {
		family, types, other = "icmpv6", icmp6, icmp6Other
	}
	if slices.Contains(codes, s) {
		return 0, wrong(Quote(s)+" is a code of "+family+" type "+types[map[bool]uint8{false: 3, true: 1}[v6]], "errors are always let through; name the type to match all its codes")
	}
	for n, name := range types {
		if name == s {
			return n, nil
		}
	}
	if n, ok := other[s]; ok {
		return n, nil
	}
	hint := ""
	if n, err := strconv.ParseUint(s, 10, 8); err == nil {
		hint = "types stand by name"
		if name := types[uint8(n)]; name != "" {
			hint = fmt.Sprintf("write %q", name)
		}
	} else if near := Nearest(s, append(slices.Sorted(maps.Values(types)), slices.Sorted(maps.Keys(other))...)); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return 0, wrong(fmt.Sprintf("unknown %s type %s", family, Quote(s)), hint)
}

// ICMPName is how nft spells a type, its number where it has no word.
func ICMPName(v6 bool, n uint8) string {
	types := icmp4
	if v6 {
		types = icmp6
	}
	if name := types[n]; name != "" {
		return name
	}
	return strconv.Itoa(int(n))
}

// protos are protocols without ports by name (IANA, Assigned Internet Protocol
// Numbers).
var protos = map[string]uint8{
	"igmp": 2, "ipip": 4, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51, "eigrp": 88, "ospf": 89, "pim": 103, "vrrp": 112, "l2tp": 115,
}

// elsewhere are protocols that are said by other keys.
var elsewhere = map[string]string{
	"tcp": "write tcp = [ports]", "udp": "write udp = [ports]", "sctp": "write sctp = [ports]",
	"icmp": "write icmp = [types]", "icmpv6": "write icmpv6 = [types]", "ipv6-icmp": "write icmpv6 = [types]",
}

var elsewhereNumber = map[int64]string{1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}

// extensions are the extension headers of IPv6 that the kernel passes over when it
// asks for the protocol of a packet (ipv6_find_hdr): a rule about one matches what
// it likes, or nothing.
var extensions = []int64{43, 44, 59, 60}

// Proto reads the name of a protocol without ports.
func Proto(s string) (uint8, *Error) {
	if hint := elsewhere[s]; hint != "" {
		return 0, wrong("proto is for protocols without ports and types, not "+s, hint)
	}
	if n, ok := protos[s]; ok {
		return n, nil
	}
	hint := ""
	if _, err := strconv.Atoi(s); err == nil {
		hint = "write the number without quotes"
	} else if near := Nearest(s, slices.Sorted(maps.Keys(protos))); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return 0, wrong("unknown protocol "+Quote(s), hint)
}

// ProtoNumber checks a protocol that is given as a number from 1 to 255.
func ProtoNumber(n int64) (uint8, *Error) {
	if name := elsewhereNumber[n]; name != "" {
		return 0, wrong(fmt.Sprintf("proto is for protocols without ports and types, not %d (%s)", n, name), elsewhere[name])
	}
	if slices.Contains(extensions, n) {
		return 0, wrong(fmt.Sprintf("%d is an extension header of IPv6, and no protocol", n), "the kernel looks behind it: name what comes there")
	}
	return uint8(n), nil
}

// ProtoName is the name of a protocol, its number where it has none here.
func ProtoName(n uint8) string {
	for name, number := range protos {
		if number == n {
			return name
		}
	}
	return strconv.Itoa(int(n))
}
