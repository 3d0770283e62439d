package sshtest

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Request is something a client asked for.
type Request struct {
	Conn    int    // number of the connection, counted from 1
	Scope   string // "global", "channel" (opening one) or "session" (within one)
	Type    string // as in the protocol, such as "session", "exec", "pty-req"
	Payload []byte

	// Of a request to open a channel: the address the client had connected to, and who it is.
	Host   netip.AddrPort
	Client netip.Addr
	User   string
	Key    string // fingerprint
}

// Requests returns everything clients have asked for so far, in order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Connections is how many TCP connections were accepted so far.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Commands returns the commands that were asked for so far, in order.
func (s *Server) Commands() []string {
	var commands []string
	for _, r := range s.Requests() {
		if r.Scope == "session" && r.Type == "exec" {
			commands = append(commands, commandOf(r.Payload))
		}
	}
	return commands
}

func (s *Server) record(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	for _, w := range s.waiting {
		if w.conn == r.Conn && w.kind == r.Type {
			w.once.Do(func() { close(w.asked) })
		}
	}
}

// waiter waits for a request of a connection.
type waiter struct {
	conn  int
	kind  string
	asked chan struct{}
	once  sync.Once
}

// conn is one connection.
type conn struct {
	server *Server
	number int
	raw    net.Conn
	since  time.Time
	local  netip.AddrPort
	fault  Fault
	line   *line
	ssh    *ssh.ServerConn
}

// keyExtension is the permission that carries who logged in.
const keyExtension = "fwpush-test-key"

func (c *conn) serve() {
	raw := c.raw
	if c.server.config.RoundTrip > 0 {
		f := newFar(raw, c.server.config.RoundTrip)
		c.server.wg.Go(func() { f.deliver(c.server.ctx.Done()) })
		raw = f
	}
	defer raw.Close()
	ended := make(chan struct{})
	c.line = &line{Conn: raw, fault: c.fault, closed: c.server.ctx.Done()}
	switch c.hit(Accept) {
	case Hang:
		<-c.server.ctx.Done()
		return
	case Drop, Refuse:
		return
	}
	if c.fault.Raw != nil {
		c.fault.Raw(c.raw)
		return
	}
	server, channels, globals, err := ssh.NewServerConn(c.line, c.config())
	if err != nil {
		return
	}
	defer server.Close()
	c.ssh = server
	c.server.wg.Go(func() {
		server.Wait()
		close(ended)
	})
	if c.fault.Extra != nil {
		c.server.wg.Go(func() { c.fault.Extra(&Connection{c}) })
	}
	c.server.wg.Go(func() {
		for r := range globals {
			c.server.record(Request{Conn: c.number, Scope: "global", Type: r.Type, Payload: r.Payload})
			r.Reply(false, nil)
		}
	})
	for channel := range channels {
		c.server.record(Request{Conn: c.number, Scope: "channel", Type: channel.ChannelType(), Payload: channel.ExtraData(),
			Host: c.local, Client: c.raw.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap(), User: server.User(), Key: server.Permissions.Extensions[keyExtension]})
		if channel.ChannelType() == "direct-tcpip" && c.server.config.Forward != nil {
			c.server.wg.Go(func() { c.forward(channel, ended) })
			continue
		}
		if channel.ChannelType() != "session" {
			channel.Reject(ssh.UnknownChannelType, "unsupported channel type")
			continue
		}
		switch c.hit(Session) {
		case Hang, Drop:
			continue
		case Refuse:
			channel.Reject(ssh.ResourceShortage, "no more sessions")
			continue
		}
		stream, requests, err := channel.Accept()
		if err != nil {
			return
		}
		c.server.wg.Go(func() { c.session(stream, requests, ended) })
	}
}

func (c *conn) config() *ssh.ServerConfig {
	config := &ssh.ServerConfig{
		MaxAuthTries: 6, // as sshd
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			switch c.hit(Auth) {
			case Hang:
				<-c.server.ctx.Done()
			case Refuse:
				return nil, errors.New("refused by the test")
			}
			if !c.mayLogIn(meta, key) {
				return nil, errors.New("unknown key")
			}
			return &ssh.Permissions{Extensions: map[string]string{keyExtension: ssh.FingerprintSHA256(key)}}, nil
		},
	}
	if c.fault.Banner != "" {
		config.BannerCallback = func(ssh.ConnMetadata) string { return c.fault.Banner }
	}
	for _, key := range c.server.config.HostKeys(c.local.Addr()) {
		config.AddHostKey(key)
	}
	return config
}

func (c *conn) mayLogIn(meta ssh.ConnMetadata, key ssh.PublicKey) bool {
	if ca := c.server.config.Authority; ca != nil {
		checker := ssh.CertChecker{IsUserAuthority: func(by ssh.PublicKey) bool { return bytes.Equal(by.Marshal(), ca.Marshal()) }}
		if _, err := checker.Authenticate(meta, key); err == nil {
			return true
		}
	}
	return slices.ContainsFunc(c.server.config.Keys, func(k ssh.PublicKey) bool { return bytes.Equal(k.Marshal(), key.Marshal()) })
}
