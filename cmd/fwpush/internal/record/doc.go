// Package record writes what becomes of a run into the journal, and reads from there
// what a later command needs to go on with it.
package record
