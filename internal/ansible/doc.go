// Package ansible reads an inventory in the JSON of "ansible-inventory --list", runs
// programs that print it, and says which machines it names in the keys of a fleet file.
package ansible
