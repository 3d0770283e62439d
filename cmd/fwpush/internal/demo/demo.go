// Package demo shows fwpush's main job on a small fleet of real hosts made on this
// machine: a push, the ports before and after, and lock-outs that the hosts heal.
package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"fwpush/internal/lab"
	"fwpush/internal/ui"
)

// Perform plays the demo in a world of its own, from the first host to the last
// word. The error says what was not as announced. The program that runs is taken
// to be fwpush: it runs itself, also on the hosts.
func Perform(ctx context.Context, w *lab.World, out io.Writer, colour ui.Colour) error {
	began := time.Now()
	s := &stage{out: out, colour: colour, w: w}
	for _, scene := range []func(context.Context) error{s.setUp, s.push, s.look, s.lockOut, s.heal} {
		if err := scene(ctx); err != nil {
			return fmt.Errorf("the demo did not show what it should: %w", err)
		}
	}
	s.say("Done in %s. The hosts and all their files end with this command.", time.Since(began).Round(time.Second))
	return nil
}
