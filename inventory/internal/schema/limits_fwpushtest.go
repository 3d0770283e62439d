//go:build fwpushtest

package schema

import "time"

// MinWindow lets tests see a revert fire without waiting for it. Only test
// builds have it.
const MinWindow = 2 * time.Second
