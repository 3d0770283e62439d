package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
)

// maxPassword is what PAM takes, in bytes (PAM_MAX_RESP_SIZE in _pam_types.h).
const maxPassword = 511

// passwords are those by which logins become root, by host. They are nowhere but in memory.
type passwords struct {
	mu   sync.Mutex
	all  []*password
	host map[string]*password
}

// Password gives the password that sudo or su will ask for on a host. Hosts with the same
// one stand and fall together: until one of them has accepted it they are asked one by one,
// and once one has refused it before any accepted it, none is asked any more. So a mistyped
// password is tried once, and locks no account (pam_faillock, lockout in a directory): it
// counts twice there, as sudo asks again at once. No host is given a password again that it
// has refused.
func (d *Dialer) Password(host string, word []byte) error {
	switch {
	case len(word) == 0:
		return errors.New("the password is empty")
	case len(word) > maxPassword:
		return fmt.Errorf("the password is longer than %d bytes, which PAM takes at most", maxPassword)
	case bytes.ContainsAny(word, "\n\r\x00"):
		return errors.New("the password has an end of line or a NUL in it")
	}
	p := d.passwords
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.all {
		if one.text == string(word) {
			p.host[host] = one
			return nil
		}
	}
	one := &password{text: string(word), turn: make(chan struct{}, 1), refusedBy: map[string]bool{}}
	p.all = append(p.all, one)
	p.host[host] = one
	return nil
}

// of is the password for a host, nil if none was given.
func (p *passwords) of(host string) *password {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.host[host]
}

// password is one password, and what hosts have made of it.
type password struct {
	text string
	turn chan struct{} // who may try it while nobody knows whether it is right

	mu        sync.Mutex
	accepted  bool
	first     string // host that refused it before any accepted it
	refusedBy map[string]bool
}

// verdict is what a host made of a password.
type verdict int

const (
	undecided verdict = iota
	right
	wrong
)

// lend lets a host be given the password, and waits while another one is and nobody has
// accepted it yet. done must be told what came of it.
func (p *password) lend(ctx context.Context, host string) (done func(verdict), err error) {
	if known, err := p.known(host); known {
		return func(v verdict) { p.note(host, v) }, err
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	known, err := p.known(host)
	if known {
		<-p.turn
		return func(v verdict) { p.note(host, v) }, err
	}
	return func(v verdict) {
		p.note(host, v)
		<-p.turn
	}, nil
}

// known says whether it is decided if the host may be given it. The error says why not.
func (p *password) known(host string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.refusedBy[host]:
		return true, errors.New("the host has refused this password before; it is not tried again")
	case p.accepted:
		return true, nil
	case p.first != "":
		return true, fmt.Errorf("%s has refused this password, and it is tried nowhere else, so that it locks no account", p.first)
	}
	return false, nil
}

func (p *password) note(host string, v verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch v {
	case right:
		p.accepted = true
	case wrong:
		p.refusedBy[host] = true
		if !p.accepted && p.first == "" {
			p.first = host
		}
	}
}
