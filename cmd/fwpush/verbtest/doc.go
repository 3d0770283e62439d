// Package verbtest runs the verbs that contact hosts as a person does, at a
// terminal and away from it: questions, interrupts, drift, what a dead controller
// left behind, the demo. It holds tests only; what fwpush promises of the hosts
// themselves is tested in internal/e2e.
package verbtest
