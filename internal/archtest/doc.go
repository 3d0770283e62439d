// Package archtest holds the rules of this repository that a compiler does not check, as tests:
// which room may import which, which third-party modules are let in and where, one package comment
// each, calls and words that have no place here, the length of files, and clean shell scripts.
//
// The tables in house_test.go are meant to be edited: a new room, module or top-level entry is
// added there on purpose or not at all. Every rule is run on this repository, where it must find
// nothing, and on small trees that break it, where it must find exactly that.
package archtest
