package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"fwpush/internal/ui"
	"fwpush/transport"
)

// dial makes the dialer of a command. Where there is a terminal, passphrases are asked for
// there, never by a program that SSH_ASKPASS names: what it shows is not ours.
func (c *console) dial(policy transport.HostKeyPolicy) *transport.Dialer {
	o := transport.Options{Log: c.logger(), HostKeys: policy}
	if c.isInteractive() {
		o.Passphrase = c.passphrase
	}
	return transport.New(o)
}

// passphrase asks for that of a key file.
func (c *console) passphrase(ctx context.Context, path string, tries int) ([]byte, error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if tries < transport.PassphraseTries {
		c.Tell("wrong passphrase; tries left: %d", tries)
	}
	word, err := ui.AskSecret(ctx, c.in, c.err, "Passphrase for "+ui.Safe(path)+":")
	switch {
	case ctx.Err() != nil, errors.Is(err, ui.ErrInterrupted):
		return nil, ended(exitInterrupted, "interrupted at the question, no host was changed")
	case err != nil:
		return nil, ended(exitConfig, "no passphrase for %s: %v; no host was changed", path, err)
	}
	return word, nil
}
