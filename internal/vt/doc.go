// Package vt is a terminal for tests: it takes what a program writes and tells what a
// person sees. It knows what fwpush uses and fails at anything else, so that a test
// finds out when more is written than every terminal understands.
package vt
