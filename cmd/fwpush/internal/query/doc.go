// Package query reads what a person asks about a packet and puts the question to
// the rules that the packet would meet.
package query
