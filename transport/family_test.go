package transport

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"fwpush/internal/sshtest"
	"fwpush/transport/trust"
)

// Another address of a host that no known_hosts file has: only the key that the host
// has shown is accepted there.
func TestRedialAt(t *testing.T) {
	own, other := sshtest.NewKey(t), sshtest.NewKey(t)
	f := newFixture(t, sshtest.Config{ManyHosts: true, HostKeys: func(host netip.Addr) []ssh.Signer {
		if host == netip.MustParseAddr("127.1.0.2") {
			return []ssh.Signer{other}
		}
		return []ssh.Signer{own}
	}}, Options{})
	target := f.dial(t).Pinned()

	conn, err := f.dialer.RedialAt(t.Context(), target, f.Host(1), soon)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.RemoteAddr() != f.Host(1) || conn.Pinned().Addr() != f.Host(1) || target.Addr() != f.Host(0) {
		t.Errorf("connected to %s, pinned %s and %s", conn.RemoteAddr(), conn.Pinned().Addr(), target.Addr())
	}
	_, err = f.dialer.RedialAt(t.Context(), target, f.Host(2), soon)
	var refused *HostKeyError
	if !errors.As(err, &refused) || refused.Kind != trust.Changed {
		t.Errorf("another key: got %v", err)
	}
}

func TestRedialAtIsBounded(t *testing.T) {
	f := newFixture(t, sshtest.Config{Fault: func(conn int) sshtest.Fault {
		if conn == 1 {
			return sshtest.Fault{}
		}
		return sshtest.Fault{At: sshtest.Accept, Do: sshtest.Hang}
	}}, Options{})
	target := f.dial(t).Pinned()
	began := time.Now()
	_, err := f.dialer.RedialAt(t.Context(), target, f.Host(0), 100*time.Millisecond)
	var slow *DialError
	if !errors.As(err, &slow) || slow.Kind != DialTimeout || slow.Limit != 100*time.Millisecond {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %s", took)
	}
}

func TestAlive(t *testing.T) {
	f := newFixture(t, sshtest.Config{
		Fault:   func(int) sshtest.Fault { return sshtest.Fault{StallAfter: 100_000} },
		Handler: func(x *sshtest.Exec) sshtest.Exit { x.Stdout.Write(make([]byte, 200_000)); return sshtest.Exit{} },
	}, Options{})
	conn := f.dial(t)
	if err := conn.Alive(t.Context()); err != nil {
		t.Error(err)
	}
	x := start(t, conn, "stall")
	if err := x.Wait(shortly(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the server did not fall silent: %v", err)
	}
	if err := conn.Alive(shortly(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("of a silent host: %v", err)
	}
	time.AfterFunc(50*time.Millisecond, func() { conn.Close() })
	var lost *LostError
	if err := conn.Alive(t.Context()); !errors.As(err, &lost) {
		t.Errorf("of a lost connection: %v", err)
	}
}
