// Package proposal makes a role of rules that a host has already. The rules of iptables
// and of nft are an order of questions; a role has no order. What becomes of the first
// packet of everything is worked out in sets of packets, the role is made of that, and then
// compiled and compared with it: a proposal says itself where it opens or closes anything.
//
// A rule that is not understood opens nothing, and is named.
package proposal
