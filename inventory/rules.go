package inventory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fwpush/inventory/internal/schema"
	"fwpush/inventory/internal/source"
	"fwpush/inventory/internal/syntax"
)

func (d *decoder) roles(n *source.Node) map[string]Role {
	roles := map[string]Role{}
	d.named(n, schema.Kind("roles.NAME"), "role", checkName("role"), func(n *source.Node, f fields, _ int) {
		roles[n.Name] = Role{
			Name:     n.Name,
			Place:    d.place(n.Key),
			Extends:  d.roleNames(f["extends"]),
			Settings: d.settings(f),
			Rules:    d.lists(f, header("roles", n.Name)),
		}
	})
	return roles
}

// lists decodes the lists that roles and hosts share.
func (d *decoder) lists(f fields, where string) Rules {
	return Rules{
		In:        each(d, f["in"], &d.left.Rules, "rules", `{ allow = "http" }`, d.ruleOf("rule in in", where)),
		Out:       each(d, f["out"], &d.left.Rules, "rules", `{ allow = "http" }`, d.ruleOf("rule in out", where)),
		Forward:   each(d, f["forward"], &d.left.Rules, "rules", `{ allow = "http" }`, d.ruleOf("rule in forward", where)),
		Forwards:  f["forward"] != nil,
		Published: each(d, f["published"], &d.left.Rules, "rules", `{ allow = "http" }`, d.ruleOf("rule in published", where)),
		Publishes: f["published"] != nil,
		NAT:       each(d, f["nat"], &d.left.NAT, "entries", `{ masquerade = true, out_iface = "wan", family = "ipv4" }`, d.natOf(where)),
		Probes:    each(d, f["probe"], &d.left.Probes, "probes", "{ tcp = 443 }", d.probeOf(where)),
	}
}

func checkName(what string) func(string) *syntax.Error {
	return func(s string) *syntax.Error { return syntax.Name(what, s) }
}

func (d *decoder) roleNames(n *source.Node) []At[string] { return d.strings(n, checkName("role")) }

// each decodes the tables of a list. One with a mistake goes among those that are
// left out: without the part that is wrong it would match more than was meant.
func each[T any](d *decoder, n *source.Node, left *[]T, what, example string, decode func(*source.Node) T) []T {
	var list []T
	for _, item := range items(n) {
		if item.Kind != source.Table {
			d.fail(item.Val, fmt.Sprintf("%s holds %s, not %s", n.Name, what, written(item)), "write "+example)
			continue
		}
		before := d.count[Error]
		v := decode(item)
		if d.count[Error] > before {
			*left = append(*left, v)
			continue
		}
		list = append(list, v)
	}
	return list
}

func (d *decoder) ruleOf(kind, where string) func(*source.Node) Rule {
	t := schema.Kind(kind)
	return func(n *source.Node) Rule { return d.rule(n, t, where) }
}

func (d *decoder) rule(n *source.Node, t Table, where string) Rule {
	f := d.table(n, t, "a rule of "+where)
	d.oneVerb(n, t)
	r := Rule{
		Place:      d.place(n.Val),
		From:       d.peers(d.few(f["from"])),
		To:         d.peers(d.few(f["to"])),
		InIfaces:   d.strings(f["in_iface"], syntax.Iface),
		OutIfaces:  d.strings(f["out_iface"], syntax.Iface),
		Family:     family(f["family"]),
		MaxConns:   number(d, f["max_conns"]),
		AllowEmpty: flag(f["allow_empty"]),
		Name:       d.slug(f["name"]),
		Comment:    d.note(f, "comment"),
		Owner:      d.note(f, "owner"),
		Ticket:     d.note(f, "ticket"),
	}
	for _, v := range []Verb{AllowVerb, DenyVerb, DropVerb, RejectVerb} {
		if services := f[string(v)]; services != nil {
			r.Verb, r.Services = v, d.strings(services, syntax.Service)
		}
	}
	if iface := d.strings(f["iface"], syntax.Iface); t.Name == "rule in in" || t.Name == "rule in published" {
		r.InIfaces = iface
	} else if t.Name == "rule in out" {
		r.OutIfaces = iface
	}
	r.Log, _ = d.log(f["log"])
	for _, key := range []string{"rate", "max_conns"} {
		if n := f[key]; n != nil && r.Verb != AllowVerb && r.Verb != "" {
			d.fail(n.Key, fmt.Sprintf("%s is for allow, not for %s", key, r.Verb), "what is refused needs no limit")
			delete(f, key)
		}
	}
	if n := f["rate"]; n != nil {
		v, _ := d.rate(n)
		r.Rate = at(d, n, v)
	}
	if n := f["expires"]; n != nil {
		day := n.Value.(time.Time)
		r.Expires = at(d, n, time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, time.UTC))
	}
	return r
}

// slug returns the name of a rule.
func (d *decoder) slug(n *source.Node) At[string] {
	if n == nil || d.wrong(n, syntax.Name("rule", n.Text())) {
		return At[string]{}
	}
	return at(d, n, n.Text())
}

// family returns what a family key says.
func family(n *source.Node) Family {
	if n.Text() == "both" {
		return BothFamilies
	}
	return Family(n.Text())
}

// oneVerb reports a rule without a verb or with two. If one is mistyped, that
// has been told.
func (d *decoder) oneVerb(n *source.Node, t Table) {
	var names []string
	for _, v := range schema.Verbs {
		names = append(names, v.Name)
	}
	verbs := among(n, names)
	switch {
	case len(verbs) == 0 && mistyped(n, t, names...):
	case len(verbs) == 0:
		d.fail(n.Val, "a rule needs a verb", `write allow = "SERVICE" or deny = "SERVICE"`)
	case len(verbs) > 1:
		d.fail(verbs[1].Key, fmt.Sprintf("a rule has one verb, not %s and %s", verbs[0].Name, verbs[1].Name), "make two rules of it")
	}
}

// oneKind is the member of a table that says what the table is, of names of which it
// has exactly one; nil after a report that it has none or several.
func (d *decoder) oneKind(n *source.Node, t Table, names []string, what, example, split string) *source.Node {
	kinds := among(n, names)
	switch {
	case len(kinds) == 1:
		return kinds[0]
	case len(kinds) > 1:
		d.fail(kinds[1].Key, fmt.Sprintf("%s says one thing, not %s and %s", what, kinds[0].Name, kinds[1].Name), split)
	case !mistyped(n, t, names...):
		last := len(names) - 1
		d.fail(n.Val, fmt.Sprintf("%s says %s or %s", what, strings.Join(names[:last], ", "), names[last]), example)
	}
	return nil
}

// among are the members of a table that have one of the names.
func among(n *source.Node, names []string) []*source.Node {
	var list []*source.Node
	for _, k := range n.Kids {
		if slices.Contains(names, k.Name) {
			list = append(list, k)
		}
	}
	return list
}

// mistyped reports whether an unknown key of a table was probably meant to be one
// of the names. That has been told, and is not to be called missing too.
func mistyped(n *source.Node, t Table, names ...string) bool {
	return slices.ContainsFunc(n.Kids, func(k *source.Node) bool {
		_, known := t.Key(k.Name)
		return !known && slices.Contains(names, t.Nearest(k.Name))
	})
}

// maxLiterals bounds the addresses in a rule. Each is a line of the ruleset, which
// a packet passes one by one; a set is looked up at once.
const maxLiterals = 64

// few reports a list with too many addresses.
func (d *decoder) few(n *source.Node) *source.Node {
	literals := 0
	for _, item := range items(n) {
		if s := item.Text(); s != "any" && !syntax.Reference(s) {
			literals++
		}
	}
	if literals > maxLiterals {
		d.fail(n.Val, fmt.Sprintf("a rule has at most %d addresses in %s, not %d", maxLiterals, n.Name, literals),
			`put them into [sets.NAME] and write "set:NAME"`)
	}
	return n
}

// peers decodes from or to of a rule.
func (d *decoder) peers(n *source.Node) []At[string] { return d.whom(n, syntax.Peer) }

// whom decodes a list of whom something is about.
func (d *decoder) whom(n *source.Node, check func(key, s string) *syntax.Error) []At[string] {
	return d.strings(n, func(s string) *syntax.Error {
		e := check(n.Name, s)
		if e == nil {
			return nil
		}
		for _, k := range []struct{ table, prefix string }{{"hosts", "host:"}, {"roles", "role:"}, {"sets", "set:"}, {"groups", "group:"}} {
			if known := d.root.Kid(k.table); known != nil && known.Kid(s) != nil {
				e.Hint = strings.TrimPrefix(e.Hint+fmt.Sprintf("; write %q", k.prefix+s), "; ")
				return e
			}
		}
		return e
	})
}
