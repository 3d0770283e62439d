// Package agree holds what fwpush says of a packet against what the kernel does
// with it. It draws fleet files and packets, loads the rulesets of both backends
// into namespaces of their own, sends the packets, and asks the verdict engine the
// same question. It has tests only.
package agree
