//go:build chaos

package commit

import (
	"testing"
	"time"

	"fwpush/internal/chaos"
)

func TestChaosRow51ConfirmAndRevertHaveExactlyOneWinner(t *testing.T) {
	race(t, more(chaos.Start(t, 1000, 10*time.Minute)), atomically).haveOneWinner(t)
}

func TestChaosExtendAndADueTimerHaveOneWinner(t *testing.T) {
	extendAgainstTimer(t, more(chaos.Start(t, 200, 10*time.Minute)))
}

// more is whether a run has one more round.
func more(run *chaos.Run) func() bool {
	return func() bool {
		_, ok := run.Next()
		return ok
	}
}
