// Package addrs is the algebra of address ranges: lists of closed ranges of one
// family, merged so that equal sets of addresses are equal values.
package addrs
