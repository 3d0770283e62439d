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
	"sync"
	"time"

	"fwpush/inventory"
	"fwpush/transport/trust"
)

const (
	defaultTimeout   = 10 * time.Second
	defaultKeepAlive = 5 * time.Second
	defaultMaxOutput = 16 << 20
	defaultAnswer    = 30 * time.Second // PAM waits some seconds after a wrong password, and may ask a directory
)

// Options are the settings of a Dialer that do not depend on the host.
type Options struct {
	Log       *slog.Logger  // nil: nothing is logged
	KeepAlive time.Duration // between keepalives; 0: 5 s. Three without a sign of life end a connection
	MaxOutput int           // bytes of stdout and stderr together that one command may send; 0: 16 MiB
	HostKeys  HostKeyPolicy // "": Strict
	Answer    time.Duration // for sudo or su to ask for a password, and again to judge it; 0: 30 s

	// Passphrase asks a person for the passphrase of a key file, with so many tries left. It is
	// called by Check alone, once for each key, and not where the agent holds the key. The
	// bytes are cleared after use. nil: there is nobody to ask.
	Passphrase func(ctx context.Context, path string, tries int) ([]byte, error)
}

// HostKeyPolicy says what becomes of a host that no known_hosts file knows. One whose key
// has changed or is revoked is refused whatever the policy is.
type HostKeyPolicy string

// The policies.
const (
	// Strict refuses it.
	Strict HostKeyPolicy = "strict"
	// AcceptNew records its key and goes on, unless an authority is recorded for it.
	AcceptNew HostKeyPolicy = "accept-new"
	// Collect refuses it, and has HostKeys tell what there is to record.
	Collect HostKeyPolicy = "collect"
)

// Dialer logs in to hosts. It reads each key file and known_hosts list once,
// when first needed, keeps the connections to jump hosts until it is closed, and is
// safe for any number of goroutines.
type Dialer struct {
	opts      Options
	store     *trust.Store
	passwords *passwords
	quickAck  bool
	closing   context.Context
	close     context.CancelCauseFunc

	mu   sync.Mutex
	hops map[string]*hop
	met  []Met
}

// New returns a Dialer. It opens nothing; ssh-agent is asked at each login
// through the socket that SSH_AUTH_SOCK names now. Close it when it is no longer needed.
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
	if opts.Answer <= 0 {
		opts.Answer = defaultAnswer
	}
	d := &Dialer{opts: opts, store: trust.NewStore(os.Getenv("SSH_AUTH_SOCK"), opts.HostKeys == AcceptNew || opts.HostKeys == Collect, opts.Log), quickAck: true, hops: map[string]*hop{},
		passwords: &passwords{host: map[string]*password{}}}
	d.closing, d.close = context.WithCancelCause(context.Background())
	return d
}

// Dial opens a new connection and logs in, directly or through ep.Via. Name lookup,
// connection, handshake and login together take no longer than ep.ConnectTimeout (10 s if
// that is 0). The Conn does not depend on ctx once it is returned.
//
// Every jump host on the way is logged in to in the same way, with a check of its own host
// key and its own ConnectTimeout, once: all logins through it share that connection. The
// jump host sees only the ciphertext of what goes through it. It connects to the host, and
// looks up ep.Address if that is a name. ep.ConnectTimeout begins when its login is one of
// those at a time through the jump host (JumpLogins of that); until then only ctx ends the wait.
//
// The error is a *DialError, *HostKeyError or *AuthError, wraps a
// *trust.FileError, or
// wraps the cause of ctx if that was cancelled. If it is about a jump host it wraps that
// one's error in a *DialError of stage "jump".
func (d *Dialer) Dial(ctx context.Context, ep inventory.Endpoint) (*Conn, error) {
	o, err := d.order(ep)
	if err != nil {
		return nil, err
	}
	return d.enter(ctx, o)
}

// Redial opens another connection to the address that answered the first
// time and accepts the host key seen there and no other. The key that logged in
// then is offered first. Limits and errors are those of Dial, but a host that takes no
// connection is tried once.
//
// Which address answered is not known if a jump host looked up a name, or ProxyCommand did.
// It looks up the same name again then, and only the key tells that the host is the same.
func (d *Dialer) Redial(ctx context.Context, t Target) (*Conn, error) {
	peer := peerOf(t.ep)
	if t.addr.IsValid() && t.ep.Via == nil {
		peer.Addr = t.addr.String()
	}
	return d.enter(ctx, order{ep: t.ep, peer: peer, hostKeys: t.pin, prefer: t.identity, once: true})
}

// order is what Dial asks for.
func (d *Dialer) order(ep inventory.Endpoint) (order, error) {
	peer := peerOf(ep)
	known, err := d.known(ep)
	if err != nil {
		return order{}, fmt.Errorf("%s: %w", peer, err)
	}
	o := order{ep: ep, peer: peer, hostKeys: known}
	if d.opts.HostKeys == AcceptNew {
		o.hostKeys = newcomer{known, d, ep}
	}
	return o, nil
}

func (d *Dialer) enter(ctx context.Context, o order) (*Conn, error) {
	if o.ep.Via == nil {
		return d.login(ctx, &login{order: o}, nil)
	}
	return d.through(ctx, o)
}

// Check reports everything that would stop Dial before it connects: key files
// and known_hosts files that are missing, unreadable or unusable, and having no
// key at all, for the host and for the jump hosts on the way. It contacts no host, only
// ssh-agent if a key needs it, and asks for passphrases: of named keys that the agent does
// not hold, and of the usual ones if there is no other key.
func (d *Dialer) Check(ctx context.Context, ep inventory.Endpoint) error {
	var errs []error
	for hop := &ep; hop != nil; hop = hop.Via {
		errs = append(errs, d.check(ctx, *hop)...)
	}
	return errors.Join(errs...)
}

// CheckHostKeys is the part of Check that has to do with known_hosts files.
func (d *Dialer) CheckHostKeys(_ context.Context, ep inventory.Endpoint) error {
	var errs []error
	for hop := &ep; hop != nil; hop = hop.Via {
		_, err := d.store.KnownHosts(hop.KnownHosts, hop.RevokedKeys)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (d *Dialer) check(ctx context.Context, ep inventory.Endpoint) []error {
	_, errKnown := d.store.KnownHosts(ep.KnownHosts, ep.RevokedKeys)
	locked, errKeys := d.usable(ctx, ep)
	if errKeys != nil && len(locked) > 0 && d.opts.Passphrase != nil {
		for _, path := range locked {
			if err := d.unlock(ctx, path); err != nil {
				return []error{errKnown, err}
			}
		}
		_, errKeys = d.usable(ctx, ep)
	}
	_, errUser := userOf(ep)
	return []error{errKnown, errKeys, errUser}
}

// usable says why there is no key to log in with, and which key files a passphrase would
// open.
func (d *Dialer) usable(ctx context.Context, ep inventory.Endpoint) (locked []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeoutOf(ep))
	defer cancel()
	keys, err := d.store.Identities(ctx, wantedBy(ep))
	//lint:ignore SA5001 with an error there are keys, too
	defer keys.Close()
	if err == nil && len(keys.List) == 0 {
		user, _ := userOf(ep) // which is told by itself
		err = &AuthError{Peer: peerOf(ep), User: user, Notes: keys.Notes}
	}
	return keys.Locked, err
}

// PassphraseTries is how often a passphrase may be wrong, as with ssh
// (NumberOfPasswordPrompts of ssh_config(5)).
const PassphraseTries = 3

// unlock asks for the passphrase of a key file. That all tries were wrong is told by
// whoever looks for keys next; the error is that nobody answered.
func (d *Dialer) unlock(ctx context.Context, path string) error {
	for try := range PassphraseTries {
		passphrase, err := d.opts.Passphrase(ctx, path, PassphraseTries-try)
		if err != nil {
			return err
		}
		err = d.store.Unlock(path, passphrase)
		clear(passphrase)
		if !errors.Is(err, trust.ErrPassphrase) {
			return err
		}
	}
	d.store.GiveUp(path, fmt.Sprintf("is encrypted, %d passphrases were wrong", PassphraseTries))
	return nil
}

// wantedBy are the keys to log in with.
func wantedBy(ep inventory.Endpoint) trust.Wanted {
	return trust.Wanted{Files: ep.Identity, Certificates: ep.Certificates, Agent: ep.IdentityAgent, Others: ep.OtherKeys}
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
