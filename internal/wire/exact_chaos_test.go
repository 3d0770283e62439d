//go:build chaos

package wire_test

import "testing"

func TestChaosHundredThousandFates(t *testing.T) { fatesOnABusyMachine(t, 50_000) }
