// Package e2e tests fwpush as a user runs it: the built program, fleet files,
// and real hosts in namespaces. It holds nothing but tests.
package e2e
