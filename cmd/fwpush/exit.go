package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"fwpush/internal/rollout"
)

// Exit codes. They are a contract with whoever calls fwpush from a program.
const (
	exitOK          = 0
	exitDifferences = 1
	exitConfig      = 2
	exitFailed      = 3
	exitUnreachable = 4
	exitUnknown     = 5
	exitStopped     = 6
	exitLocked      = 7
	exitInterrupted = 130
)

// exit is how a command ends: a code, and the last line on stderr, empty if
// that was printed already.
type exit struct {
	code int
	line string
}

func (e *exit) Error() string { return e.line }

// ended is an exit for a reason.
func ended(code int, format string, args ...any) error {
	return &exit{code, fmt.Sprintf("exit %d: ", code) + fmt.Sprintf(format, args...)}
}

// endedRun is the exit of a run over hosts.
func endedRun(results []rollout.Result) error {
	code := rollout.ExitCode(results)
	if code == exitOK {
		return nil
	}
	return &exit{code, rollout.ExitLine(results)}
}

// exitCode is the code an error will end with.
func exitCode(err error) int {
	var end *exit
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &end):
		return end.code
	}
	return exitConfig
}

// usageError is a command line that cannot be taken.
type usageError struct {
	cmd  *cobra.Command
	text string
}

func (e *usageError) Error() string { return e.text }

// reason is an error without the code before it, for programs, which have that in
// a field of its own.
func reason(err error) string {
	if err == nil {
		return ""
	}
	return strings.TrimPrefix(err.Error(), fmt.Sprintf("exit %d: ", exitCode(err)))
}

// report prints how a command ended and returns its code.
func (c *console) report(err error) int {
	var usage *usageError
	var end *exit
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		c.Tell("%s", usage.text)
		c.Tell("usage: %s; more with %s --help", usage.cmd.UseLine(), usage.cmd.CommandPath())
		c.Tell("exit %d: usage", exitConfig)
	case errors.As(err, &end):
		if end.line != "" {
			c.Tell("%s", end.line)
		}
	default:
		// Several errors are several lines; each is made safe by itself.
		for line := range strings.SplitSeq(err.Error(), "\n") {
			c.Tell("%s", line)
		}
		c.Tell("exit %d: no host was changed", exitConfig)
	}
	return exitCode(err)
}

// meaning is what a code says, for the paragraph EXIT STATUS of help texts.
func meaning(code int) string {
	switch code {
	case exitOK:
		return "everything asked for is true now"
	case exitDifferences:
		return "differences were found"
	case exitConfig:
		return "usage, a mistake in the fleet file, or a lock-out proof that failed; no host was changed"
	case exitFailed:
		return "a host failed: it was never changed, or it is proven back on its old rules"
	case exitUnreachable:
		return "hosts could not be reached or refused the login; nothing was done there"
	case exitUnknown:
		return "unknown: a host is neither confirmed nor proven back on its old rules"
	case exitStopped:
		return "the rollout was stopped by a canary, a probe, a budget, or a lock-out proof in a later group; the rest is untouched"
	case exitLocked:
		return "a host is locked by another run"
	case exitInterrupted:
		return "interrupted; what was under way has ended"
	}
	return ""
}
