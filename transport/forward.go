package transport

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/crypto/ssh"
)

// ForwardKind tells apart the ways in which a host fails to connect on somebody's
// behalf (RFC 4254, section 5.1).
type ForwardKind string

// The kinds of a ForwardError.
const (
	ForwardFailed     ForwardKind = "failed"     // the host tried: the other end refused, or has no route or name
	ForwardSilent     ForwardKind = "silent"     // no answer in time
	ForwardProhibited ForwardKind = "prohibited" // sshd does not forward, nothing was tried
)

// ForwardError says that a host made no connection from itself to another address.
type ForwardError struct {
	Peer    Peer   // who was to connect
	Address string // where to
	Kind    ForwardKind
	Err     error
}

func (e *ForwardError) Error() string {
	return fmt.Sprintf("%s: connecting to %s from there: %s", e.Peer, e.Address, because(e.Err)) + hinted(e.Hint())
}

// why is what the host said, without its number.
func (e *ForwardError) why() string {
	var rejected *ssh.OpenChannelError
	if errors.As(e.Err, &rejected) && rejected.Message != "" {
		return printable(rejected.Message)
	}
	return because(e.Err)
}

// Hint returns what to do next, or "".
func (e *ForwardError) Hint() string {
	if e.Kind == ForwardProhibited {
		return "allow it with AllowTcpForwarding local, or PermitOpen, in the sshd_config of that host"
	}
	return ""
}

func (e *ForwardError) Unwrap() error { return e.Err }

// Dial makes the host connect to an address, "host:port" as the host understands it,
// and returns that connection. It takes as long as ctx allows; the connection does not
// depend on ctx once it is returned, and has no deadlines.
//
// The error is a *ForwardError, or a *LostError if the connection to the host ended.
func (c *Conn) Dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := c.client.DialContext(ctx, "tcp", address)
	if err == nil {
		return conn, nil
	}
	var rejected *ssh.OpenChannelError
	switch {
	case errors.As(err, &rejected) && rejected.Reason == ssh.ConnectionFailed:
		return nil, &ForwardError{c.peer, address, ForwardFailed, err}
	case errors.As(err, &rejected):
		return nil, &ForwardError{c.peer, address, ForwardProhibited, err}
	case ctx.Err() != nil:
		return nil, &ForwardError{c.peer, address, ForwardSilent, context.Cause(ctx)}
	}
	return nil, c.lost("connecting to " + address)
}
