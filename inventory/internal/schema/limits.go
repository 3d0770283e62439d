//go:build !fwpushtest

package schema

import "time"

// MinWindow is the shortest time a host may be given to prove it can still be
// reached: a connection over a slow line takes ten seconds.
const MinWindow = 15 * time.Second
