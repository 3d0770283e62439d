//go:build fwpushtest

package inventory

import "time"

// minWindow lets tests see a revert fire without waiting for it. Only test
// builds have it.
const minWindow = 2 * time.Second
