package transport

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"
)

// RedialAt is Redial to another address of the same host: the key that the host
// showed before is the only one accepted, whatever known_hosts says of that address. It goes
// through the same jump hosts.
// The login takes no longer than limit.
func (d *Dialer) RedialAt(ctx context.Context, t Target, addr netip.AddrPort, limit time.Duration) (*Conn, error) {
	if t.ep.Via == nil && t.ep.ProxyCommand != "" && !strings.Contains(t.ep.ProxyCommand, "%h") {
		return nil, &DialError{Peer: peerOf(t.ep), Kind: DialFailed, Stage: stageConnect,
			Err: errors.New("its ProxyCommand has no %h, and goes to one address whatever it is asked for")}
	}
	t.addr, t.ep.ConnectTimeout = addr, limit
	t.ep.Address, t.ep.Port = addr.Addr().String(), addr.Port() // what a jump host is told
	return d.Redial(ctx, t)
}
