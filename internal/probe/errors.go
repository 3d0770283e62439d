package probe

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// NotTriedError says that nothing was found out: a probe with it has not passed,
// whether it was to work or to fail.
type NotTriedError struct{ Err error }

func (e *NotTriedError) Error() string { return "could not be tried: " + e.Err.Error() }

func (e *NotTriedError) Unwrap() error { return e.Err }

// said is an error whose text is ours, safe to print, and not that of what it wraps.
type said struct {
	text string
	err  error
}

func (e *said) Error() string { return e.text }

func (e *said) Unwrap() error { return e.err }

// sayf words an error. What comes from elsewhere has to be safe in it already.
func sayf(err error, format string, args ...any) error {
	return &said{fmt.Sprintf(format, args...), err}
}

// maxTold is how many addresses one error tells of.
const maxTold = 4

// join tells of attempts in one error.
func join(list []attempt) error {
	var texts []string
	var errs []error
	for i, a := range list {
		if i == maxTold {
			texts = append(texts, fmt.Sprintf("and %d more", len(list)-maxTold))
			break
		}
		texts = append(texts, safe(a.at)+": "+a.why.Error())
		errs = append(errs, a.why)
	}
	return &said{strings.Join(texts, "; "), errors.Join(errs...)}
}

const (
	maxText  = 400 // bytes of foreign text in an error
	maxShort = 60  // characters of a probe's text in its name
)

// safe returns text that comes from a host, or from the file, so that a terminal only
// prints it.
func safe(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "..."
	}
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	return strings.ReplaceAll(strings.Trim(strconv.Quote(s), `"`), `\"`, `"`)
}

// short returns the beginning of a text as one line.
func short(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxShort {
		s = string(r[:maxShort-1]) + "…"
	}
	return safe(s)
}
