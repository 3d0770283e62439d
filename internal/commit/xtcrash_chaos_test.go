//go:build chaos

package commit

import "testing"

// TestChaosCrashWhileAChangeOfBackendIsMadeToLast has every row in both directions.
func TestChaosCrashWhileAChangeOfBackendIsMadeToLast(t *testing.T) {
	crashes(t, func(int) []change { return changes(true) })
}
