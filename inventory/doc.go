// Package inventory reads the fleet file: what is written, where it is
// written, and nothing about what it means. It decodes strictly, reports every
// mistake of a file at once with its line and column, merges defaults into
// hosts, and answers which hosts a pattern names.
package inventory
