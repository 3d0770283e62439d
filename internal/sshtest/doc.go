// Package sshtest is an SSH server inside the test process: it runs a Go
// function for each command, fails at the step a test asks for, stands for
// thousands of hosts behind one listener, and writes down everything a client
// asked of it.
//
// It is as strict as sshd: anything but one exec request on a session channel, and a
// connection to where a test lets it go, is refused. Who logged in is known only from
// the permissions of the finished handshake, never from the keys a client merely
// mentioned (CVE-2024-45337).
package sshtest
