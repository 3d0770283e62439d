package transport

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"
)

// maxErrorText bounds what a host can put into one of our error texts, in bytes.
const maxErrorText = 512

// printable returns text with everything a terminal could act on escaped, since
// it may come from the host.
func printable(text string) string {
	var b strings.Builder
	for text != "" {
		if b.Len() > maxErrorText {
			b.WriteString("...")
			break
		}
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
		text = text[size:]
	}
	return b.String()
}

// because returns the printable text of an error.
func because(err error) string {
	if err == nil {
		return "no reason given"
	}
	// Package net puts the address and the step before the errno, which the message has already,
	// and the port of this end, by which the same trouble of two hosts would not be one.
	var op *net.OpError
	var errno syscall.Errno
	if errors.As(err, &op) && op.Net == "tcp" && errors.As(op, &errno) {
		return errno.Error()
	}
	return printable(err.Error())
}
