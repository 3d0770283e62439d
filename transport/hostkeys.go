package transport

import (
	"slices"

	"golang.org/x/crypto/ssh"

	"fwpush/inventory"
	"fwpush/transport/trust"
)

// hostKeys decides which host keys are asked for and which are accepted.
type hostKeys interface {
	Algorithms() []string
	Check(key ssh.PublicKey) *trust.Refusal
}

// known is what is recorded of a host.
func (d *Dialer) known(ep inventory.Endpoint) (trust.Host, error) {
	known, err := d.store.KnownHosts(ep.KnownHosts, ep.RevokedKeys)
	if err != nil {
		return trust.Host{}, err
	}
	name := trust.Name{Host: ep.Name, Address: ep.Address, Port: ep.Port, Alias: ep.HostKeyAlias}
	if ep.Outside {
		name.Host = "" // nothing that a verb could select
	}
	return known.Host(name), nil
}

// newcomer is a host that may be new. Its key is recorded before anything else is said to
// it, as ssh does with StrictHostKeyChecking=accept-new.
type newcomer struct {
	trust.Host
	d  *Dialer
	ep inventory.Endpoint
}

func (n newcomer) Check(key ssh.PublicKey) *trust.Refusal {
	r := n.Host.Check(key)
	if r == nil || !r.Unrecorded() {
		return r
	}
	if refused := n.Record([]ssh.PublicKey{key}, n.ep.HashNames); refused != nil {
		return r.NotRecorded(refused)
	}
	n.d.mu.Lock()
	defer n.d.mu.Unlock()
	if met := (Met{n.ep.Name, n.File()}); !slices.Contains(n.d.met, met) { // by two logins at a time
		n.d.met = append(n.d.met, met)
	}
	return nil
}

// Met is a host that was new, and whose key AcceptNew recorded.
type Met struct {
	Host string // name in the fleet
	File string // known_hosts file
}

// Met are the hosts that were new so far.
func (d *Dialer) Met() []Met {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Met(nil), d.met...)
}
