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
		return n.Kind == source.Bool || d.mismatch(k, n, "")
	case schema.Log:
		return n.Kind == source.Bool || n.Kind == source.String || d.mismatch(k, n, "")
	case schema.Ping:
		return n.Kind == source.Bool || n.Kind == source.String && strings.Contains(n.Text(), "/") || d.mismatch(k, n, "")
	case schema.Rate:
		return n.Kind == source.String || d.mismatch(k, n, `write the period too, as in "6/min"`)
	case schema.Budget:
		return d.fitsBudget(k, n)
	case schema.Expect:
		return n.Kind == source.Bool || n.Kind == source.Integer || d.mismatch(k, n, "")
	case schema.Date:
		return d.fitsDate(k, n)
	case schema.Strings, schema.Integers, schema.Ports, schema.Protos:
		return d.fitsList(k, n)
	case schema.Nets:
		if n.Kind == source.Table && len(n.Kids) == 0 {
			d.fail(n.Val, fmt.Sprintf("table %q is empty", k.Name), k.WhenEmpty())
			return false
		}
		return n.Kind == source.Table || d.fitsList(k, n)
	case schema.List:
		return n.Kind == source.Array || d.mismatch(k, n, "")
	case schema.Tables:
		return n.Kind == source.Array || d.mismatch(k, n, fmt.Sprintf("write [[%s]] with two brackets", k.Name))
	}
	return n.Kind == source.Table || d.mismatch(k, n, "") // schema.Sub, schema.Named, schema.Words
}

// fitsDate takes a local date: a time of day would not be the last one of a rule.
func (d *decoder) fitsDate(k Key, n *source.Node) bool {
	t, ok := n.Value.(time.Time)
	switch {
	case n.Kind == source.String:
		return d.mismatch(k, n, "")
	case !ok:
		return d.mismatch(k, n, "")
	case t.Location().String() == "time-local":
		return d.mismatch(k, n, "")
	case t.Location().String() != "date-local":
		d.fail(n.Val, k.Name+" must be a date without a time", fmt.Sprintf("write %s: the rule holds until the end of that day, UTC", t.Format(time.DateOnly)))
		return false
	case t.Year() < 1970 || t.Year() > 2100:
		d.fail(n.Val, fmt.Sprintf("%s must be a date from 1970 to 2100, not %s", k.Name, t.Format(time.DateOnly)), "")
		return false
	}
	return true
}

func (d *decoder) fitsBudget(k Key, n *source.Node) bool {
	switch v := n.Value.(type) {
	case int64:
		if v >= 0 && v <= 1_000_000 {
			return true
		}
	case string:
		if _, e := syntax.Percent(v); e == nil {
			return true
		}
	}
	return d.mismatch(k, n, "")
}

func (d *decoder) fitsString(k Key, n *source.Node) bool {
	if n.Kind != source.String {
		return d.mismatch(k, n, "")
	}
	return d.oneOf(k, n)
}

// oneOf reports whether a string is one of those the key takes.
func (d *decoder) oneOf(k Key, n *source.Node) bool {
	if len(k.Values) == 0 {
		return true
	}
	for _, v := range k.Values {
		if v == n.Text() {
			return true
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

// service says how a service is written that stands there as the number of a port.
func service(k Key, n *source.Node) string {
	if v, ok := n.Value.(int64); ok && k.Services() && syntax.Port(v) == nil {
		return fmt.Sprintf(`write "tcp/%d"`, v)
	}
	return ""
}

// fitsList checks a list and the kind of every item; a single value is a list
// of one. Items of another kind are reported and left for the reader to skip.
func (d *decoder) fitsList(k Key, n *source.Node) bool {
	want := source.String
	if k.Type == schema.Integers {
		want = source.Integer
	}
	mixed := k.Type == schema.Ports || k.Type == schema.Protos
	if n.Kind != source.Array && n.Kind != want && !(mixed && n.Kind == source.Integer) {
		return d.mismatch(k, n, service(k, n))
	}
	if n.Kind == source.Array && len(n.Elems) == 0 && k.NotEmpty {
		d.fail(n.Val, fmt.Sprintf("list %q is empty", k.Name), k.WhenEmpty())
		return false
	}
	what := "port"
	if k.Type == schema.Protos {
		what = "protocol"
	}
	for _, item := range items(n) {
		switch {
		case k.Type == schema.Integers, mixed && item.Kind != source.String:
			d.fitsInteger(k, what, item)
		case item.Kind != source.String:
			d.fail(item.Val, fmt.Sprintf("%s holds strings, not %s", k.Name, written(item)), service(k, item))
		case k.Type == schema.Strings:
			d.oneOf(k, item)
		}
	}
	return true
}
