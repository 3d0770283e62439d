package ui

import (
	"fmt"

	"golang.org/x/term"
)

// When says whether output is coloured: "auto", "always" or "never".
type When string

// The values of When.
const (
	Auto   When = "auto"
	Always When = "always"
	Never  When = "never"
)

// Colour paints text for one output. The zero Colour paints nothing.
type Colour struct{ on bool }

// ColourFor decides for one output. Auto colours a terminal, unless the
// environment has NO_COLOR (not empty, no-color.org) or TERM=dumb; Always and
// Never are a person's word and stand above both.
func ColourFor(when When, out any, getenv func(string) string) Colour {
	switch when {
	case Always:
		return Colour{on: true}
	case Never:
		return Colour{}
	}
	return Colour{on: IsTerminal(out) && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"}
}

// IsTerminal reports whether a reader or writer is a terminal: a file, or a Screen on one.
func IsTerminal(stream any) bool {
	f, ok := stream.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// The SGR parameters of ECMA-48, 8.3.117.
func (c Colour) paint(sgr int, s string) string {
	if !c.on || s == "" {
		return s
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", sgr, s)
}

// Bold makes s stand out.
func (c Colour) Bold(s string) string { return c.paint(1, s) }

// Dim makes s step back.
func (c Colour) Dim(s string) string { return c.paint(2, s) }

// Red is for what failed or is taken away.
func (c Colour) Red(s string) string { return c.paint(31, s) }

// Green is for what is as it should be or is added.
func (c Colour) Green(s string) string { return c.paint(32, s) }

// Yellow is for what wants a look.
func (c Colour) Yellow(s string) string { return c.paint(33, s) }
