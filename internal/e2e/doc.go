// Package e2e is the built program as a user runs it, against real hosts: it holds
// tests only. Each is named after what fwpush promises.
package e2e
