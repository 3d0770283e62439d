// Package hostkeys gets to know the host keys of a selection: it has the hosts show them,
// jump hosts first, folds what they show, and says what a person has to look at. What
// becomes of it is decided by the verb.
package hostkeys
