package transport

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fwpush/internal/sshtest"
	"fwpush/inventory"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // the library's agent server reports its refusals there
	goleak.VerifyTestMain(m)
}

// fixture is a fake host and all that is needed to log in to it.
type fixture struct {
	*sshtest.Server
	dialer *Dialer
	ep     inventory.Endpoint
	log    *bytes.Buffer
}

// soon is a connect timeout long enough for a login under the race detector on
// a busy machine; a test that runs into it on purpose takes that long.
const soon = 1500 * time.Millisecond

// slack is what a bounded call may take on top of its bound.
const slack = 3 * time.Second

func newFixture(t testing.TB, config sshtest.Config, opts Options) *fixture {
	t.Helper()
	identity, key := sshtest.NewIdentity(t, "")
	config.Keys = append(config.Keys, key)
	f := &fixture{Server: sshtest.New(t, config), log: new(bytes.Buffer)}
	opts.Log = slog.New(slog.NewTextHandler(f.log, nil))
	f.dialer = New(opts)
	f.ep = endpoint(f.Server, 0)
	f.ep.Identity = []string{identity}
	f.ep.KnownHosts = []string{writeFile(t, "known_hosts", f.KnownHosts(1))}
	return f
}

func endpoint(s *sshtest.Server, i int) inventory.Endpoint {
	addr := s.Host(i)
	return inventory.Endpoint{
		Name: fmt.Sprintf("web%d", i+1), Address: addr.Addr().String(), Port: addr.Port(), User: "admin", ConnectTimeout: soon,
	}
}

func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (f *fixture) dial(t testing.TB) *Conn {
	t.Helper()
	conn, err := f.dialer.Dial(t.Context(), f.ep)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func start(t testing.TB, conn *Conn, command string) *Exec {
	t.Helper()
	x, err := conn.Start(t.Context(), command)
	if err != nil {
		t.Fatalf("start %q: %v", command, err)
	}
	return x
}

// within fails the test if f takes longer than a time; a call that hangs for
// ever is given up.
func within(t testing.TB, limit time.Duration, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		t.Fatalf("%s took longer than %s", what, limit)
	}
}

func shortly(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}
