package inventory

import (
	"cmp"
	"slices"
)

// Severity says what a Problem does to the command that finds it.
type Severity int

const (
	// Error stops the command before any host is touched.
	Error Severity = iota
	// Warning is a lint: printed, an error only with --strict.
	Warning
	// Note is printed and never stops anything.
	Note
)

// Problem is one finding about a fleet file, with all a person needs to mend it.
type Problem struct {
	Severity Severity
	Place    Place
	Width    int    // characters to underline, at least 1
	Source   string // the offending line as written, "" if there is none
	Msg      string // lower case, no full stop
	Hint     string // what to do next, "" if Msg says it all
}

// Problems are findings about one fleet file.
type Problems []Problem

// Errors returns the findings that stop a command.
func (ps Problems) Errors() Problems {
	var out Problems
	for _, p := range ps {
		if p.Severity == Error {
			out = append(out, p)
		}
	}
	return out
}

// Sort orders findings by place; at one place errors stand first.
func (ps Problems) Sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.Place.File, b.Place.File),
			cmp.Compare(a.Place.Line, b.Place.Line),
			cmp.Compare(a.Place.Col, b.Place.Col),
			cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Msg, b.Msg),
		)
	})
}
