package render

import "fwpush/inventory"

// icmpIn admits what IP cannot work without (RFC 4890 4.4, RFC 792): errors,
// packet-too-big among them, neighbour discovery and multicast listener
// discovery. Connection tracking does not track the last two, so they have to
// pass before it is asked. The hop limit of 255 proves that a neighbour sent
// the packet (RFC 4861 6.1, 7.1); listener discovery leaves with 1 and comes
// from a link-local address (RFC 3810 5), or from :: before there is one.
func icmpIn() block {
	return block{head: "chain icmp_in", lines: plain(
		icmpErrors, icmp6Errors,
		"icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept",
		"ip6 saddr fe80::/10 icmpv6 type nd-router-advert ip6 hoplimit 255 accept",
		"ip6 saddr fe80::/10 icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } accept",
		"ip6 saddr :: icmpv6 type mld2-listener-report accept",
	)}
}

// icmpOut is the same for what a host sends, which is no router.
func icmpOut() block {
	return block{head: "chain icmp_out", lines: plain(
		icmpErrors, icmp6Errors,
		"icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept",
		"icmpv6 type { mld-listener-report, mld-listener-done, mld2-listener-report } ip6 hoplimit 1 accept",
	)}
}

const (
	icmpErrors  = "icmp type { destination-unreachable, time-exceeded, parameter-problem } accept"
	icmp6Errors = "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept"
)

const dropCast = "meta pkttype { broadcast, multicast } counter drop"

// dropCastOut says the same of packets on their way out, which have no packet
// type yet. A broadcast to a subnet is not among them; the kernel answers none.
var dropCastOut = [...]string{
	"ip daddr 224.0.0.0/4 counter drop",
	"ip daddr 255.255.255.255 counter drop",
	"ip6 daddr ff00::/8 counter drop",
}

// rejects ends a chain with an answer: a reset for TCP, since clients take that
// as "refused" at once and wait on the ICMP error. `icmpx type` is the one form
// that nft 0.9.8 to 1.1.3 all read.
var rejects = [...]string{
	"meta l4proto tcp counter reject with tcp reset",
	"counter reject with icmpx type admin-prohibited",
}

func refuseInput(places []inventory.Place) []line {
	return placed(places, append([]string{dropCast}, rejects[:]...)...)
}

func refuseOutput(places []inventory.Place) []line {
	return placed(places, append(dropCastOut[:len(dropCastOut):len(dropCastOut)], rejects[:]...)...)
}
