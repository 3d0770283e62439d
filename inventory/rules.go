package inventory

import (
	"fmt"
	"slices"

	"fwpush/inventory/internal/schema"
	"fwpush/inventory/internal/source"
	"fwpush/inventory/internal/syntax"
)

func (d *decoder) roles(n *source.Node) map[string]Role {
	roles := map[string]Role{}
	d.named(n, schema.Kind("roles.NAME"), "role", checkName("role"), func(n *source.Node, f fields) {
		where := header("roles", n.Name)
		roles[n.Name] = Role{
			Name:     n.Name,
			Place:    d.place(n.Key),
			Extends:  d.roleNames(f["extends"]),
			Settings: d.settings(f),
			In:       d.rules(f["in"], schema.Kind("rule in in"), where),
			Out:      d.rules(f["out"], schema.Kind("rule in out"), where),
		}
	})
	return roles
}

func checkName(what string) func(string) *syntax.Error {
	return func(s string) *syntax.Error { return syntax.Name(what, s) }
}

func (d *decoder) roleNames(n *source.Node) []At[string] { return d.strings(n, checkName("role")) }

// rules decodes in or out. A rule with a mistake is left out: without the part
// that is wrong it would match more than was meant.
func (d *decoder) rules(n *source.Node, t Table, where string) []Rule {
	var rules []Rule
	for _, item := range items(n) {
		if item.Kind != source.Table {
			d.fail(item.Val, fmt.Sprintf("%s holds rules, not %s", n.Name, written(item)), `write { allow = "http" }`)
			continue
		}
		before := d.count[Error]
		r := d.rule(item, t, where)
		if d.count[Error] == before {
			rules = append(rules, r)
		}
	}
	return rules
}

func (d *decoder) rule(n *source.Node, t Table, where string) Rule {
	f := d.table(n, t, "a rule of "+where)
	d.oneVerb(n, t)
	services := f["allow"]
	if services == nil {
		services = f["deny"]
	}
	return Rule{
		Place:      d.place(n.Val),
		Deny:       f["deny"] != nil,
		Services:   d.strings(services, syntax.Service),
		From:       d.peers(d.few(f["from"])),
		To:         d.peers(d.few(f["to"])),
		AllowEmpty: flag(f["allow_empty"]),
		Comment:    d.note(f, "comment"),
		Owner:      d.note(f, "owner"),
		Ticket:     d.note(f, "ticket"),
	}
}

// oneVerb reports a rule without a verb or with two. If one is mistyped, that
// has been told.
func (d *decoder) oneVerb(n *source.Node, t Table) {
	isVerb := func(name string) bool {
		return slices.ContainsFunc(schema.Verbs, func(v Key) bool { return v.Name == name })
	}
	var verbs []*source.Node
	mistyped := false
	for _, k := range n.Kids {
		if isVerb(k.Name) {
			verbs = append(verbs, k)
		} else if _, known := t.Key(k.Name); !known {
			mistyped = mistyped || isVerb(t.Nearest(k.Name))
		}
	}
	switch {
	case len(verbs) == 0 && !mistyped:
		d.fail(n.Val, "a rule needs a verb", `write allow = "SERVICE" or deny = "SERVICE"`)
	case len(verbs) > 1:
		d.fail(verbs[1].Key, fmt.Sprintf("a rule has one verb, not %s and %s", verbs[0].Name, verbs[1].Name), "make two rules of it")
	}
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

// peers decodes from or to.
func (d *decoder) peers(n *source.Node) []At[string] {
	return d.strings(n, func(s string) *syntax.Error {
		e := syntax.Peer(n.Name, s)
		if e == nil {
			return nil
		}
		for _, k := range []struct{ table, prefix string }{{"hosts", "host:"}, {"roles", "role:"}, {"sets", "set:"}} {
			if known := d.doc.Root.Kid(k.table); known != nil && known.Kid(s) != nil {
				e.Hint += fmt.Sprintf("; write %q", k.prefix+s)
				return e
			}
		}
		return e
	})
}
