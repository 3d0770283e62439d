package foreign

import (
	"strconv"
	"strings"
)

// protocols are the names that iptables-save and nft print; both print numbers for others.
func protocolNumber(name string) (uint32, bool) {
	switch name {
	case "icmp":
		return 1, true
	case "igmp":
		return 2, true
	case "ipencap", "ipip":
		return 4, true
	case "tcp":
		return 6, true
	case "udp":
		return 17, true
	case "dccp":
		return 33, true
	case "ipv6":
		return 41, true
	case "gre":
		return 47, true
	case "esp":
		return 50, true
	case "ah":
		return 51, true
	case "icmpv6", "ipv6-icmp":
		return 58, true
	case "ospf":
		return 89, true
	case "pim":
		return 103, true
	case "comp", "ipcomp":
		return 108, true
	case "vrrp":
		return 112, true
	case "sctp":
		return 132, true
	case "udplite":
		return 136, true
	}
	n, err := strconv.ParseUint(name, 10, 8)
	return uint32(n), err == nil
}

// icmpTypeNumber is for the names of nft (nft(8), "ICMP TYPE TYPE"); iptables-save prints numbers.
func icmpTypeNumber(name string, v6 bool) (uint32, bool) {
	v4 := []string{"echo-reply=0", "destination-unreachable=3", "source-quench=4", "redirect=5", "echo-request=8",
		"router-advertisement=9", "router-solicitation=10", "time-exceeded=11", "parameter-problem=12",
		"timestamp-request=13", "timestamp-reply=14"}
	if v6 {
		v4 = []string{"destination-unreachable=1", "packet-too-big=2", "time-exceeded=3", "parameter-problem=4",
			"echo-request=128", "echo-reply=129", "mld-listener-query=130", "mld-listener-report=131",
			"mld-listener-done=132", "mld-listener-reduction=132", "nd-router-solicit=133", "nd-router-advert=134",
			"nd-neighbor-solicit=135", "nd-neighbor-advert=136", "nd-redirect=137", "mld2-listener-report=143"}
	}
	for _, pair := range v4 {
		if word, number, _ := strings.Cut(pair, "="); word == name {
			n, err := strconv.ParseUint(number, 10, 8)
			return uint32(n), err == nil
		}
	}
	n, err := strconv.ParseUint(name, 10, 8)
	return uint32(n), err == nil
}

// target is what a built-in target of iptables does.
func target(name string) Kind {
	switch name {
	case "ACCEPT":
		return Accept
	case "DROP":
		return Drop
	case "REJECT":
		return Reject
	case "RETURN":
		return Return
	case "DNAT":
		return DNAT
	case "SNAT":
		return SNAT
	case "MASQUERADE":
		return Masquerade
	case "REDIRECT":
		return Redirect
	case "QUEUE", "NFQUEUE":
		return Queue
	case "", "LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "TCPMSS", "CT", "NOTRACK", "TRACE", "CHECKSUM", "SET", "CLASSIFY",
		"DSCP", "TOS", "TTL", "HL", "AUDIT", "SECMARK", "CONNSECMARK":
		return Continue
	}
	return Unknown
}

// priority is where a table of iptables stands on a hook (linux/netfilter_ipv4.h).
func priority(table, hook string) (int, bool) {
	switch table {
	case "raw":
		return -300, true
	case "mangle":
		return -150, true
	case "nat":
		if hook == "prerouting" || hook == "output" {
			return -100, true
		}
		return 100, true
	case "filter":
		return 0, true
	case "security":
		return 50, true
	}
	return 0, false
}

// hookOf is the hook of a built-in chain of iptables.
func hookOf(chain string) string {
	switch chain {
	case "PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING":
		return strings.ToLower(chain)
	}
	return ""
}
