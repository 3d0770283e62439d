package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"fwpush/inventory"
	"fwpush/transport/trust"
)

// missedKeepAlives is after how many keepalive intervals without a sign of life
// a connection is given up.
const missedKeepAlives = 3

// Conn is a login on a host. It ends by Close, by the host, or after three
// keepalives without any answer; what was under way then gets a *LostError.
type Conn struct {
	peer      Peer
	target    Target
	timeout   time.Duration
	opts      Options
	wire      *wire
	client    *ssh.Client
	local     netip.AddrPort
	jump      *ride // what it goes through; nil for nothing
	passwords *passwords
	tries     int // connections that sshd took or turned away, this one included
	execs     atomic.Int64

	mu      sync.Mutex
	closing []*Exec // given up, and maybe not let go of by the host yet

	once  sync.Once
	done  chan struct{}
	cause error // why it ended; set before done is closed
}

// Target is where a connection led: the address that answered and the host key
// seen there. It is a value and holds no connection.
type Target struct {
	ep       inventory.Endpoint
	addr     netip.AddrPort
	pin      trust.Pin
	identity trust.Identity // what logged in
}

// Addr is the address and port that answered; the zero AddrPort if a jump host looked up
// a name to get there.
func (t Target) Addr() netip.AddrPort { return t.addr }

// Pinned returns what Redial needs to reach the same host again.
func (c *Conn) Pinned() Target { return c.target }

// Peer names the host for messages.
func (c *Conn) Peer() Peer { return c.peer }

// LocalAddr is this end of the connection, as this machine sees it; with jump hosts that
// of the connection to the first.
func (c *Conn) LocalAddr() netip.AddrPort { return c.local }

// RemoteAddr is the host's end of the connection, as this machine or the last jump host
// sees it; the zero AddrPort if a jump host looked up a name to get there.
func (c *Conn) RemoteAddr() netip.AddrPort { return c.target.addr }

// Execs is how many commands were started on this connection.
func (c *Conn) Execs() int { return int(c.execs.Load()) }

// Tries is how many connections it took to be let in: sshd turns some away while too many
// others are logging in.
func (c *Conn) Tries() int { return c.tries }

// Close ends the connection at once, without a word to the host, which a stuck
// one could hold up. It always returns nil.
func (c *Conn) Close() error {
	c.fail(net.ErrClosed)
	return nil
}

// fail ends the connection. The first cause stays.
func (c *Conn) fail(cause error) {
	c.once.Do(func() {
		c.cause = cause
		close(c.done)
	})
	c.wire.Close()
	if c.jump != nil && c.jump.own {
		c.jump.Close()
	}
}

// Gone is why nothing more comes over the connection, nil as far as is known here: nothing is asked
// of the host. It knows that of a broken connection before anybody who reads from a channel of it.
func (c *Conn) Gone() error {
	select {
	case <-c.done:
		return c.cause
	default:
		return c.wire.readError()
	}
}

// brokenJump is why nothing more comes over a jump host, or nil.
func (c *Conn) brokenJump() error {
	if c.jump == nil {
		return nil
	}
	if err := c.jump.Gone(); err != nil {
		return fmt.Errorf("the connection to the jump host %s was lost: %w", c.jump.peer, err)
	}
	return nil
}

// lost tells that something was under way when the connection ended.
func (c *Conn) lost(doing string) *LostError {
	e := &LostError{Peer: c.peer, Doing: doing, Err: errors.New("the host ended the session without an exit status")}
	if err := c.Gone(); err != nil {
		e.Err = err
	}
	select {
	case <-c.done:
	default:
		if err := c.brokenJump(); err != nil {
			e.Err = err
		}
	}
	return e
}

// watch notices when the SSH layer has ended.
func (c *Conn) watch() {
	err := c.client.Wait()
	if broken := c.wire.readError(); broken != nil {
		err = broken
	}
	err = fmt.Errorf("the host closed the connection: %w", err)
	if jump := c.brokenJump(); jump != nil {
		err = jump
	}
	c.fail(err)
}

// keepAlive sends a request that every SSH server answers, if only with a
// refusal. Whatever arrives counts as a sign of life. A connection that cannot
// even take the request is given up just the same.
func (c *Conn) keepAlive() {
	ticker := time.NewTicker(c.opts.KeepAlive)
	defer ticker.Stop()
	answered := make(chan struct{}, 1)
	answered <- struct{}{}
	for {
		select {
		case <-c.done:
			return
		case <-ticker.C:
		}
		if quiet := c.wire.silence(); quiet >= missedKeepAlives*c.opts.KeepAlive {
			c.fail(fmt.Errorf("no sign of life for %s", quiet.Round(time.Second)))
			return
		}
		select {
		case <-answered:
			go func() {
				c.client.SendRequest("keepalive@openssh.com", true, nil)
				answered <- struct{}{}
			}()
		default: // the last one is still on its way
		}
	}
}
