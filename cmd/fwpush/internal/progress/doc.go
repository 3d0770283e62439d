// Package progress runs something over many hosts for a person who watches: a
// line on stderr for what happens, a heartbeat while nothing does, and an answer
// to each interrupt.
package progress
