package kerneltest

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// named are sets and maps that rules of a table refer to.
const named = `
	set nets { type ipv4_addr; flags interval; elements = { 10.1.0.0/16, 198.51.100.1-198.51.100.9 }; }
	set hosts { type ipv4_addr; elements = { 10.0.0.5 }; }
	set everyone { type ipv4_addr; flags interval; elements = { 10.0.0.5, * }; }
	set nets6 { type ipv6_addr; flags interval; elements = { fd00:1::/32 }; }
	set nobody { type ipv4_addr; flags timeout; }
	set protos { type inet_proto; elements = { tcp, gre }; }
	set services { type inet_service; flags interval; elements = { 22, 80-90 }; }
	set types { type icmp_type; elements = { echo-request }; }
	set types6 { type icmpv6_type; elements = { echo-request }; }
	set ifaces { type ifname; elements = { "eth0" }; }
	set states { type ct_state; elements = { new, established }; }
	set pairs { type ipv4_addr . inet_service; elements = { 10.0.0.5 . 22 }; }
	set marks { type mark; elements = { 7 }; }
	map verdicts { type inet_service : verdict; flags interval; elements = { 22 : accept, 80-90 : drop, 53 : jump one }; }
	map from { type ipv4_addr : verdict; flags interval; elements = { 10.0.0.0/8 : drop, 198.51.100.7 : goto two, * : jump one }; }
	map onmark { type inet_service : mark; elements = { 22 : 7 }; }
	chain one {
		%s
	}
	chain two {
		%s
	}
`

// drawNft is a script of one to three tables with base chains on the same and other hooks.
func drawNft(t *rapid.T) string {
	addrs := mostly("ip saddr 10.0.0.0/8", "ip saddr != 10.1.0.0/16", "ip saddr { 10.0.0.5, 198.51.100.0/24 }", "ip saddr != { 10.0.0.5, 198.51.100.0/24 }",
		"ip saddr 10.0.0.0-10.0.0.9", "ip saddr @nets", "ip saddr != @nets", "ip saddr @hosts", "ip saddr @everyone", "ip saddr != @everyone", "ip saddr @nobody", "ip6 saddr @nets6",
		"ip6 saddr != @nets6", "ip6 saddr fd00::/8", "ip saddr & 255.0.0.255 == 10.0.0.5", "ip daddr 192.0.2.1", "ip saddr . tcp dport @pairs", "ip saddr . tcp dport { 10.0.0.5 . 22 }", "ip saddr > 10.0.0.9",
		"ip version 4", "ip6 hoplimit 64", "ip ttl 64")
	protos := mostly("meta l4proto tcp", "meta l4proto != tcp", "meta l4proto { tcp, udp }", "meta l4proto @protos", "meta l4proto != @protos", "ip protocol gre", "ip protocol != udp", "ip6 nexthdr tcp", "meta l4proto 17",
		"tcp dport 22", "tcp dport != 22", "tcp dport { 22, 80-90 }", "tcp dport != { 22, 53 }", "tcp dport @services", "tcp dport != @services", "udp dport @services", "th dport 53", "tcp sport 1024-65535", "tcp sport < 1024",
		"tcp dport >= 80", "icmp type echo-request", "icmp type @types", "icmpv6 type @types6", "icmp type != echo-request", "icmpv6 type { echo-request, nd-neighbor-solicit }", "icmp code 0", "tcp flags syn", "tcp flags & (syn|ack) == ack", "tcp flags != syn", "tcp flags ! syn",
		"meta l4proto > 16", "udp length > 9")
	others := mostly("ct state new", "ct state != new", "ct state established,related", "ct state != established,related", "ct state ! new", "ct state { new, untracked }", "ct state @states", "ct state invalid", "ct state untracked",
		"ct status dnat", "ct status != dnat", "ct status ! dnat", "ct status { dnat, snat }", "ct status confirmed", "ct direction original", "ct mark 7", "ct original proto-dst 22", "ct original ip saddr 10.0.0.5",
		"iifname \"eth0\"", "iifname != \"eth0\"", "iifname { \"eth0\", \"lo\" }", "iifname @ifaces", "iifname != @ifaces", "iifname \"eth*\"", "iif \"lo\"", "iif != \"lo\"", "oifname \"eth1\"", "meta mark 7", "meta mark != 7", "meta mark @marks", "meta mark & 1 == 1",
		"meta nfproto ipv4", "meta nfproto != ipv6", "meta pkttype host", "meta pkttype != host", "fib daddr type local", "fib daddr type != local", "fib saddr . iif oif missing", "fib daddr type { local, broadcast }", "fib daddr . iif type local",
		"limit rate 1/hour burst 1 packets", "limit rate over 1/hour burst 1 packets", "meta length 1-20000", "counter", "log prefix \"drop \"", "quota over 1 bytes", "quota 1 bytes", "ct count over 5", "add @nobody { ip saddr timeout 1m }",
		"meta mark set 7", "meta mark set tcp dport map @onmark", "ct mark set 7", "notrack", "tcp option maxseg size set 1000", "meta priority set 1:2", "meta skuid 0", "meta day \"Monday\"", "rt mtu > 1", "numgen inc mod 2 0", "socket transparent 1")
	ends := []string{"accept", "accept", "drop", "drop", "reject", "jump one", "jump two", "goto one", "return", "", "continue", "tcp dport vmap @verdicts", "ip saddr vmap @from", "ct state vmap { established : accept, new : jump two }",
		"tcp dport vmap { 22 : accept, 53 : drop, 80-90 : goto one }", "meta l4proto vmap { tcp : jump one, udp : drop, icmp : accept }", "iifname vmap { \"eth0\" : jump one, \"eth1\" : drop }", "ip saddr . tcp dport vmap { 10.0.0.5 . 22 : drop }"}
	rules := func(lo, hi int, ends []string) string {
		var lines []string
		for range rapid.IntRange(lo, hi).Draw(t, "rules") {
			if line := drawWords(t, addrs, protos, others, ends); line != "" {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "\n\t\t")
	}
	var b strings.Builder
	for i := range rapid.IntRange(1, 3).Draw(t, "tables") {
		fmt.Fprintf(&b, "table inet t%d {", i)
		two := append(append([]string{}, ends[:5]...), "jump one", "goto one", "return")
		fmt.Fprintf(&b, named, rules(0, 3, append(ends[:5:5], "return")), rules(0, 3, two))
		for _, hook := range []string{"input", "input", "forward", "output", "prerouting"} {
			if !rapid.Bool().Draw(t, "hook") {
				continue
			}
			fmt.Fprintf(&b, "\tchain c%d { type filter hook %s priority %d; policy %s;\n\t\t%s\n\t}\n", b.Len(), hook,
				rapid.SampledFrom([]int{-300, -5, 0, 5}).Draw(t, "priority"), rapid.SampledFrom([]string{"accept", "accept", "drop"}).Draw(t, "policy"), rules(0, 5, ends))
		}
		b.WriteString("}\n")
	}
	return b.String()
}
