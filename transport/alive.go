package transport

import (
	"context"
	"fmt"
)

// Alive waits for a sign of life that the host gives after it has taken in everything
// that was sent to it before. The error is a *LostError, or wraps the cause of ctx.
func (c *Conn) Alive(ctx context.Context) error {
	answered := make(chan error, 1)
	go func() {
		// Every SSH server answers, if only with a refusal, and in order (RFC 4254, section 4).
		_, _, err := c.client.SendRequest("keepalive@openssh.com", true, nil)
		answered <- err
	}()
	select {
	case err := <-answered:
		if err != nil {
			return c.lost("waiting for a sign of life")
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: waiting for a sign of life: %w", c.peer, context.Cause(ctx))
	}
}
