//go:build fwpushtest

package stop

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

var stopped atomic.Int64

// At kills this process with SIGKILL when the step named by
// FWPUSH_TEST_STOP ("step" or "step:n") is reached for the n-th time. Those who
// reach it earlier wait there.
func At(step string) {
	want, count, _ := strings.Cut(os.Getenv("FWPUSH_TEST_STOP"), ":")
	if want != step {
		return
	}
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		n = 1
	}
	if stopped.Add(1) >= n {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	select {}
}
