// Package report says what became of hosts: for people as text, folded and safe
// for a terminal, and for programs as the objects of -o json, whose fields are a
// contract and are only ever added.
package report
