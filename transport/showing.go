package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"fwpush/inventory"
	"fwpush/transport/trust"
)

// Standing is how what a host shows stands to what is recorded of it.
type Standing string

// The standings. What Dial finds is the same.
const (
	StandingKnown       Standing = "known"       // its key, or a certificate of its authority, is recorded
	StandingNew         Standing = "new"         // nothing is recorded of it
	StandingChanged     Standing = "changed"     // another key is recorded
	StandingRevoked     Standing = "revoked"     // it shows a key that is revoked
	StandingUncertified Standing = "uncertified" // an authority is recorded, and no certificate of it was shown
)

// Showing is which keys a host shows.
type Showing struct {
	Standing Standing
	Name     string // as known_hosts has it
	File     string // where it would be recorded
	Keys     []HostKey
	Refusal  error // why a login would be refused; nil for a known host

	peer Peer
	host trust.Host
	hash bool // hide its name
}

// HostKey is a key that a host has proved to be its own.
type HostKey struct {
	Type        string   // such as "ssh-ed25519", without regard to a certificate
	Fingerprint string   // "SHA256:..."
	Certificate bool     // shown within one
	Elsewhere   []string // other names it is recorded under, with their places

	key ssh.PublicKey
}

// Showing asks a host for its keys without logging in to it: by one connection if the
// first key it shows is recorded, else by one for each type of key it has. Each is proved
// to be the host's by a signature. Jump hosts on the way are logged in to as by Dial, with
// a strict check of their keys.
//
// Errors are those of Dial, but for a *HostKeyError or *AuthError, which can only be about a
// jump host.
func (d *Dialer) Showing(ctx context.Context, ep inventory.Endpoint) (Showing, error) {
	o := order{ep: ep, peer: peerOf(ep)}
	host, err := d.known(ep)
	if err != nil {
		return Showing{}, fmt.Errorf("%s: %w", o.peer, err)
	}
	s := Showing{Name: host.Name().Recorded(), File: host.File(), peer: o.peer, host: host, hash: ep.HashNames}
	var jump *ride
	if ep.Via != nil {
		var leave func()
		if jump, leave, err = d.ride(ctx, o); err != nil {
			return s, err
		}
		defer leave()
	}
	left := host.Algorithms()
	for len(left) > 0 {
		key, offered, err := d.show(ctx, o, left, jump)
		if err != nil {
			return s, err
		}
		s.add(key)
		if s.Standing == StandingKnown {
			break
		}
		left = slices.DeleteFunc(left, func(a string) bool {
			return trust.KeyType(a) == plainType(key) || !slices.Contains(offered, a)
		})
	}
	return s, nil
}

// add judges one more key. The first is the one that a login would see; the others can
// only make it worse.
func (s *Showing) add(key ssh.PublicKey) {
	shown := HostKey{Type: plainType(key), Fingerprint: ssh.FingerprintSHA256(key), key: key}
	if cert, ok := key.(*ssh.Certificate); ok {
		shown.Certificate, shown.Fingerprint = true, ssh.FingerprintSHA256(cert.Key)
	}
	shown.Elsewhere = s.host.Elsewhere(key)
	s.Keys = append(s.Keys, shown)
	r := s.host.Check(key)
	switch {
	case r != nil && r.Kind == trust.Revoked:
		s.Standing = StandingRevoked
	case len(s.Keys) > 1:
		return
	case r == nil:
		s.Standing = StandingKnown
		return
	case r.Kind == trust.Changed:
		s.Standing = StandingChanged
	case r.Unrecorded():
		s.Standing = StandingNew
	default:
		s.Standing = StandingUncertified
	}
	s.Refusal = &HostKeyError{s.peer, r}
}

// Record writes those of the keys that are wanted into the host's known_hosts file. A login
// of the same Dialer finds them there. If something else has been recorded since, nothing is
// written, and the error is a *HostKeyError.
func (s Showing) Record(wanted func(HostKey) bool) error {
	var keys []ssh.PublicKey
	for _, k := range s.Keys {
		if wanted(k) {
			keys = append(keys, k.key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	err := s.host.Record(keys, s.hash)
	var refused *trust.Refusal
	if errors.As(err, &refused) {
		return &HostKeyError{s.peer, refused}
	}
	return err
}

// ride is a place on the connection to the jump host.
func (d *Dialer) ride(ctx context.Context, o order) (jump *ride, leave func(), err error) {
	h, err := d.hop(*o.ep.Via)
	if err != nil {
		return nil, nil, o.jumpError(ctx, err)
	}
	conn, err := d.open(ctx, h)
	if err != nil {
		return nil, nil, o.jumpError(ctx, err)
	}
	leave, err = h.enter(ctx)
	if err != nil {
		return nil, nil, o.jumpError(ctx, err)
	}
	return &ride{conn, false}, leave, nil
}

// show has the host show a key for one of the algorithms, and tells which it offers.
func (d *Dialer) show(parent context.Context, o order, algorithms []string, jump *ride) (ssh.PublicKey, []string, error) {
	asked := &onlyShown{algorithms: algorithms}
	o.hostKeys = asked
	l := &login{order: o, first: new(bytes.Buffer)}
	ctx, cancel := l.begin(parent)
	defer cancel()
	conn, err := d.patiently(ctx, parent, l, jump, &trust.Identities{})
	if err == nil { // not with a key that is refused
		conn.Close()
		return nil, nil, errors.New("logged in without a key")
	}
	if asked.key == nil {
		return nil, nil, err
	}
	return asked.key, offers(l.first.Bytes()), nil
}

// onlyShown takes note of a key and refuses it.
type onlyShown struct {
	algorithms []string
	key        ssh.PublicKey
}

func (s *onlyShown) Algorithms() []string { return s.algorithms }

func (s *onlyShown) Check(key ssh.PublicKey) *trust.Refusal {
	s.key = key
	return &trust.Refusal{Kind: trust.Unknown}
}

func plainType(key ssh.PublicKey) string {
	if cert, ok := key.(*ssh.Certificate); ok {
		key = cert.Key
	}
	return key.Type()
}

// offers are the host key algorithms that a host names in the first packet after its
// version (RFC 4253, sections 4.2, 6 and 7.1); none where that cannot be read. The SSH
// library tells them only when none of ours is among them.
func offers(heard []byte) []string {
	for {
		line, rest, ok := bytes.Cut(heard, []byte("\n"))
		if !ok {
			return nil
		}
		heard = rest
		if bytes.HasPrefix(line, []byte("SSH-")) {
			break
		}
	}
	const header, kexInit, cookie = 5, 20, 16
	if len(heard) < header+1+cookie || heard[header] != kexInit {
		return nil
	}
	heard = heard[header+1+cookie:]
	for list := range 2 { // key exchanges, then host keys
		if len(heard) < 4 {
			return nil
		}
		size := binary.BigEndian.Uint32(heard)
		heard = heard[4:]
		if uint64(size) > uint64(len(heard)) {
			return nil
		}
		if list == 1 {
			return strings.Split(string(heard[:size]), ",")
		}
		heard = heard[size:]
	}
	return nil
}
