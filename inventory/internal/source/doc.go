// Package source reads TOML text into a tree of values that know where they
// were written. The values come from the toml module; the places come from a
// scanner of this package, because that module tells no places once a file
// parses. The two walk the same text and must agree on every key.
package source
