package ui

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/term"
)

// AskSecret asks for a word that is not shown, on a terminal. It gives up when ctx ends,
// with the terminal as it was. A Screen has its block off meanwhile.
func AskSecret(ctx context.Context, in io.Reader, out io.Writer, question string) ([]byte, error) {
	terminal, ok := in.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return nil, errors.New("there is no terminal to ask on")
	}
	fd := int(terminal.Fd())
	if s, ok := out.(*Screen); ok {
		screen, resume := s.Suspend()
		defer resume()
		out = screen
	}
	was, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprint(out, question+" "); err != nil {
		return nil, err
	}
	defer fmt.Fprintln(out) // the answer's own end of line is not shown either
	type answer struct {
		word []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		word, err := term.ReadPassword(fd)
		answers <- answer{word, err}
	}()
	select {
	case a := <-answers:
		return a.word, a.err
	case <-ctx.Done():
		_ = term.Restore(fd, was) // the error that counts is the other one
		return nil, context.Cause(ctx)
	}
}
