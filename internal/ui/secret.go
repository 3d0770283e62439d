package ui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/term"
)

// ErrInterrupted says that a person typed Ctrl-C or Ctrl-D instead of an answer.
var ErrInterrupted = errors.New("interrupted")

// maxSecret bounds an answer, in bytes.
const maxSecret = 1024

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
	// The echo is off before the question is there to be answered: term.ReadPassword would
	// show what is typed at once.
	was, err := term.MakeRaw(fd)
	if err != nil {
		return nil, err
	}
	defer func() {
		_ = term.Restore(fd, was) // it was set a moment ago
		fmt.Fprintln(out)         // the answer's own end of line is not shown either
	}()
	if _, err := fmt.Fprint(out, question+" "); err != nil {
		return nil, err
	}
	type answer struct {
		word []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		word, err := readSecret(in)
		answers <- answer{word, err}
	}()
	select {
	case a := <-answers:
		return a.word, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// readSecret reads a line of a terminal that leaves its keys to us. It reads byte by byte:
// what is typed ahead belongs to the next question.
func readSecret(in io.Reader) ([]byte, error) {
	const ctrlC, ctrlD, backspace, ctrlU, del = 3, 4, 8, 21, 127
	var word []byte
	key := make([]byte, 1)
	for {
		if _, err := io.ReadFull(in, key); err != nil {
			return nil, err
		}
		switch key[0] {
		case '\r', '\n':
			return word, nil
		case ctrlC:
			return nil, ErrInterrupted
		case ctrlD:
			if len(word) == 0 {
				return nil, ErrInterrupted
			}
		case backspace, del:
			_, size := utf8.DecodeLastRune(word)
			word = word[:len(word)-size]
		case ctrlU:
			word = word[:0]
		default:
			if len(word) == maxSecret {
				return nil, fmt.Errorf("longer than %d bytes", maxSecret)
			}
			word = append(word, key[0])
		}
	}
}
