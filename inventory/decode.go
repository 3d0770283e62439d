package inventory

import (
	"fmt"
	"regexp"
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
	dir   string // where relative paths in it start
	doc   *source.Doc
	found Problems
	count [Note + 1]int // of found, by severity
}

func (d *decoder) place(sp source.Span) Place { return Place{File: d.file, Line: sp.Line, Col: sp.Col} }

// full reports whether so many mistakes were found that no more are told.
func (d *decoder) full() bool { return d.count[Error] > maxProblems }

func (d *decoder) report(s Severity, sp source.Span, msg, hint string) {
	d.count[s]++
	switch n := d.count[s]; {
	case n <= maxProblems:
		d.found = append(d.found, Problem{Severity: s, Place: d.place(sp), Width: sp.Width, Source: d.doc.Line(sp.Line), Msg: msg, Hint: hint})
	case n == maxProblems+1:
		d.found = append(d.found, Problem{Severity: s, Place: Place{File: d.file}, Msg: fmt.Sprintf("more than %d findings, the rest is not shown", maxProblems)})
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
		sp = d.doc.Char(n, e.Char)
		msg += fmt.Sprintf(" in %s at column %d", n.Name, sp.Col)
	}
	d.fail(sp, msg, e.Hint)
	return true
}

// rate is what a later version takes for ping.
var rate = regexp.MustCompile(`^[0-9]+/[a-z]+`)

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
		case known && k.Later:
			d.fail(kid.Key, syntax.Quote(k.Name)+" is not supported yet", "")
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
	sp, name := n.Key, k.Name+" is missing in "+where
	if where == "" {
		sp = source.Span{Line: 1, Col: 1, Width: 1}
		if name = k.Name + " is missing"; k.Type == schema.Sub {
			name = "[" + k.Name + "] is missing"
		}
	}
	d.fail(sp, name, k.Doc)
}

// fits reports whether a value is what the key takes, and says so if not.
func (d *decoder) fits(k Key, n *source.Node) bool {
	switch k.Type {
	case schema.String:
		return d.fitsString(k, n)
	case schema.Duration:
		v, err := time.ParseDuration(n.Text())
		if n.Kind == source.String && err == nil && v >= time.Duration(k.Min)*time.Second && v <= time.Duration(k.Max)*time.Second {
			return v%time.Second == 0 || d.mismatch(k, n, "write whole seconds")
		}
		if n.Kind == source.Integer {
			return d.mismatch(k, n, fmt.Sprintf(`write the unit in a string, as in "%ds"`, n.Value))
		}
		return d.mismatch(k, n, "")
	case schema.Integer:
		return d.fitsInteger(k, k.Name, n)
	case schema.Bool:
		if n.Kind == source.String && rate.MatchString(n.Text()) {
			d.fail(n.Val, fmt.Sprintf("%s %s is not supported yet", k.Name, syntax.Quote(n.Text())), "write true or false")
			return false
		}
		return n.Kind == source.Bool || d.mismatch(k, n, "")
	case schema.Log:
		return n.Kind == source.Bool || n.Kind == source.String || d.mismatch(k, n, "")
	case schema.Strings, schema.Integers, schema.Ports:
		return d.fitsList(k, n)
	case schema.Nets:
		if n.Kind == source.Table && len(n.Kids) == 0 {
			d.fail(n.Val, fmt.Sprintf("table %q is empty", k.Name), k.WhenEmpty())
			return false
		}
		return n.Kind == source.Table || d.fitsList(k, n)
	case schema.List:
		return n.Kind == source.Array || d.mismatch(k, n, "")
	}
	return n.Kind == source.Table || d.mismatch(k, n, "") // schema.Sub, schema.Named
}

func (d *decoder) fitsString(k Key, n *source.Node) bool {
	if n.Kind != source.String {
		return d.mismatch(k, n, "")
	}
	if len(k.Values) == 0 {
		return true
	}
	for _, v := range k.Values {
		if v == n.Text() {
			return true
		}
	}
	for _, v := range k.LaterValues {
		if v == n.Text() {
			d.fail(n.Val, fmt.Sprintf("%s %q is not supported yet", k.Name, v), "write "+k.Allowed())
			return false
		}
	}
	hint := ""
	if near := syntax.Nearest(n.Text(), k.Values); near != "" {
		hint = "did you mean " + strconv.Quote(near) + "?"
	}
	d.fail(n.Val, fmt.Sprintf("%s must be %s, not %s", k.Name, k.Allowed(), syntax.Quote(n.Text())), hint)
	return false
}

// fitsInteger checks a number under the name it has in messages.
func (d *decoder) fitsInteger(k Key, name string, n *source.Node) bool {
	v, ok := n.Value.(int64)
	switch {
	case !ok && n.Kind == source.Float:
		d.fail(n.Val, name+" must be a whole number, not "+written(n), "")
	case !ok:
		d.fail(n.Val, name+" must be a number, not "+written(n), "")
	case k.Max != 0 && (v < k.Min || v > k.Max):
		d.fail(n.Val, fmt.Sprintf("%s must be %d..%d, not %d", name, k.Min, k.Max, v), "")
	default:
		return true
	}
	return false
}

// fitsList checks a list and the kind of every item; a single value is a list
// of one. Items of another kind are reported and left for the reader to skip.
func (d *decoder) fitsList(k Key, n *source.Node) bool {
	want := source.String
	if k.Type == schema.Integers {
		want = source.Integer
	}
	if n.Kind != source.Array && n.Kind != want && !(k.Type == schema.Ports && n.Kind == source.Integer) {
		return d.mismatch(k, n, "")
	}
	if n.Kind == source.Array && len(n.Elems) == 0 && k.NotEmpty {
		d.fail(n.Val, fmt.Sprintf("list %q is empty", k.Name), k.WhenEmpty())
		return false
	}
	for _, item := range items(n) {
		switch {
		case k.Type == schema.Integers, k.Type == schema.Ports && item.Kind != source.String:
			d.fitsInteger(k, "port", item)
		case item.Kind != source.String:
			d.fail(item.Val, fmt.Sprintf("%s holds strings, not %s", k.Name, written(item)), "")
		}
	}
	return true
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
		return "a date"
	}
	if n.Kind == source.Array {
		return "a list"
	}
	return "a table"
}

// header writes a table's name as its header does.
func header(parts ...string) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteByte('.')
		}
		if p == "" || strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			p = syntax.Quote(p)
		}
		b.WriteString(p)
	}
	return "[" + b.String() + "]"
}
