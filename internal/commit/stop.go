//go:build !fwpushtest

package commit

// stopAt does nothing: only a test build can be stopped at a step.
func stopAt(string) {}
