package probe

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"fwpush/transport"
)

const (
	// maxBusy is how many connections a host makes for us at a time. Each takes a file
	// descriptor of its sshd, which has 1024 of them as a rule.
	maxBusy = 256
	// maxHung is how many attempts that nobody waits for any more may hang on one
	// connection. SSH cannot take back a request (RFC 4254, section 5.1), and where
	// packets are dropped the host goes on for two minutes.
	maxHung = 64
	// failing is how long a login that failed is not tried again: sshd counts them
	// (PerSourcePenalties in sshd_config(5)).
	failing = 5 * time.Second
)

// start is a host of the fleet that probes start on. They share one connection to it.
type start struct {
	name  string
	dial  func(context.Context) (*transport.Conn, error)
	ctx   context.Context // until the Prober is closed
	group *sync.WaitGroup
	slots chan struct{}

	mu      sync.Mutex
	current *login
	ended   bool
}

// login is one connection to a host, or the attempt to make it.
type login struct {
	ready chan struct{} // closed once conn or err is set
	conn  *transport.Conn
	err   error
	at    time.Time // when it became ready

	// Guarded by the mutex of the start.
	busy    int // who may be using it
	hung    int // attempts that nobody waits for
	retired bool
}

func newStart(ctx context.Context, group *sync.WaitGroup, name string, dial func(context.Context) (*transport.Conn, error)) *start {
	return &start{name: name, dial: dial, ctx: ctx, group: group, slots: make(chan struct{}, maxBusy)}
}

// connect makes the host connect to an address. A connection to the host that turns out
// to be lost is replaced once.
func (s *start) connect(ctx context.Context, at string, limit time.Duration) (net.Conn, attempt) {
	broken := func(err error) (net.Conn, attempt) {
		return nil, attempt{at: at, fate: notTried, why: sayf(err, "from %s: %s", safe(s.name), safe(err.Error()))}
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return broken(errors.New("too many other connections are being made there"))
	}
	defer func() { <-s.slots }()
	for again := false; ; again = true {
		l := s.take()
		select {
		case <-l.ready:
		case <-ctx.Done():
			s.release(l)
			return broken(errors.New("no login in time; raise timeout"))
		}
		if l.err != nil {
			s.release(l)
			return broken(l.err)
		}
		began := time.Now()
		conn, err := s.through(ctx, l, at, limit)
		if err == nil {
			return &borrowed{Conn: conn, s: s, l: l}, attempt{at: at, fate: there, did: "connects"}
		}
		var lost *transport.LostError
		if errors.As(err, &lost) {
			s.retire(l)
		}
		s.release(l)
		switch {
		case lost != nil && !again:
			continue
		case errors.Is(err, errSilent):
			return nil, silence(at, began, limit)
		}
		return nil, forwarding(at, s.name, err)
	}
}

var (
	errSilent = errors.New("no answer")
	errGone   = errors.New("the host itself gives no sign of life")
)

// through asks the host to connect. When ctx ends first the error is errSilent if the
// host itself was there all the time, and the attempt goes on by itself until the host
// gives it up or the connection is closed.
func (s *start) through(ctx context.Context, l *login, at string, limit time.Duration) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	got, left := make(chan result), make(chan struct{})
	s.group.Go(func() {
		conn, err := l.conn.Dial(context.Background(), at)
		select {
		case got <- result{conn, err}:
		case <-left:
			if conn != nil {
				conn.Close()
			}
			s.hang(l, -1)
		}
	})
	// Silence is that of the address only if the host has taken in what we asked.
	alive := make(chan struct{})
	defer time.AfterFunc(limit/2, func() {
		if l.conn.Alive(ctx) == nil {
			close(alive)
		}
	}).Stop()
	select {
	case r := <-got:
		return r.conn, r.err
	case <-ctx.Done():
	}
	close(left)
	s.hang(l, +1)
	select {
	case <-alive:
		return nil, errSilent
	default:
		return nil, errGone
	}
}

// take returns the connection that is in use, or begins to make one. It has to be
// released.
func (s *start) take() *login {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.current
	if l == nil || l.stale() {
		l = &login{ready: make(chan struct{})}
		s.current = l
		s.group.Go(func() { s.open(l) })
	}
	l.busy++
	return l
}

// stale reports a login that failed long enough ago.
func (l *login) stale() bool {
	select {
	case <-l.ready:
		return l.err != nil && time.Since(l.at) >= failing
	default:
		return false
	}
}

func (s *start) open(l *login) {
	l.conn, l.err = s.dial(s.ctx)
	l.at = time.Now()
	close(l.ready)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended && l.err == nil {
		l.conn.Close()
	}
}

func (s *start) release(l *login) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.busy--
	s.closeUnused(l)
}

// retire lets nobody new use a connection. It is closed when nobody does.
func (s *start) retire(l *login) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replace(l)
}

func (s *start) replace(l *login) {
	l.retired = true
	if s.current == l {
		s.current = nil
	}
}

// hang counts an attempt that nobody waits for, or its end.
func (s *start) hang(l *login, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.hung += by
	if l.hung >= maxHung {
		s.replace(l)
	}
	s.closeUnused(l)
}

func (s *start) closeUnused(l *login) {
	if l.retired && l.busy == 0 {
		l.conn.Close()
	}
}

// end closes the connection for good.
func (s *start) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	l := s.current
	if l == nil {
		return
	}
	select {
	case <-l.ready:
		if l.err == nil {
			l.conn.Close()
		}
	default: // open sees that it came too late
	}
}

// borrowed is a connection that a host has made for us.
type borrowed struct {
	net.Conn
	s    *start
	l    *login
	once sync.Once
}

// Close does not wait: a stuck connection to the host could hold it up.
func (b *borrowed) Close() error {
	b.once.Do(func() {
		b.s.group.Go(func() { b.Conn.Close() })
		b.s.release(b.l)
	})
	return nil
}

// forwarding says what the failure of a host to connect means. SSH has one number for
// everything that keeps a host from connecting (RFC 4254, section 5.1); the words beside
// it are those of connect(2) or getaddrinfo(3), from OpenSSH and dropbear on glibc and
// musl. Without known words it is taken for an answer of the address, and for no answer
// if a name has yet to be looked up there.
func forwarding(at, name string, err error) attempt {
	a := attempt{at: at, fate: notTried, why: sayf(err, "from %s: %s", safe(name), safe(err.Error()))}
	var failed *transport.ForwardError
	if !errors.As(err, &failed) || failed.Kind != transport.ForwardFailed || failed.Err == nil {
		return a
	}
	words := failed.Err.Error()
	a.why = sayf(err, "from %s: %s", safe(name), safe(words))
	host, _, _ := net.SplitHostPort(at)
	contains := func(list ...string) bool {
		for _, w := range list {
			if strings.Contains(words, w) {
				return true
			}
		}
		return false
	}
	switch {
	case contains("refused"):
		a.fate, a.why = notThere, sayf(err, "from %s: connection refused", safe(name))
	case contains("timed out", "No route to host", "Host is unreachable", "reset", "Permission denied"):
		a.fate = notThere
	case contains("Network is unreachable", "Network unreachable", "Address family not supported",
		"Cannot assign requested address", "Address not available"):
		a.fate = noRoute
	case contains("Too many open files", "No file descriptors available", "Cannot allocate memory", "Out of memory"):
	case isAddress(host):
		a.fate = notThere
	}
	return a
}
