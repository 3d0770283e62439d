// Package simhost is a fleet of simulated hosts in the test process: each speaks the
// host's side of the dialogue that docs/protocol.md describes, keeps what a host
// keeps, and takes unconfirmed rules back by itself. Thousands of them stand behind
// one SSH server.
//
// It is strict. It knows the programs that package commit sends by their exact text
// and answers to nothing else; a word out of order, a short upload or a missing last
// line gets what the real script answers. conform_test.go takes simulated and real
// hosts through the same scenes and compares what package commit makes of both.
//
// What it is not: rules are text to it. It filters no packet, so a lock-out is a
// Fault that a test asks for; steps that take a host milliseconds take no time, so
// nobody meets it between two of them; timers always prove themselves; a revert
// never fails.
package simhost
