// Package fleetfile finds and reads the fleet file and judges it as a file: who
// could have written it, and whether it is text.
package fleetfile
