package inventory

import "strconv"

// Place is where a value stands in the fleet file. Line and Col count from 1;
// Col counts characters, not bytes. The zero Place means "not from a file".
type Place struct {
	File string
	Line int
	Col  int
	// Of is set for a place in what a program said: what it is about, as in "host web1:
	// ansible_port". People never see the lines that this was made into.
	Of string
}

// String returns "file:line:col", the form editors and grep understand.
func (p Place) String() string {
	if p.File == "" {
		return ""
	}
	if p.Line == 0 {
		return p.File
	}
	if p.Of != "" {
		return p.File + ": " + p.Of
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Col)
}

// Short is a place in a sentence, where nobody needs the column.
func (p Place) Short() string {
	if p.Of != "" || p.Line == 0 {
		return p.String()
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// both tells of two places, the lines alone if they are in one file.
func both(first, second Place) string {
	switch {
	case first.File != second.File:
		return first.Short() + ", " + second.Short()
	case first.Of != "":
		return first.Of + ", " + second.Of
	}
	return "line " + strconv.Itoa(first.Line) + ", " + strconv.Itoa(second.Line)
}

// left moves a place to the left, to the first column at most. A place without a
// column stays.
func (p Place) left(by int) Place {
	if p.Col > 0 {
		p.Col = max(1, p.Col-by)
	}
	return p
}

// At is a value together with the place it was written at.
type At[T any] struct {
	V     T
	Place Place
}
