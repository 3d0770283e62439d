// Package doctor judges what a host told when it was examined: what would make a push
// to it fail, what else would not be as the fleet file says, and what to do about each.
package doctor
