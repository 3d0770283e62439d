package inventory

import "strconv"

// Place is where a value stands in the fleet file. Line and Col count from 1;
// Col counts characters, not bytes. The zero Place means "not from a file".
type Place struct {
	File string
	Line int
	Col  int
}

// String returns "file:line:col", the form editors and grep understand.
func (p Place) String() string {
	if p.File == "" {
		return ""
	}
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Col)
}

// At is a value together with the place it was written at.
type At[T any] struct {
	V     T
	Place Place
}
