package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwpush/inventory/internal/source"
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
	Key      string // what it is about, as in hosts.web1.ssh.port or roles.web.in[0].from[1]; "" for no key
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

// findKeys says of each finding that lacks it which key it is about, from the
// texts by name.
func (ps Problems) findKeys(docs map[string]*source.Doc) {
	places := map[string][]source.Point{}
	for _, p := range ps {
		if p.Key == "" && p.Place.Line > 0 && docs[p.Place.File] != nil {
			places[p.Place.File] = append(places[p.Place.File], source.Point{Line: p.Place.Line, Col: p.Place.Col})
		}
	}
	for file, list := range places {
		paths := docs[file].Paths(list)
		for i, p := range ps {
			if path := paths[source.Point{Line: p.Place.Line, Col: p.Place.Col}]; path != nil && p.Key == "" && p.Place.File == file {
				ps[i].Key = keyPath(path)
			}
		}
	}
}

// keyPath writes a way to a value as TOML writes keys, places in lists behind them.
func keyPath(path []source.Step) string {
	var b strings.Builder
	for i, step := range path {
		switch {
		case step.Index >= 0:
			fmt.Fprintf(&b, "[%d]", step.Index)
		case i > 0:
			b.WriteByte('.')
			fallthrough
		default:
			b.WriteString(dotted(step.Name))
		}
	}
	return b.String()
}
