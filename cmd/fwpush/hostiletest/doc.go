// Package hostiletest runs the built program against hosts that lie, flood, hang, drip and
// send what a terminal would act on, at each step of a connection and of the dialogue. It
// holds tests only, and needs no root: the hosts are those of internal/simhost.
//
// What is demanded of each run, whatever a host does: it ends within the bounds that
// docs/testing.md lists, without a panic; no byte that a terminal acts on is printed or
// recorded, but for the program's own; a host counts as confirmed only if it said so after it
// was told to commit; and honest hosts beside it end as if they were alone.
package hostiletest
