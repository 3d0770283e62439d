package lab_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

var world *lab.World

func TestMain(m *testing.M) {
	code, err := lab.Enter(func(w *lab.World) int {
		world = w
		return m.Run()
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// start gives a host that is stopped at the end of the test.
func start(t *testing.T, o lab.HostOptions) *lab.Host {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	h, err := world.Host(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Stop(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// run returns the trimmed output of a command on a host.
func run(t *testing.T, h *lab.Host, argv ...string) string {
	t.Helper()
	out, _, err := h.Exec(t.Context(), "", argv...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func TestHostHasItsOwnNameRulesAndQueue(t *testing.T) {
	a := start(t, lab.HostOptions{Name: "web1"})
	b := start(t, lab.HostOptions{Name: "web2"})
	for _, h := range []*lab.Host{a, b} {
		if got := run(t, h, "hostname"); got != h.Name() {
			t.Errorf("host name %q, want %q", got, h.Name())
		}
	}
	run(t, a, "nft", "add", "table", "inet", "mine")
	run(t, a, "sh", "-c", "echo true | at -M now + 1 hour")
	if got := run(t, b, "nft", "list", "tables"); got != "" {
		t.Errorf("the other host has rules of the first: %q", got)
	}
	if got := run(t, b, "atq"); got != "" {
		t.Errorf("the other host has a job of the first: %q", got)
	}
	if got := run(t, a, "nft", "list", "tables"); got != "table inet mine" {
		t.Errorf("rules of the first host: %q", got)
	}
}
