// Package syntax reads the small languages inside the strings of a fleet file:
// addresses, ports, names, references to hosts, and free text. Its errors tell
// what is wrong and, where it can be told, what to write instead.
package syntax

import "strconv"

// Error is what is wrong with a string.
type Error struct {
	Msg  string // lower case, no full stop
	Hint string // what to do next, "" if there is nothing to say
	Char int    // byte offset of the offending character, -1 for the whole string
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Msg
	}
	return e.Msg + "; " + e.Hint
}

func wrong(msg, hint string) *Error { return &Error{Msg: msg, Hint: hint, Char: -1} }

// Quote returns s in quotes, safe to print and short enough to read.
func Quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return strconv.Quote(string(r[:most])) + "…"
	}
	return strconv.Quote(s)
}
