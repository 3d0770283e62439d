package inventory

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"fwpush/inventory/internal/schema"
	"fwpush/inventory/internal/source"
	"fwpush/inventory/internal/syntax"
)

// maxProblems bounds what is reported of one severity; a file with more mistakes
// is no fleet file.
const maxProblems = 1000

// decoder turns located values into the types of this package and collects what
// is wrong with them.
type decoder struct {
	file  string // as the user named it
	files *files // what it may read besides; nil for nothing
	root  *source.Node
	docs  map[string]*source.Doc // every text that was read, by name
	of    map[string][]string    // what the lines of texts that programs said are about, by name
	left  LeftOut
	// before is how many columns of the text are ours, not of who wrote the rest.
	before int
	found  Problems
	count  [Note + 1]int // of found, by severity
}

func (d *decoder) place(sp source.Span) Place {
	p := Place{File: sp.File, Line: sp.Line, Col: sp.Col}
	if of := d.of[sp.File]; sp.Line > 0 && sp.Line <= len(of) {
		p.Of = of[sp.Line-1]
	}
	return p
}

// line is the line of a piece of text, as people know it: not where a program said it.
func (d *decoder) line(sp source.Span) string {
	if d.of[sp.File] != nil {
		return ""
	}
	return d.docs[sp.File].Line(sp.Line)
}

// span is what stands at a place.
func (d *decoder) span(p Place) source.Span {
	if doc := d.docs[p.File]; doc != nil {
		return doc.SpanAt(p.Line, p.Col)
	}
	return source.Span{File: p.File, Line: p.Line, Col: p.Col, Width: 1}
}

// full reports whether so many mistakes were found that no more are told.
func (d *decoder) full() bool { return d.count[Error] > maxProblems }

func (d *decoder) report(s Severity, sp source.Span, msg, hint string) {
	d.tell(Problem{Severity: s, Place: d.place(sp), Width: sp.Width, Source: d.line(sp), Msg: msg, Hint: hint})
}

func (d *decoder) tell(p Problem) {
	d.count[p.Severity]++
	switch n := d.count[p.Severity]; {
	case n <= maxProblems:
		d.found = append(d.found, p)
	case n == maxProblems+1:
		d.found = append(d.found, Problem{Severity: p.Severity, Place: Place{File: d.file}, Msg: fmt.Sprintf("more than %d findings, the rest is not shown", maxProblems)})
	}
}

func (d *decoder) fail(sp source.Span, msg, hint string) { d.report(Error, sp, msg, hint) }

// wrong reports what is wrong with a string; a nil error is fine.
func (d *decoder) wrong(n *source.Node, e *syntax.Error) bool {
	if e == nil {
		return false
	}
	sp, msg := n.Val, e.Msg
	if e.Char >= 0 {
		sp = d.docs[n.Val.File].Char(n, e.Char)
		msg += fmt.Sprintf(" in %s at column %d", n.Name, sp.Col-d.before)
	}
	d.fail(sp, msg, e.Hint)
	return true
}

// keyOf is the key that a value of the fleet file has.
func (d *decoder) keyOf(n *source.Node) string {
	at := source.Point{Line: n.Val.Line, Col: n.Val.Col}
	return keyPath(d.docs[n.Val.File].Paths([]source.Point{at})[at])
}

// fields are the values of one table by key, those the schema takes.
type fields map[string]*source.Node

// table checks the keys of a table against the schema. Where names the table in
// messages. A nil node is an empty table.
func (d *decoder) table(n *source.Node, t Table, where string) fields {
	f := fields{}
	if n == nil {
		return f
	}
	meant := map[string]bool{} // what unknown keys were probably meant to be
	for _, kid := range n.Kids {
		k, known := t.Key(kid.Name)
		switch {
		case known && k.Refused != "":
			d.fail(kid.Key, fmt.Sprintf("%q has no meaning in %s", k.Name, where), k.Refused)
		case known:
			if d.fits(k, kid) {
				f[k.Name] = kid
			}
		case source.SecretKey(kid.Name):
			d.fail(kid.Key, "secrets are not read from inventory", "use a key file or an agent")
		default:
			meant[d.unknown(kid, t, where)] = true
		}
	}
	for _, k := range t.Keys {
		if k.Required && n.Kid(k.Name) == nil && !meant[k.Name] {
			d.missing(n, t, k, where)
		}
	}
	return f
}

// unknown reports an unknown key and returns what it was probably meant to be.
func (d *decoder) unknown(n *source.Node, t Table, where string) string {
	msg, hint := "unknown key "+syntax.Quote(n.Name), ""
	if where != "" {
		msg += " in " + where
	}
	near := t.Nearest(n.Name)
	if near != "" {
		hint = "did you mean " + strconv.Quote(near) + "?"
	}
	d.fail(n.Key, msg, hint)
	return near
}

func (d *decoder) missing(n *source.Node, t Table, k Key, where string) {
	name, hint := k.Name+" is missing in "+where, k.Doc
	if len(k.Values) > 0 {
		hint = "write " + k.Allowed()
	}
	if where == "" {
		if name = k.Name + " is missing"; k.Type == schema.Sub {
			name = "[" + k.Name + "] is missing"
		}
		switch k.Name {
		case "version":
			hint = "write version = 1"
		case "management":
			hint = `write from = ["ADDRESS"] in it: ` + k.Doc
		}
		// The first line is not about the key; nothing in the file is.
		d.tell(Problem{Place: Place{File: d.file, Line: 1, Col: 1}, Key: k.Name, Width: 1, Source: d.docs[d.file].Line(1), Msg: name, Hint: hint})
		return
	}
	d.fail(n.Key, name, hint)
}

func (d *decoder) mismatch(k Key, n *source.Node, hint string) bool {
	d.fail(n.Val, fmt.Sprintf("%s must be %s, not %s", k.Name, k.Allowed(), written(n)), hint)
	return false
}

// items returns the values of a list, or the one value written instead.
func items(n *source.Node) []*source.Node {
	switch {
	case n == nil:
		return nil
	case n.Kind == source.Array:
		return n.Elems
	}
	return []*source.Node{n}
}

// written says what stands in the file, for "not ...".
func written(n *source.Node) string {
	switch v := n.Value.(type) {
	case string:
		return "the string " + syntax.Quote(v)
	case int64:
		return "the number " + strconv.FormatInt(v, 10)
	case float64:
		if s := strconv.FormatFloat(v, 'g', -1, 64); strings.ContainsAny(s, ".einN") {
			return s
		}
		return strconv.FormatFloat(v, 'f', 1, 64)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		if v.Location().String() == "time-local" {
			return "a time"
		}
		return "a date"
	}
	if n.Kind == source.Array {
		return "a list"
	}
	return "a table"
}

// header writes a table's name as its header does.
func header(parts ...string) string { return "[" + dotted(parts...) + "]" }

// dotted writes a path of keys as TOML does.
func dotted(parts ...string) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteByte('.')
		}
		if p == "" || strings.Trim(p, bareKey) != "" {
			p = syntax.Quote(p)
		}
		b.WriteString(p)
	}
	return b.String()
}
