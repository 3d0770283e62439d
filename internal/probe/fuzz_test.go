package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode"

	"fwpush/transport"
)

// FuzzCommand: a probe's text comes to the shell of the host as it stands in the file, and runs
// nothing on its way there.
func FuzzCommand(f *testing.F) {
	for _, seed := range []string{"true", "a\nb", `a\nb\\n\\\`, "'", `'"'"'`, `\0477`, "$(touch x)`y`", "\t%s%b%%", "é\xff\x01", "exit 1 # '"} {
		f.Add(seed)
	}
	shells := [][]string{{"dash"}, {"busybox", "sh"}, {"bash"}}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsRune(text, 0) || len(text) > 10_000 {
			return // no script holds NUL, and a shell cannot
		}
		line := oneLine("T='" + escaped(text) + "'\nprintf %b \"$T\"\n")
		if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
			t.Fatalf("not one line: %q", line)
		}
		for _, shell := range shells {
			cmd := exec.Command(shell[0], shell[1:]...)
			cmd.Stdin = strings.NewReader(line)
			cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
			if out, err := cmd.Output(); err != nil || string(out) != text {
				t.Errorf("%v: got %q, want %q (%v)", shell, out, text, err)
			}
		}
	})
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// FuzzForwarding: whatever words a host has for why it could not connect, none of it is taken for a
// connection, and none of it reaches a terminal.
func FuzzForwarding(f *testing.F) {
	for _, words := range []string{"Connection refused", "Connection timed out", "Network is unreachable", "open failed", "\x1b[2Jrefused\n", "Name or service not known", "Too many open files", ""} {
		f.Add(words, "192.0.2.1:80")
		f.Add(words, "db1:80")
	}
	f.Fuzz(func(t *testing.T, words, at string) {
		err := &transport.ForwardError{Kind: transport.ForwardFailed, Err: errors.New(words)}
		a := forwarding(at, "host\x1b", err)
		switch {
		case a.fate == there || a.why == nil || !printable(a.why.Error()):
			t.Errorf("%q: %+v", words, a)
		case a.fate == noRoute && !strings.Contains(words, "nreachable") && !strings.Contains(words, "not supported") && !strings.Contains(words, "address") && !strings.Contains(words, "Address"):
			t.Errorf("%q is taken for no route", words)
		}
	})
}

// answering is a server whose answer is known, whatever it is asked.
type answering struct{ io.Reader }

func (answering) Write(p []byte) (int, error)      { return len(p), nil }
func (answering) Close() error                     { return nil }
func (answering) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (answering) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (answering) SetDeadline(time.Time) error      { return nil }
func (answering) SetReadDeadline(time.Time) error  { return nil }
func (answering) SetWriteDeadline(time.Time) error { return nil }

// FuzzAnswer: what a server says has a status, or there is an error; what is written of it can be printed.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not\r\n\r\n", "HTTP/1.0 999\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n", "SSH-2.0-x\r\n", "HTTP/1.1 101 Switching\r\n\r\n", "HTTP/1.1 -1 x\r\n\r\n\x1b[2J",
		strings.Repeat("HTTP/1.1 102 Wait\r\n\r\n", 50), "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ncut",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	u := &url.URL{Scheme: "http", Host: "web1", Path: "/"}
	f.Fuzz(func(t *testing.T, said []byte, fails bool) {
		got := ask(context.Background(), answering{strings.NewReader(string(said))}, u)
		if got.err == nil && (got.status < 0 || got.status > 999 || got.status > 101 && got.status < 200) {
			t.Fatalf("%q: status %d", said, got.status)
		}
		p := &Probe{limit: time.Second}
		p.want.Fails = fails
		a := p.answer("192.0.2.1:80", u.Scheme, got)
		if a.why == nil || !printable(a.why.Error()) || !printable(a.did) {
			t.Fatalf("%q: %+v", said, a)
		}
		// A way that leads to no proper answer is open, and that is what a probe that must fail wants not.
		if good := got.err == nil && got.status >= 200 && got.status < 400; good && a.fate != there || got.err != nil && fails != (a.fate == there) {
			t.Fatalf("%q: %+v", said, a)
		}
	})
}
