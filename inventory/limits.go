//go:build !fwpushtest

package inventory

import "time"

// minWindow is the shortest time a host may be given to prove it can still be
// reached: a connection over a slow line takes ten seconds.
const minWindow = 15 * time.Second
