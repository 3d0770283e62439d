package transport

import (
	"context"
	"fmt"
)

// Ways to be root on a host, as an Endpoint names them in Become. "" is the first.
const (
	becomeNone = "none" // the login is root's own
	becomeSudo = "sudo"
	becomeDoas = "doas"
)

// StartRoot is Start for a command that needs root, in the way that the endpoint says. The
// command has to be words that every login shell takes as they are.
//
// Whether the host really makes it root only the command can tell: sudo and doas say no by
// ending it, with a message that RootHint explains.
func (c *Conn) StartRoot(ctx context.Context, command string) (*Exec, error) {
	switch by := c.target.ep.Become; by {
	case "", becomeNone:
		return c.Start(ctx, command)
	case becomeSudo, becomeDoas:
		return c.Start(ctx, by+" -n "+command)
	default:
		return nil, fmt.Errorf("%s: a bug in fwpush: no way to be root is called %.20q", c.peer, by)
	}
}
