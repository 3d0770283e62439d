// Package journal is what happened, on the controller: a directory for each run
// with an event a line, and an index of the hosts that a fleet is known to have
// rules on. It holds plain data and knows no SSH and no firewall. docs/journal.md
// is the format, for whoever reads the files with a program.
package journal
