package sshtest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Config says what a Server does.
type Config struct {
	Keys      []ssh.PublicKey                    // may log in, as any user
	Authority ssh.PublicKey                      // user certificates it signed may log in too; may be nil
	Handler   Handler                            // nil: discards stdin and exits with 0
	Forward   Forwarding                         // nil: connections through the server are refused
	Fault     func(conn int) Fault               // of the n-th connection, counted from 1; nil: none
	HostFault func(host netip.Addr) Fault        // of a connection to a host, where Fault is nil; nil: none
	HostKeys  func(host netip.Addr) []ssh.Signer // nil: one ed25519 key for all
	ManyHosts bool                               // answer on all of 127.0.0.0/8, else on 127.0.0.1 only
	RoundTrip time.Duration                      // how far away the server is
}

// Server is a running SSH server.
type Server struct {
	config   Config
	listener net.Listener
	hostKey  ssh.Signer
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu       sync.Mutex
	accepted int
	conns    map[*conn]struct{} // open ones
	requests []Request
	waiting  []*waiter
}

// New starts a Server on the loopback interface. It ends, with everything it
// started, when the test does.
func New(tb testing.TB, config Config) *Server {
	tb.Helper()
	host := "127.0.0.1"
	if config.ManyHosts {
		host = "0.0.0.0"
	}
	listener, err := net.Listen("tcp4", host+":0")
	if err != nil {
		tb.Fatalf("sshtest: %v", err)
	}
	s := &Server{config: config, listener: listener, hostKey: NewKey(tb), conns: map[*conn]struct{}{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if s.config.Handler == nil {
		s.config.Handler = Discard
	}
	if s.config.HostKeys == nil {
		s.config.HostKeys = func(netip.Addr) []ssh.Signer { return []ssh.Signer{s.hostKey} }
	}
	s.wg.Go(s.accept)
	tb.Cleanup(s.Close)
	return s
}

// Close ends the server, its connections and its handlers.
func (s *Server) Close() {
	s.cancel()
	s.listener.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.raw.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// Addr is where the server listens.
func (s *Server) Addr() netip.AddrPort { return s.Host(0) }

// Host is the address of the i-th simulated host, counted from 0. Only the
// first answers unless ManyHosts is set.
func (s *Server) Host(i int) netip.AddrPort {
	port := s.listener.Addr().(*net.TCPAddr).AddrPort().Port()
	if i == 0 {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, byte(1 + i>>16), byte(i >> 8), byte(i)}), port)
}

// KnownHosts is a known_hosts file that knows the first n hosts.
func (s *Server) KnownHosts(n int) string {
	var b strings.Builder
	for i := range n {
		addr := s.Host(i)
		for _, key := range s.config.HostKeys(addr.Addr()) {
			fmt.Fprintln(&b, knownhosts.Line([]string{addr.String()}, key.PublicKey()))
		}
	}
	return b.String()
}

func (s *Server) accept() {
	for {
		raw, err := s.listener.Accept()
		if err != nil {
			return
		}
		remote := raw.RemoteAddr().(*net.TCPAddr)
		if !remote.IP.IsLoopback() {
			raw.Close()
			continue
		}
		s.mu.Lock()
		s.accepted++
		c := &conn{server: s, number: s.accepted, raw: raw, since: time.Now()}
		s.conns[c] = struct{}{}
		closing := s.ctx.Err() != nil
		s.mu.Unlock()
		if closing {
			raw.Close()
			return
		}
		c.local = raw.LocalAddr().(*net.TCPAddr).AddrPort()
		switch {
		case s.config.Fault != nil:
			c.fault = s.config.Fault(c.number)
		case s.config.HostFault != nil:
			c.fault = s.config.HostFault(c.local.Addr())
		}
		s.wg.Go(func() {
			c.serve()
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.conns, c)
		})
	}
}
