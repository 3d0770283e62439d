// Package sshconfig asks ssh how it would reach a host, and fills in what the fleet file
// does not write. ssh_config is read by ssh alone, with ssh -G: its patterns, Match, Include
// and tokens mean here what they mean there.
package sshconfig
