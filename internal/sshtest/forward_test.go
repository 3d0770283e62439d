package sshtest

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Connections go only where the test lets them, and what keeps them from it is told with
// the reasons of sshd.
func TestForward(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			text, _ := io.ReadAll(conn)
			conn.Write(text)
			conn.Close()
		}
	}()
	nobody, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	key := NewKey(t)
	s := New(t, Config{Keys: []ssh.PublicKey{key.PublicKey()}, Forward: func(_ context.Context, address string) string {
		return map[string]string{"echo.inside:7": listener.Addr().String(), "down.inside:7": nobody.Addr().String()}[address]
	}})
	client := connect(t, s, key)
	conn, err := client.Dial("tcp", "echo.inside:7")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "hello")
	conn.(interface{ CloseWrite() error }).CloseWrite()
	if got, err := io.ReadAll(conn); string(got) != "hello" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	conn.Close()
	for address, want := range map[string]ssh.RejectionReason{
		listener.Addr().String(): ssh.Prohibited,
		"echo.inside:8":          ssh.Prohibited,
		"down.inside:7":          ssh.ConnectionFailed,
	} {
		_, err := client.Dial("tcp", address)
		var refused *ssh.OpenChannelError
		if !errors.As(err, &refused) || refused.Reason != want {
			t.Errorf("%s: got %v, want %s", address, err, want)
		}
	}
}
