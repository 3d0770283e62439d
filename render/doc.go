// Package render says a Policy in the words of a firewall: canonical nftables
// text that is the same to the byte for the same policy, the form in which it
// is loaded over what a host runs, and differences that never lie.
//
// # What a ruleset holds besides the rules of a role
//
// Input, in this order: the management pair (stateless, so that neither a deny
// nor connection tracking can cut it), loopback, antispoof, the ICMP core,
// known connections, the DHCP client's answers, every deny, every allow, and a
// counted, explicit end.
//
// There is an output chain if the policy says anything of what the host sends. With
// outbound "accept" and deny rules the management pair, loopback, the ICMP core,
// known connections and the DHCP client stand above them, because a deny speaks of
// connections the host opens and never of its answers or of its own address.
// With outbound "drop" or "reject" it is closed but for the policy's lifelines
// (DNS and NTP, unless the policy has rules of its own for them), the DHCP
// client when dhcp_client is on, and ping unless ping is off.
//
// A rule is written once for each family in which it has addresses. A family
// without addresses gets no rule; a match is never left out.
package render
