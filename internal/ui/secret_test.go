package ui

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// What is typed the moment the question is there is not shown, keys that correct it work,
// what follows is left for the next question, and the terminal is as it was afterwards.
func TestAskSecret(t *testing.T) {
	for _, tt := range []struct {
		typed, want string
		err         error
	}{
		{"open sesame\r", "open sesame", nil},
		{"wrong\x15opem\x7fn\n", "open", nil},
		{"ö\x7f\x7f\x7fü\r", "ü", nil},
		{"\r", "", nil},
		{"half\x03", "", ErrInterrupted},
		{"\x04", "", ErrInterrupted},
		{strings.Repeat("x", maxSecret+1) + "\r", "", errors.New("longer than 1024 bytes")},
	} {
		outside, inside := openPTY(t)
		before, err := term.GetState(int(inside.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		shown := make(chan string)
		go func() {
			var seen strings.Builder
			one := make([]byte, 1)
			for !strings.HasSuffix(seen.String(), "? ") {
				if _, err := outside.Read(one); err != nil {
					break
				}
				seen.Write(one)
			}
			io.WriteString(outside, tt.typed)
			for !strings.HasSuffix(seen.String(), "\n") {
				if _, err := outside.Read(one); err != nil {
					break
				}
				seen.Write(one)
			}
			shown <- seen.String()
		}()
		word, err := AskSecret(t.Context(), inside, inside, "Passphrase?")
		if string(word) != tt.want || (err == nil) != (tt.err == nil) || err != nil && err.Error() != tt.err.Error() {
			t.Errorf("%.20q: got %.20q, %v; want %q, %v", tt.typed, word, err, tt.want, tt.err)
		}
		if got := <-shown; got != "Passphrase? \r\n" {
			t.Errorf("%.20q: shown %.60q", tt.typed, got)
		}
		after, err := term.GetState(int(inside.Fd()))
		if err != nil || *after != *before {
			t.Errorf("%.20q: the terminal was left in another state, %v", tt.typed, err)
		}
	}
}

// Whoever gives up waiting leaves the terminal as it was.
func TestAskSecretGivesUp(t *testing.T) {
	_, inside := openPTY(t)
	before, err := term.GetState(int(inside.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := AskSecret(ctx, inside, inside, "Passphrase?"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if after, err := term.GetState(int(inside.Fd())); err != nil || *after != *before {
		t.Errorf("the terminal was left in another state, %v", err)
	}
	if _, err := AskSecret(t.Context(), strings.NewReader("x\n"), io.Discard, "Passphrase?"); err == nil {
		t.Error("a pipe was taken for a terminal")
	}
}

func openPTY(t *testing.T) (outside, inside *os.File) {
	t.Helper()
	outside, inside, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inside.Close(); outside.Close() })
	return outside, inside
}
