package ui

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Ask puts a question and reads one line of an answer. Only the whole word yes
// is a yes; anything else, and the end of input, is a no. The question may hold
// colour and is printed as it is. A Screen has its block off meanwhile.
func Ask(in io.Reader, out io.Writer, question string) (bool, error) {
	if s, ok := out.(*Screen); ok {
		terminal, resume := s.Suspend()
		defer resume()
		out = terminal
	}
	if _, err := fmt.Fprint(out, question+" [yes/no] "); err != nil {
		return false, err
	}
	// A terminal hands over one line at a time, so nothing typed ahead is lost.
	line, err := bufio.NewReader(io.LimitReader(in, 1024)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	if line == "" {
		fmt.Fprintln(out) // the cursor still stands behind the question
	}
	return strings.EqualFold(strings.TrimSpace(line), "yes"), nil
}
