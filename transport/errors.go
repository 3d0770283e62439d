package transport

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"fwpush/transport/trust"
)

// DialKind tells apart the ways in which a login fails, for code that decides
// whether to try again.
type DialKind string

// The kinds of a DialError.
const (
	DialTimeout  DialKind = "timeout"  // nothing, or not enough, came within the time allowed
	DialRefused  DialKind = "refused"  // the port is closed, or sshd refused a session or command
	DialNoRoute  DialKind = "no route" // host or network unreachable
	DialDNS      DialKind = "dns"      // the name does not resolve
	DialClosed   DialKind = "closed"   // the host hung up before the login was done
	DialProtocol DialKind = "protocol" // no SSH server, or no algorithm in common
	DialFailed   DialKind = "failed"   // anything else, such as too many open files here
)

// ErrTooMuch is wrapped in the LostError of a command that sent more output, or
// a longer line, than Options allow.
var ErrTooMuch = errors.New("too much output")

// Peer names the host an error is about.
type Peer struct {
	Host string // name in the fleet
	Addr string // address and port in use, or as written while not yet resolved
}

// String returns "name (address:port)".
func (p Peer) String() string {
	if p.Host == "" {
		return p.Addr
	}
	return p.Host + " (" + p.Addr + ")"
}

// DialError says that no command was started on the host: a jump host on the way, the
// connection, the login, the session or the exec request failed.
type DialError struct {
	Peer  Peer
	Kind  DialKind
	Stage string        // jump, connect, handshake, login, session, exec
	Limit time.Duration // the time allowed, if Kind is DialTimeout
	// Awaited is the key whose signature was waited for then, "" if it was the host.
	Awaited string
	Err     error

	Tries int  // connections that were made, or tried to be made, 1 where it says 0
	full  bool // sshd took no connection, since others are logging in (MaxStartups)
}

// Jump says that a jump host on the way failed, and nothing is known of the host. A
// *HostKeyError or *AuthError in Err is about the jump host.
func (e *DialError) Jump() bool { return e.Stage == stageJump }

// Reached says that there was a connection to the host.
func (e *DialError) Reached() bool { return e.Stage != stageJump && e.Stage != stageConnect }

// connector is the jump host that was to connect to the host and tried.
func (e *DialError) connector() (*ForwardError, bool) {
	var refused *ForwardError
	return refused, e.Stage == stageConnect && errors.As(e.Err, &refused)
}

func (e *DialError) Error() string {
	if e.Jump() {
		if by, ok := e.Err.(*ForwardError); ok {
			return fmt.Sprintf("%s: through %s: sshd there does not connect to the host for us: %s", e.Peer, by.Peer, by.why()) + hinted(e.Hint())
		}
		return e.Peer.String() + ": through " + e.Err.Error() // which names the hint
	}
	return e.Peer.String() + ": " + e.what() + hinted(e.Hint())
}

func (e *DialError) what() string {
	if by, ok := e.connector(); ok {
		if e.Kind == DialTimeout {
			return fmt.Sprintf("%s connects to it, and there was no answer within %s", by.Peer, e.Limit)
		}
		return fmt.Sprintf("%s cannot connect to it: %s", by.Peer, by.why())
	}
	switch {
	case e.Kind == DialTimeout && e.Stage == stageConnect:
		return fmt.Sprintf("no answer within %s", e.Limit)
	case e.Kind == DialTimeout && e.Awaited != "":
		return fmt.Sprintf("%s did not sign within %s", e.Awaited, e.Limit)
	case e.Kind == DialTimeout:
		return fmt.Sprintf("connected, but the SSH %s was not done within %s", e.Stage, e.Limit)
	case e.Kind == DialRefused && e.Stage == stageConnect:
		return "connection refused"
	case e.Kind == DialRefused:
		return fmt.Sprintf("sshd refused the %s request: %s", e.Stage, because(e.Err))
	case e.Kind == DialClosed:
		return fmt.Sprintf("the host closed the connection during the %s: %s", e.Stage, because(e.Err))
	}
	return e.Stage + ": " + because(e.Err)
}

// Hint returns what to do next, or "".
func (e *DialError) Hint() string {
	if e.Jump() {
		var hinting interface {
			error
			Hint() string
		}
		if errors.As(e.Err, &hinting) {
			return hinting.Hint()
		}
		return ""
	}
	if _, ok := e.connector(); ok {
		return "check its address and port, that sshd runs there, and the firewalls between the two"
	}
	switch {
	case e.Kind == DialTimeout && e.Stage == stageConnect:
		return "check the address, the port and the firewalls on the way"
	case e.Kind == DialTimeout && e.Awaited != "":
		return "touch the token or confirm the use of the key in time, or look at ssh-agent; the host is not to blame"
	case e.Kind == DialTimeout:
		return "check that an SSH server answers on that port and is not overloaded, or raise connect_timeout"
	case e.Kind == DialRefused && e.Stage == stageConnect:
		return "check the port, and that sshd runs"
	case e.Kind == DialRefused:
		return "check ForceCommand and MaxSessions in the host's sshd_config"
	case e.Kind == DialNoRoute:
		return "check the address and the routes of this machine"
	case e.Kind == DialDNS:
		return "check the name, or write an IP address"
	case e.Kind == DialClosed:
		return "sshd may be limiting connections (MaxStartups, PerSourcePenalties): wait, then try again"
	case e.Kind == DialProtocol:
		return "check that the port belongs to an SSH server, and which algorithms its configuration allows"
	}
	return ""
}

func (e *DialError) Unwrap() error { return e.Err }

// HostKeyError says that the key the host showed was not accepted. Nothing was
// sent to it but the key exchange.
type HostKeyError struct {
	Peer Peer
	*trust.Refusal
}

func (e *HostKeyError) Error() string { return e.Peer.String() + ": " + e.Refusal.Error() }

// AuthError says that the host let none of our keys in, or that there was none
// to offer.
type AuthError struct {
	Peer    Peer
	User    string
	Tried   []string // keys offered, in order, each with its fingerprint
	Notes   []string // keys that could not be offered, and why
	Methods []string // what the server would still accept; raw, from the host
	Partial bool     // a key was accepted, but the host asks for more than that
	Err     error    // the server's last word or a failed signature; may be nil
}

func (e *AuthError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: login as %s", e.Peer, e.User)
	switch {
	case e.Partial:
		b.WriteString(": a key is not enough for this host")
	case len(e.Tried) > 0:
		b.WriteString(" refused; tried " + strings.Join(e.Tried, ", "))
	case len(e.Methods) > 0:
		b.WriteString(": the server takes no keys")
	default:
		b.WriteString(": no key to offer")
	}
	if len(e.Notes) > 0 {
		b.WriteString("; " + strings.Join(e.Notes, "; "))
	}
	if len(e.Methods) > 0 {
		b.WriteString("; the server accepts: " + printable(strings.Join(e.Methods, ", ")))
	}
	if e.Err != nil {
		b.WriteString("; " + because(e.Err))
	}
	return b.String() + hinted(e.Hint())
}

// Hint returns what to do next.
func (e *AuthError) Hint() string {
	switch {
	case e.Partial:
		return fmt.Sprintf("allow %s a key alone with AuthenticationMethods in the host's sshd_config", e.User)
	case len(e.Tried) == 0 && len(e.Methods) > 0:
		return "set PubkeyAuthentication yes in the host's sshd_config"
	case len(e.Tried) == 0:
		return "load a key with ssh-add, or name a key file under ssh.identity"
	}
	return fmt.Sprintf("add one of these keys to the authorized_keys of %s on the host, or name another under ssh.identity", e.User)
}

func (e *AuthError) Unwrap() error { return e.Err }

// LostError says that a connection ended while something was under way. What
// became of it on the host is unknown.
type LostError struct {
	Peer  Peer
	Doing string
	Err   error
}

func (e *LostError) Error() string {
	return fmt.Sprintf("%s: connection lost while %s: %s", e.Peer, e.Doing, because(e.Err))
}

func (e *LostError) Unwrap() error { return e.Err }

// ExitError says that a command ran and ended with a status other than 0, or by
// a signal. Signal and Stderr are raw, from the host.
type ExitError struct {
	Peer   Peer
	Status int    // 0 if Signal is set
	Signal string // without "SIG", as RFC 4254 section 6.10 names it
	Stderr string // the last 64 KiB
}

func (e *ExitError) Error() string {
	how := fmt.Sprintf("exit status %d", e.Status)
	if e.Signal != "" {
		how = "killed by signal " + printable(e.Signal)
	}
	lines := strings.Split(strings.TrimSpace(e.Stderr), "\n")
	if last := lines[len(lines)-1]; last != "" {
		how += ": " + printable(last)
	}
	return e.Peer.String() + ": remote command: " + how
}

func hinted(hint string) string {
	if hint == "" {
		return ""
	}
	return "; " + hint
}
