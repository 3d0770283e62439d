// Package space is the algebra of packets: sets of addresses, of services and of
// interfaces, and boxes that are products of them. A question about a prefix is
// answered for all of it and never by samples.
package space
