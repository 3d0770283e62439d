package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// connectError says why no TCP connection came about.
func (l *login) connectError(parent context.Context, err error) error {
	if cancelled(parent) {
		return fmt.Errorf("%s: %s: %w", l.peer, stageConnect, context.Cause(parent))
	}
	e := &DialError{Peer: l.peer, Kind: DialFailed, Stage: stageConnect, Limit: l.limit, Err: err}
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		e.Kind = DialDNS
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Kind = DialRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.ENETDOWN):
		e.Kind = DialNoRoute
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		e.Kind = DialTimeout
	case errors.Is(err, syscall.ECONNRESET):
		e.Kind = DialClosed
	}
	return e
}

// forwardError says why the jump host made no connection to the host.
func (l *login) forwardError(parent context.Context, err error) error {
	e := &DialError{Peer: l.peer, Kind: DialFailed, Stage: stageConnect, Limit: l.limit, Err: err}
	var refused *ForwardError
	switch {
	case cancelled(parent):
		return fmt.Errorf("%s: %s: %w", l.peer, stageConnect, context.Cause(parent))
	case !errors.As(err, &refused):
		return l.jumpError(parent, err)
	case refused.Kind == ForwardProhibited:
		e.Kind, e.Stage = DialRefused, stageJump
	case refused.Kind == ForwardSilent:
		e.Kind = DialTimeout
	}
	return e
}

// jumpError says that a jump host on the way was not reached, or is no longer.
func (o order) jumpError(parent context.Context, err error) error {
	if cancelled(parent) {
		return fmt.Errorf("%s: through %w", o.peer, err)
	}
	e := &DialError{Peer: o.peer, Kind: DialFailed, Stage: stageJump, Err: err}
	var dial *DialError
	var lost *LostError
	switch {
	case errors.As(err, &dial):
		e.Kind, e.Limit = dial.Kind, dial.Limit
	case errors.As(err, &lost):
		e.Kind = DialClosed
	case errors.Is(err, context.DeadlineExceeded):
		e.Kind = DialTimeout
	}
	return e
}

// loginError says why a connection did not become a login.
func (l *login) loginError(parent context.Context, w *wire, expired bool, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	stage := stageHandshake
	if l.hostKey != nil {
		stage = stageLogin
	}
	broken := w.readError()
	e := &DialError{Peer: l.peer, Kind: DialProtocol, Stage: stage, Limit: l.limit, Err: err}
	var negotiation *ssh.AlgorithmNegotiationError
	switch {
	case l.refused != nil:
		return l.refused
	case cancelled(parent):
		return fmt.Errorf("%s: %s: %w", l.peer, stage, context.Cause(parent))
	case expired:
		e.Kind, e.Awaited = DialTimeout, l.awaited
	case errors.As(err, &negotiation):
		e.Err = fmt.Errorf("no %s in common: the host offers only %s",
			negotiation.What, strings.Join(negotiation.RequestedAlgorithms, ", "))
	case l.finished:
		return l.authError(l.signErr)
	case broken != nil:
		e.Kind, e.Err = DialClosed, broken
		e.full = stage == stageHandshake && w.turnedAway()
	case stage == stageLogin: // err is the server's last word
		return l.authError(err)
	}
	return e
}

func (l *login) authError(err error) *AuthError {
	return &AuthError{
		Peer: l.peer, User: l.user, Tried: l.tried, Notes: l.notes, Methods: l.methods, Partial: l.partial, Err: err,
	}
}

// cancelled tells giving up on purpose from running out of time.
func cancelled(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded)
}
