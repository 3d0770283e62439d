package probe

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// A bug in one kind of probe says nothing about the host, and takes nobody along.
func TestPanicInAnAttempt(t *testing.T) {
	p := &Probe{prober: NewProber(nil, nil)}
	err := p.race(t.Context(), []string{"192.0.2.1:80"}, func(context.Context, string) attempt { panic("no such kind") })
	var notTried *NotTriedError
	if !errors.As(err, &notTried) || !strings.Contains(err.Error(), "192.0.2.1:80: a bug in fwpush: no such kind") {
		t.Errorf("error %v", err)
	}
}
