// Package plan is all that comes before the first connection: the fleet file
// read and compiled, hosts selected and rendered, and the way in proved as far as
// it can be from here. It contacts no host.
package plan
