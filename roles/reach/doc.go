// Package reach tells who may talk to whom in a fleet: which services the rules of the
// hosts let pass between roles, sets and the internet, and by which rules.
package reach
