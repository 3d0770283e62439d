package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"strconv"
	"time"

	"fwpush/inventory"
	"fwpush/transport/trust"
)

const (
	defaultTimeout   = 10 * time.Second
	defaultKeepAlive = 5 * time.Second
	defaultMaxOutput = 16 << 20
)

// Options are the settings of a Dialer that do not depend on the host.
type Options struct {
	Log       *slog.Logger  // nil: nothing is logged
	KeepAlive time.Duration // between keepalives; 0: 5 s. Three without a sign of life end a connection
	MaxOutput int           // bytes of stdout and stderr together that one command may send; 0: 16 MiB
}

// Dialer logs in to hosts. It reads each key file and known_hosts list once,
// when first needed, and is safe for any number of goroutines.
type Dialer struct {
	opts     Options
	store    *trust.Store
	quickAck bool
}

// New returns a Dialer. It opens nothing; ssh-agent is asked at each login
// through the socket that SSH_AUTH_SOCK names now.
func New(opts Options) *Dialer {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.KeepAlive <= 0 {
		opts.KeepAlive = defaultKeepAlive
	}
	if opts.MaxOutput <= 0 {
		opts.MaxOutput = defaultMaxOutput
	}
	return &Dialer{opts: opts, store: trust.NewStore(os.Getenv("SSH_AUTH_SOCK"), opts.Log), quickAck: true}
}

// Dial opens a new TCP connection and logs in. Name lookup, connection,
// handshake and login together take no longer than ep.ConnectTimeout (10 s if
// that is 0). The Conn does not depend on ctx once it is returned.
//
// The error is a *DialError, *HostKeyError or *AuthError, wraps a
// *trust.FileError, or
// wraps the cause of ctx if that was cancelled.
func (d *Dialer) Dial(ctx context.Context, ep inventory.Endpoint) (*Conn, error) {
	peer := peerOf(ep)
	known, err := d.store.KnownHosts(ep.KnownHosts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", peer, err)
	}
	return d.login(ctx, &login{ep: ep, peer: peer, addr: peer.Addr, hostKeys: known.Host(ep.Address, ep.Port)})
}

// Redial opens another TCP connection to the address that answered the first
// time and accepts the host key seen there and no other. The key that logged in
// then is offered first. Limits and errors are those of Dial.
func (d *Dialer) Redial(ctx context.Context, t Target) (*Conn, error) {
	peer := Peer{t.ep.Name, t.addr.String()}
	return d.login(ctx, &login{ep: t.ep, peer: peer, addr: peer.Addr, hostKeys: t.pin, prefer: t.identity})
}

// Check reports everything that would stop Dial before it connects: key files
// and known_hosts files that are missing, unreadable or unusable, and having no
// key at all. It contacts no host, only ssh-agent if a key needs it.
func (d *Dialer) Check(ctx context.Context, ep inventory.Endpoint) error {
	ctx, cancel := context.WithTimeout(ctx, timeoutOf(ep))
	defer cancel()
	_, errKnown := d.store.KnownHosts(ep.KnownHosts)
	keys, errKeys := d.store.Identities(ctx, ep.Identity)
	//lint:ignore SA5001 with an error there are keys, too
	defer keys.Close()
	user, errUser := userOf(ep)
	if errKeys == nil && len(keys.List) == 0 {
		errKeys = &AuthError{Peer: peerOf(ep), User: user, Notes: keys.Notes}
	}
	return errors.Join(errKnown, errKeys, errUser)
}

func peerOf(ep inventory.Endpoint) Peer {
	return Peer{ep.Name, net.JoinHostPort(ep.Address, strconv.Itoa(int(ep.Port)))}
}

func timeoutOf(ep inventory.Endpoint) time.Duration {
	if ep.ConnectTimeout > 0 {
		return ep.ConnectTimeout
	}
	return defaultTimeout
}

// userOf is the account to log in as: without one in the fleet file that of the
// person running this, as ssh does.
func userOf(ep inventory.Endpoint) (string, error) {
	if ep.User != "" {
		return ep.User, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("cannot tell who you are: %w; set ssh.user in the fleet file", err)
	}
	return u.Username, nil
}
