// Package hostlist is the small language in which people name hosts: patterns
// such as web[01-20], web* or role:web, the natural order of names, and the
// folding of many names into few patterns.
package hostlist
