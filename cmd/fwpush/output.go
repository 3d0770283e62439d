package main

import (
	"errors"
	"fmt"
	"syscall"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/ui"
)

// writeRun prints the object of a command that ends with err.
func (c *console) writeRun(command, run string, err error, hosts []report.Host) error {
	return ui.WriteJSON(c.out, report.Run{Schema: 1, Run: run, Command: command,
		Exit: exitCode(err), Error: reason(err), Hosts: append([]report.Host{}, hosts...)})
}

// shown is how a command ends whose whole purpose is what it prints: one that
// could not print has failed, unless its reader has had enough.
func shown(err, printing error) error {
	if printing == nil || errors.Is(printing, syscall.EPIPE) || exitCode(err) > exitDifferences {
		return err
	}
	return fmt.Errorf("cannot print the result: %w", printing)
}

// done is how a command ends that has changed hosts. That it could not print the
// result is told, and changes nothing of what is true on the hosts.
func (c *console) done(err, printing error) error {
	if printing != nil {
		c.Tell("cannot print the result: %v", printing)
	}
	return err
}
