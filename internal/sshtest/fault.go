package sshtest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Point is a step of a connection at which it can be made to fail.
type Point string

// The points, in the order a connection passes them.
const (
	Accept  Point = "accept"  // connected, nothing sent yet
	Auth    Point = "auth"    // host key accepted, the client offers a key
	Session Point = "session" // logged in, the client opens a session
	Command Point = "command" // session open, the client sends a command
	Ending  Point = "ending"  // the handler has returned, its exit is not told yet
)

// Action is how a connection fails.
type Action string

// The actions.
const (
	Hang   Action = "hang"   // say nothing more about this step; the connection stays open
	Drop   Action = "drop"   // cut the TCP connection
	Refuse Action = "refuse" // say no; at Accept the same as Drop
)

// Fault is what goes wrong with one connection. The zero Fault is none.
type Fault struct {
	At Point
	Do Action

	Drip       time.Duration // send every byte by itself, this long after the one before
	CutAfter   int           // cut the connection after so many bytes sent; 0: never
	StallAfter int           // send nothing more after so many bytes; 0: never

	Banner string            // said when a client logs in (RFC 4252, section 5.4); "": nothing
	Raw    func(net.Conn)    // has the connection instead of SSH until it returns; nil: SSH
	Extra  func(*Connection) // once the client is logged in, beside what it asks for; nil: nothing
}

// Connection is one that is logged in, for what a server may send and no honest one does.
type Connection struct{ conn *conn }

// Request sends a global request and waits for no answer.
func (c *Connection) Request(kind string, payload []byte) error {
	_, _, err := c.conn.ssh.SendRequest(kind, false, payload)
	return err
}

// Open asks the client for a channel, such as "x11" (RFC 4254, section 6.3.2). An error says that it refused.
func (c *Connection) Open(kind string, payload []byte) error {
	channel, _, err := c.conn.ssh.OpenChannel(kind, payload)
	if err != nil {
		return err
	}
	return channel.Close()
}

// hit reports what to do at a point, and does what needs no answer.
func (c *conn) hit(at Point) Action {
	if c.fault.At != at {
		return ""
	}
	if c.fault.Do == Drop {
		c.raw.Close()
	}
	return c.fault.Do
}

// line is the server's end of the TCP connection, with its faults.
type line struct {
	net.Conn
	fault   Fault
	stalled atomic.Bool
	closed  <-chan struct{}

	mu   sync.Mutex
	sent int
}

func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if l.stalled.Load() {
		<-l.closed
		return 0, io.ErrClosedPipe
	}
	return n, err
}

func (l *line) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault.Drip == 0 {
		return l.write(p)
	}
	for i := range p {
		timer := time.NewTimer(l.fault.Drip)
		select {
		case <-timer.C:
		case <-l.closed:
			timer.Stop()
			return i, io.ErrClosedPipe
		}
		if _, err := l.write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

func (l *line) write(p []byte) (int, error) {
	cut, stall := l.fault.CutAfter, l.fault.StallAfter
	switch {
	case l.stalled.Load(), stall > 0 && l.sent >= stall:
		<-l.closed
		return 0, io.ErrClosedPipe
	case cut > 0 && l.sent+len(p) > cut:
		l.Conn.Write(p[:cut-l.sent])
		l.Conn.Close()
		return 0, io.ErrClosedPipe
	case stall > 0 && l.sent+len(p) > stall:
		l.Conn.Write(p[:stall-l.sent])
		l.sent = stall
		<-l.closed
		return 0, io.ErrClosedPipe
	}
	n, err := l.Conn.Write(p)
	l.sent += n
	return n, err
}
