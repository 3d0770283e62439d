package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"fwpush/inventory"
	"fwpush/transport/trust"
)

// Stages of a DialError, in the order they are gone through.
const (
	stageJump      = "jump"
	stageConnect   = "connect"
	stageHandshake = "handshake"
	stageLogin     = "login"
	stageSession   = "session"
	stageExec      = "exec"
)

// order is what is to be logged in to.
type order struct {
	ep       inventory.Endpoint
	peer     Peer // its Addr is what is dialled
	hostKeys hostKeys
	prefer   trust.Identity // to offer first
	once     bool           // who asks waits between tries himself
}

// ride is the connection to a jump host that a login goes over.
type ride struct {
	*Conn
	own bool // nobody else's: it ends with the login
}

// login is one attempt to log in. The SSH library calls back from goroutines of
// its own, so what they find out is guarded by mu.
type login struct {
	order
	user  string
	limit time.Duration // for all of it
	until time.Time
	notes []string
	first *bytes.Buffer // what the host says first; nil: nobody wants to know

	mu       sync.Mutex
	refused  *HostKeyError
	hostKey  ssh.PublicKey // accepted
	tried    []string
	methods  []string
	partial  bool
	used     trust.Identity // made the last signature
	signErr  error
	awaited  string // the key that was asked for a signature and gave none yet
	finished bool   // no key is left to offer
}

// login logs in, over the connection to a jump host unless that is nil.
func (d *Dialer) login(parent context.Context, l *login, jump *ride) (*Conn, error) {
	ctx, cancel := l.begin(parent)
	defer cancel()
	var err error
	if l.user, err = userOf(l.ep); err != nil {
		return nil, fmt.Errorf("%s: %w", l.peer, err)
	}
	// What logged in before is enough: an agent that hangs must not make the
	// connection fail that confirms.
	keys := trust.Alone(l.prefer)
	if !l.prefer.ByItself() {
		keys, err = d.store.Identities(ctx, wantedBy(l.ep))
		//lint:ignore SA5001 with an error there are keys, too
		defer keys.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.peer, err)
		}
		keys.Trim(l.prefer)
	}
	if len(keys.List) == 0 {
		return nil, &AuthError{Peer: l.peer, User: l.user, Notes: keys.Notes}
	}
	return d.patiently(ctx, parent, l, jump, keys)
}

// begin starts the clock of a login.
func (l *login) begin(parent context.Context) (context.Context, context.CancelFunc) {
	started := time.Now()
	ctx, cancel := context.WithTimeout(parent, timeoutOf(l.ep))
	l.until, _ = ctx.Deadline()
	l.limit = l.until.Sub(started).Round(time.Millisecond)
	return ctx, cancel
}

// handshake connects, looks at the host key and logs in with one of the keys.
func (d *Dialer) handshake(ctx, parent context.Context, l *login, jump *ride, keys *trust.Identities) (*Conn, error) {
	started := time.Now()
	raw, addr, err := l.connect(ctx, parent, jump)
	if err != nil {
		return nil, err
	}
	dialled := l.peer.Addr
	if addr.IsValid() {
		l.peer.Addr = addr.String()
	}
	w := newWire(raw, d.quickAck)
	if w.first = l.first; w.first != nil {
		w.first.Reset()
	}
	w.SetDeadline(l.until)
	stop := context.AfterFunc(ctx, func() { w.Close() })
	conn, channels, requests, err := ssh.NewClientConn(w, dialled, l.config(w, keys.List))
	if !stop() && err == nil {
		conn.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		l.notes = keys.Notes
		// The deadline of the connection may pass an instant before that of the context.
		expired := ctx.Err() != nil || errors.Is(w.readError(), os.ErrDeadlineExceeded)
		if p, ok := raw.(*program); ok && w.heard.Load() == 0 && !expired {
			return nil, &DialError{Peer: l.peer, Kind: DialFailed, Stage: stageConnect, Err: p.why()}
		}
		return nil, l.loginError(parent, w, expired, err)
	}
	w.SetDeadline(time.Time{})

	c := &Conn{
		peer: l.peer, timeout: timeoutOf(l.ep), wire: w, opts: d.opts, done: make(chan struct{}),
		client: ssh.NewClient(conn, channels, requests), local: addrPort(raw.LocalAddr()), jump: jump, passwords: d.passwords,
	}
	if jump != nil {
		c.local = jump.local
	}
	algorithm := conn.(ssh.AlgorithmsConnMetadata).Algorithms().HostKey
	l.mu.Lock()
	c.target = Target{l.ep, addr, trust.PinTo(l.hostKey, algorithm), l.used}
	d.opts.Log.Debug("logged in", "host", l.ep.Name, "address", l.peer.Addr, "user", l.user, "took", time.Since(started))
	l.mu.Unlock()
	go c.watch()
	go c.keepAlive()
	return c, nil
}

func (l *login) config(w *wire, keys []trust.Identity) *ssh.ClientConfig {
	supported := ssh.SupportedAlgorithms() // without SHA-1 signatures and DSA
	return &ssh.ClientConfig{
		Config:            ssh.Config{KeyExchanges: supported.KeyExchanges, Ciphers: supported.Ciphers, MACs: supported.MACs},
		User:              l.user,
		ClientVersion:     "SSH-2.0-fwpush",
		HostKeyAlgorithms: l.hostKeys.Algorithms(),
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			refusal := l.hostKeys.Check(key)
			l.mu.Lock()
			defer l.mu.Unlock()
			if refusal != nil {
				l.refused = &HostKeyError{l.peer, refusal}
				return l.refused
			}
			l.hostKey = key
			return nil
		},
		// Key by key: a signature that fails, as with an agent that says no,
		// would otherwise end the attempt with the other keys untried.
		AuthCallback: func(auth *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if err := w.readError(); err != nil {
				return nil, err
			}
			l.methods, l.partial = auth.AllowedMethods, len(auth.PartialSuccessMethods) > 0
			if len(keys) == 0 || !slices.Contains(auth.AllowedMethods, "publickey") {
				l.finished = true
				return nil, errors.New("no key left to offer")
			}
			next := keys[0]
			keys = keys[1:]
			l.tried = append(l.tried, next.String())
			return ssh.PublicKeys(next.Signer(l.signing, l.signed)), nil
		},
	}
}

func (l *login) signing(id trust.Identity) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.awaited = id.String()
}

func (l *login) signed(id trust.Identity, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Running out of time ends a signature under way with an error.
	if err == nil || time.Now().Before(l.until) {
		l.awaited = ""
	}
	if err != nil {
		l.signErr = fmt.Errorf("%s: %w", id, err)
		return
	}
	l.used = id
}

func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := tcp.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}
