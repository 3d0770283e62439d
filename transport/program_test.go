package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fwpush/internal/sshtest"
)

// carries is a ProxyCommand that connects as ssh -W would, and leaves its number.
func carries(f *fixture, dir string) string {
	return fmt.Sprintf(`bash -c 'echo $$ >> %s/pids; exec 3<>/dev/tcp/%%h/%%p; cat <&3 & exec cat >&3'`, dir)
}

// A ProxyCommand carries the login. Each connection has a process of its own, which ends with
// it and with what it has started; the second is as new as the first.
func TestProxyCommand(t *testing.T) {
	f := newFixture(t, sshtest.Config{}, Options{})
	dir := t.TempDir()
	f.ep.ProxyCommand = carries(f, dir)
	conn := f.dial(t)
	again, err := f.dialer.Redial(t.Context(), conn.Pinned())
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	conn.Close()
	text, err := os.ReadFile(filepath.Join(dir, "pids"))
	if err != nil {
		t.Fatal(err)
	}
	pids := strings.Fields(string(text))
	if len(pids) != 2 || pids[0] == pids[1] || f.Connections() != 2 {
		t.Errorf("processes %v, %d connections; want two of each", pids, f.Connections())
	}
	for _, pid := range pids {
		group := 0
		fmt.Sscan(pid, &group)
		within(t, slack, "the end of "+pid, func() {
			for syscall.Kill(-group, 0) == nil {
				time.Sleep(5 * time.Millisecond) // nobody tells when a process group is gone
			}
		})
	}
}

// What a ProxyCommand that carries nothing says is told, and nothing is claimed of the host.
func TestProxyCommandFails(t *testing.T) {
	for _, tt := range []struct{ name, command, want string }{
		{"ends", `sh -c 'echo starting >&2; printf "no way to %h\033[31m" >&2; exit 7'`, `ProxyCommand ended: exit status 7: no way to 127.0.0.1\x1b[31m`},
		{"is not there", "/nonexistent/nc %h %p", "ProxyCommand ended: exit status 127: "},
		{"ends well", "true", "ProxyCommand ended before there was a connection"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, sshtest.Config{}, Options{})
			f.ep.ProxyCommand = tt.command
			_, err := f.dialer.Dial(t.Context(), f.ep)
			var dial *DialError
			if !errors.As(err, &dial) || dial.Reached() || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	t.Run("hangs", func(t *testing.T) {
		f := newFixture(t, sshtest.Config{}, Options{})
		f.ep.ProxyCommand = "sleep 3600"
		within(t, soon+slack, "Dial", func() {
			_, err := f.dialer.Dial(t.Context(), f.ep)
			var dial *DialError
			if !errors.As(err, &dial) || dial.Kind != DialTimeout {
				t.Errorf("got %v", err)
			}
		})
	})
	t.Run("goes to one address only", func(t *testing.T) {
		f := newFixture(t, sshtest.Config{}, Options{})
		f.ep.ProxyCommand = strings.NewReplacer("%h", "127.0.0.1").Replace(carries(f, t.TempDir()))
		conn := f.dial(t)
		if _, err := f.dialer.RedialAt(t.Context(), conn.Pinned(), f.Addr(), soon); err == nil || !strings.Contains(err.Error(), "has no %h") {
			t.Errorf("another address: %v", err)
		}
	})
}

// sshd that takes no connection while others log in is asked again; one that has closed its
// door to this machine is not.
func TestTurnedAway(t *testing.T) {
	for _, tt := range []struct {
		name   string
		times  int
		want   int // connections
		passes bool
	}{
		{"twice", 2, 3, true},
		{"for good", 99, tries, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, sshtest.Config{Fault: func(conn int) sshtest.Fault {
				if conn <= tt.times {
					return sshtest.Fault{At: sshtest.Accept, Do: sshtest.Drop}
				}
				return sshtest.Fault{}
			}}, Options{})
			f.ep.ConnectTimeout = time.Minute
			conn, err := f.dialer.Dial(t.Context(), f.ep)
			if err == nil {
				conn.Close()
			}
			if (err == nil) != tt.passes || f.Connections() != tt.want {
				t.Errorf("%d connections, %v", f.Connections(), err)
			}
		})
	}
	for opening, want := range map[string]bool{"": true, "Exceeded MaxStartups\r\n": true, "Not allowed at this time\r\n": false, "SSH-2.0-OpenSSH_9.9\r\n": false} {
		if got := (&wire{opening: []byte(opening)}).turnedAway(); got != want {
			t.Errorf("%q: turned away %v", opening, got)
		}
	}
}

// A server that is not known to send at once has each of its packets acknowledged.
func TestWhoSendsAtOnce(t *testing.T) {
	for opening, want := range map[string]bool{
		"SSH-2.0-OpenSSH_10.0p2 Debian-7\r\n": true,
		"SSH-2.0-OpenSSH_10\n":                true,
		"SSH-2.0-Go\r\n\x00\x00":              true,
		"SSH-2.0-OpenSSH_9.9p1\r\n":           false,
		"SSH-2.0-OpenSSH_for_Windows\r\n":     false,
		"SSH-2.0-OpenSSH_1":                   false, // and a zero may follow
		"SSH-2.0-dropbear_2022.83\r\n":        false,
		"SSH-2.0-Gopher\r\n":                  false,
		"":                                    false,
	} {
		if got := sendsAtOnce([]byte(opening)); got != want {
			t.Errorf("%q: %t", opening, got)
		}
	}
}

// This machine's end is where ssh_config says.
func TestBindAddress(t *testing.T) {
	f := newFixture(t, sshtest.Config{}, Options{})
	f.ep.BindAddress = "127.0.0.9"
	if got := f.dial(t).LocalAddr().Addr().String(); got != "127.0.0.9" {
		t.Errorf("from %s", got)
	}
	f.ep.BindAddress, f.ep.BindInterface = "", "lo"
	f.dial(t)
	for _, set := range []func(){
		func() { f.ep.BindAddress = "::1" },
		func() { f.ep.BindAddress, f.ep.AddressFamily = "", "inet6" },
		func() { f.ep.AddressFamily, f.ep.BindInterface = "", "nowhere0" },
	} {
		set()
		if conn, err := f.dialer.Dial(t.Context(), f.ep); err == nil {
			conn.Close()
			t.Errorf("%+v: connected", f.ep)
		}
	}
}

// slowly hands out what it has piece by piece, as the network does, and counts how often it was asked.
type slowly struct {
	net.Conn
	pieces []string
	asked  int
}

func (s *slowly) Read(p []byte) (int, error) {
	s.asked++
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.pieces[0])
	if s.pieces[0] = s.pieces[0][n:]; s.pieces[0] == "" {
		s.pieces = s.pieces[1:]
	}
	return n, nil
}

// A version that is read byte by byte costs as many system calls as there are pieces of it, and what
// comes behind it is not lost.
func TestVersionIsReadAtOnce(t *testing.T) {
	behind := strings.Repeat("k", 3*readAhead)
	s := &slowly{pieces: []string{"SSH-2.0-Open", "SSH_9.2p1\r\n" + behind, "end"}}
	w := newWire(s, false)
	var version []byte
	for !bytes.HasSuffix(version, []byte("\n")) {
		var b [1]byte
		if _, err := io.ReadFull(w, b[:]); err != nil {
			t.Fatal(err)
		}
		version = append(version, b[0])
	}
	if s.asked != 2 || string(version) != "SSH-2.0-OpenSSH_9.2p1\r\n" {
		t.Errorf("read %q, asked %d times", version, s.asked)
	}
	if rest, err := io.ReadAll(w); err != nil || string(rest) != behind+"end" {
		t.Errorf("%d bytes behind it: %v", len(rest), err)
	}
	if !errors.Is(w.readError(), io.EOF) {
		t.Errorf("ended with %v", w.readError())
	}
}
