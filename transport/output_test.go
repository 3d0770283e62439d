package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"fwpush/internal/sshtest"
)

// "fresh 11" cut out of "fresh 110\n" must not read as a line.
func TestUnfinishedLine(t *testing.T) {
	f := newFixture(t, sshtest.Config{Handler: func(x *sshtest.Exec) sshtest.Exit {
		io.WriteString(x.Stdout, "whole\nfresh 11")
		return sshtest.Exit{}
	}}, Options{})
	x := start(t, f.dial(t), "cut")
	if line, err := x.ReadLine(t.Context()); line != "whole" || err != nil {
		t.Fatalf("got %q, %v", line, err)
	}
	if line, err := x.ReadLine(t.Context()); line != "fresh 11" || err != io.ErrUnexpectedEOF {
		t.Errorf("got %q, %v", line, err)
	}
	if line, err := x.ReadLine(t.Context()); line != "" || err != io.EOF {
		t.Errorf("got %q, %v", line, err)
	}
}

// A host that never stops talking is cut off, whether anybody listens or not,
// on either stream and also without a single newline.
func TestTooMuch(t *testing.T) {
	flood := func(pick func(*sshtest.Exec) io.Writer, chunk []byte) sshtest.Handler {
		return func(x *sshtest.Exec) sshtest.Exit {
			for {
				if _, err := pick(x).Write(chunk); err != nil {
					return sshtest.Exit{}
				}
			}
		}
	}
	stdout := func(x *sshtest.Exec) io.Writer { return x.Stdout }
	stderr := func(x *sshtest.Exec) io.Writer { return x.Stderr }
	tests := []struct {
		name    string
		limit   int
		handler sshtest.Handler
		says    string
	}{
		{"lines", 4 << 20, flood(stdout, bytes.Repeat([]byte("y\n"), 8<<10)), "more than 4194304 bytes from one command"},
		{"stderr", 4 << 20, flood(stderr, bytes.Repeat([]byte("y\n"), 8<<10)), "more than 4194304 bytes from one command"},
		{"one line", 0, flood(stdout, bytes.Repeat([]byte("y"), 16<<10)), "a line of more than 1048576 bytes"},
		{"empty lines", 1 << 20, flood(stdout, bytes.Repeat([]byte("\n"), 16<<10)), "more than 1048576 bytes from one command"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, sshtest.Config{Handler: tt.handler}, Options{MaxOutput: tt.limit})
			x := start(t, f.dial(t), "yes")
			within(t, 10*slack, "Wait", func() {
				err := x.Wait(t.Context())
				var lost *LostError
				if !errors.Is(err, ErrTooMuch) || !errors.As(err, &lost) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v, want %q", err, tt.says)
				}
			})
			select {
			case <-x.conn.done:
			default:
				t.Error("the connection is still open")
			}
			for {
				_, err := x.ReadLine(t.Context())
				if err == nil {
					continue
				}
				if !errors.Is(err, ErrTooMuch) {
					t.Errorf("reading on: %v", err)
				}
				break
			}
			if len(x.Stderr()) > maxStderrTail {
				t.Errorf("%d bytes of stderr kept", len(x.Stderr()))
			}
		})
	}
}

// What fits is all there, and of stderr the end.
func TestOutputWithinBounds(t *testing.T) {
	long := strings.Repeat("x", maxLine-1)
	f := newFixture(t, sshtest.Config{Handler: func(x *sshtest.Exec) sshtest.Exit {
		io.WriteString(x.Stdout, long+"\n")
		for i := range 20000 {
			fmt.Fprintf(x.Stderr, "line %d\n", i)
		}
		return sshtest.Exit{}
	}}, Options{})
	x := start(t, f.dial(t), "much")
	if line, err := x.ReadLine(t.Context()); line != long || err != nil {
		t.Errorf("got %d bytes, %v", len(line), err)
	}
	if err := x.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if tail := x.Stderr(); len(tail) != maxStderrTail || !strings.HasSuffix(tail, "line 19999\n") {
		t.Errorf("stderr: %d bytes, ending in %q", len(tail), tail[max(0, len(tail)-20):])
	}
}

// Lines are handed up raw; what gets into an error text is escaped and bounded.
func TestHostileText(t *testing.T) {
	const evil = "\x1b]52;c;cm0gLXJm\x07\u202egnp.exe\x9b31m\xff\r"
	f := newFixture(t, sshtest.Config{Handler: func(x *sshtest.Exec) sshtest.Exit {
		io.WriteString(x.Stdout, evil+"\n")
		io.WriteString(x.Stderr, "first\n"+strings.Repeat(evil, 1000))
		return sshtest.Exit{Status: 1}
	}}, Options{})
	x := start(t, f.dial(t), "evil")
	if line, err := x.ReadLine(t.Context()); line != evil || err != nil {
		t.Errorf("got %q, %v", line, err)
	}
	err := x.Wait(t.Context())
	if err == nil || strings.ContainsAny(err.Error(), "\x1b\x07\u202e\u009b\r") || len(err.Error()) > 1000 {
		t.Errorf("message %q", err)
	}
}
