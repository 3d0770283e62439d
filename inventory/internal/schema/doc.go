// Package schema is the table of every kind of table and key of the fleet file:
// what a value may be, what it is if it is absent, what it means, and whether
// this version supports it. Decoding goes by it and so does what documents it.
package schema
