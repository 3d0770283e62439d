// Package past says what runs have done that are over, from what the journal has of them:
// for people as text, folded and safe for a terminal, and for programs as the objects of
// history -o json, whose fields are a contract and are only ever added.
package past
