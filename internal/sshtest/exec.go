package sshtest

import (
	"context"
	"io"
	"net/netip"
	"time"

	"golang.org/x/crypto/ssh"
)

// Handler runs one command.
type Handler func(*Exec) Exit

// Discard reads stdin to its end and exits with 0.
func Discard(x *Exec) Exit {
	io.Copy(io.Discard, x.Stdin)
	return Exit{}
}

// Exit is how a command ends.
type Exit struct {
	Status int    // 0 to 255
	Signal string // without "SIG"; instead of Status if not ""
	Mute   bool   // close the session without telling either
	Cut    bool   // tell it, then cut the connection with the session still open
}

// Exec is one command as a Handler sees it.
type Exec struct {
	Conn    int            // number of the connection, counted from 1
	Since   time.Time      // when it was accepted
	Host    netip.Addr     // the address the client connected to
	Client  netip.AddrPort // where it came from
	User    string
	Key     string // fingerprint of the key that logged in
	Command string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer

	ctx    context.Context
	conn   *conn
	stream ssh.Channel
}

// Context ends when the connection or the server does.
func (x *Exec) Context() context.Context { return x.ctx }

// Asked is closed when this connection asks for something of a kind from now on,
// such as "keepalive@openssh.com", or ends.
func (x *Exec) Asked(kind string) <-chan struct{} {
	w := &waiter{conn: x.Conn, kind: kind, asked: make(chan struct{})}
	context.AfterFunc(x.ctx, func() { w.once.Do(func() { close(w.asked) }) })
	s := x.conn.server
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, w)
	return w.asked
}

// Drop cuts the TCP connection.
func (x *Exec) Drop() { x.conn.raw.Close() }

// Stall makes the server deaf and mute from now on, with the TCP connection
// left open.
func (x *Exec) Stall() { x.conn.line.stalled.Store(true) }

// Tell sends a request on the session that wants no answer, such as "exit-status".
func (x *Exec) Tell(kind string, payload []byte) { x.stream.SendRequest(kind, false, payload) }

func commandOf(payload []byte) string {
	var exec struct{ Command string }
	if ssh.Unmarshal(payload, &exec) != nil {
		return ""
	}
	return exec.Command
}

// session serves one session channel.
func (c *conn) session(stream ssh.Channel, requests <-chan *ssh.Request, ended <-chan struct{}) {
	started := false
	for r := range requests {
		c.server.record(Request{Conn: c.number, Scope: "session", Type: r.Type, Payload: r.Payload})
		if r.Type != "exec" || started {
			r.Reply(false, nil)
			continue
		}
		switch c.hit(Command) {
		case Hang, Drop:
			continue
		case Refuse:
			r.Reply(false, nil)
			continue
		}
		started = true
		r.Reply(true, nil)
		c.server.wg.Go(func() { c.run(stream, commandOf(r.Payload), ended) })
	}
}

func (c *conn) run(stream ssh.Channel, command string, ended <-chan struct{}) {
	ctx, cancel := context.WithCancel(c.server.ctx)
	defer cancel()
	c.server.wg.Go(func() {
		select {
		case <-ended:
			cancel()
		case <-ctx.Done():
		}
	})
	client, _ := netip.ParseAddrPort(c.raw.RemoteAddr().String())
	exit := c.server.config.Handler(&Exec{
		Conn: c.number, Since: c.since, Host: c.local.Addr(), Client: client, User: c.ssh.User(),
		Key: c.ssh.Permissions.Extensions[keyExtension], Command: command,
		Stdin: stream, Stdout: stream, Stderr: stream.Stderr(), ctx: ctx, conn: c, stream: stream,
	})
	if c.hit(Ending) == Hang {
		<-ctx.Done()
		return
	}
	if !exit.Cut {
		stream.CloseWrite()
	}
	switch {
	case exit.Mute:
	case exit.Signal != "":
		stream.SendRequest("exit-signal", false, ssh.Marshal(struct {
			Signal     string
			CoreDumped bool
			Message    string
			Language   string
		}{exit.Signal, false, "", ""}))
	default:
		stream.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(exit.Status)}))
	}
	if exit.Cut {
		c.raw.Close()
		return
	}
	stream.Close()
}
