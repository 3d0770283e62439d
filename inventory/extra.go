package inventory

import (
	"fmt"
	"slices"

	"fwpush/inventory/internal/hostlist"
	"fwpush/inventory/internal/schema"
	"fwpush/inventory/internal/source"
	"fwpush/inventory/internal/syntax"
)

// groups decodes [groups.NAME].
func (d *decoder) groups(n *source.Node) map[string]Group {
	groups := map[string]Group{}
	d.named(n, schema.Kind("groups.NAME"), "group", checkName("group"), func(n *source.Node, f fields, _ int) {
		g := Group{Name: n.Name, Place: d.place(n.Key), Hosts: d.strings(f["hosts"], member), Match: d.labels(f["match"])}
		written := slices.DeleteFunc(slices.Clone(n.Kids), func(k *source.Node) bool { return len(k.Kids)+len(k.Elems) == 0 && k.Value == nil })
		if len(written) == 0 {
			d.fail(n.Key, fmt.Sprintf("group %s has neither hosts nor match", syntax.Quote(n.Name)), `write hosts = ["web1"] or match = { env = "staging" }`)
		}
		groups[n.Name] = g
	})
	return groups
}

// pattern checks a pattern of hosts.
func pattern(s string) *syntax.Error {
	if _, err := hostlist.Parse(s); err != nil {
		return &syntax.Error{Msg: err.Error(), Char: -1}
	}
	return nil
}

// member checks a pattern in a group. Groups do not stand in groups: who is in one
// shall be seen without looking around.
func member(s string) *syntax.Error {
	terms, err := hostlist.Parse(s)
	if err != nil {
		return &syntax.Error{Msg: err.Error(), Char: -1}
	}
	if slices.ContainsFunc(terms, func(t hostlist.Term) bool { return t.Group != "" }) {
		return &syntax.Error{Msg: "a group holds no other group", Hint: "list the hosts", Char: -1}
	}
	return nil
}

// words decodes a table of strings.
func (d *decoder) words(n *source.Node, checkKey, check func(string) *syntax.Error) map[string]At[string] {
	if n == nil {
		return nil
	}
	words := map[string]At[string]{}
	for _, kid := range n.Kids {
		switch {
		case kid.Kind != source.String:
			d.fail(kid.Val, fmt.Sprintf("%s must be a string, not %s", syntax.Quote(kid.Name), written(kid)), "")
		default:
			if e := checkKey(kid.Name); e != nil {
				d.fail(kid.Key, e.Msg, e.Hint)
				continue
			}
			if !d.wrong(kid, check(kid.Text())) {
				words[kid.Name] = at(d, kid, kid.Text())
			}
		}
	}
	return words
}

func (d *decoder) labels(n *source.Node) map[string]string {
	if n == nil {
		return nil
	}
	labels := map[string]string{}
	for key, v := range d.words(n, syntax.Label, syntax.Label) {
		labels[key] = v.V
	}
	return labels
}

// raws decodes [[raw]].
func (d *decoder) raws(n *source.Node) []Raw {
	return each(d, n, &d.left.Raw, "tables", "[[raw]]", func(n *source.Node) Raw {
		t := schema.Kind("raw")
		f := d.table(n, t, "[[raw]]")
		r := Raw{
			Place: d.place(n.Val),
			Hosts: d.strings(f["hosts"], pattern),
			Roles: d.roleNames(f["roles"]),
			Chain: f["chain"].Text(),
			At:    f["at"].Text(),
		}
		table := r.At == "table"
		if len(items(n.Kid("hosts")))+len(items(n.Kid("roles"))) == 0 && !mistyped(n, t, "hosts", "roles") {
			d.fail(n.Val, "raw is for nobody", "write hosts or roles")
		}
		switch chain := f["chain"]; {
		case chain != nil && table:
			d.fail(chain.Key, "chain has no meaning with at = \"table\"", "leave it out")
		case chain == nil && !table && n.Kid("chain") == nil && r.At != "" && !mistyped(n, t, "chain"):
			d.fail(n.Val, "chain is missing in [[raw]]", "write input, output or forward")
		}
		for _, text := range []struct {
			key   string
			to    *At[string]
			check func(s string, table bool) (string, *syntax.Error)
		}{
			{"nft", &r.Nft, syntax.RawNft},
			{"iptables", &r.IPv4, syntax.RawIptables},
			{"ip6tables", &r.IPv6, syntax.RawIptables},
		} {
			if k := f[text.key]; k != nil {
				if clean, e := text.check(k.Text(), table); !d.wrong(k, e) {
					*text.to = at(d, k, clean)
				}
			}
		}
		if !writes(n, "nft", "iptables", "ip6tables") && !mistyped(n, t, "nft", "iptables", "ip6tables") {
			d.fail(n.Val, "raw has no text", "write nft, or iptables and ip6tables")
		}
		return r
	})
}

// tests decodes [[tests]].
func (d *decoder) tests(n *source.Node) []Test {
	return each(d, n, &d.left.Tests, "tables", "[[tests]]", func(n *source.Node) Test {
		f := d.table(n, schema.Kind("tests"), "[[tests]]")
		t := Test{
			Place:     d.place(n.Val),
			Name:      d.note(f, "name"),
			From:      d.whom(f["from"], syntax.End),
			To:        d.whom(f["to"], syntax.End),
			Allow:     d.strings(f["allow"], syntax.Service),
			Deny:      d.strings(f["deny"], syntax.Service),
			Family:    family(f["family"]),
			InIface:   d.iface(f["in_iface"]),
			OutIface:  d.iface(f["out_iface"]),
			Published: flag(f["published"]),
			RawOK:     flag(f["raw_ok"]),
		}
		if via := f["via"]; via != nil && !d.wrong(via, syntax.Host(via.Text())) {
			t.Via = at(d, via, via.Text())
		}
		if !writes(n, "allow", "deny") && !mistyped(n, schema.Kind("tests"), "allow", "deny") {
			d.fail(n.Val, "a test needs allow or deny", `write deny = ["ssh"]`)
		}
		if out := f["out_iface"]; out != nil && n.Kid("via") == nil {
			d.fail(out.Key, "out_iface has no meaning without via", "packets that are forwarded have one")
		}
		return t
	})
}

func (d *decoder) iface(n *source.Node) At[string] {
	if n == nil || d.wrong(n, syntax.Iface(n.Text())) {
		return At[string]{}
	}
	return at(d, n, n.Text())
}

// walk decodes how a run goes through the fleet beside its window.
func (d *decoder) walk(f fields, r *Rollout) {
	r.Canary = d.strings(f["canary"], pattern)
	r.Serial = d.roleNames(f["serial"])
	r.MaxFailures, r.MaxUnreachable = d.budget(f["max_failures"]), d.budget(f["max_unreachable"])
	if n := f["soak"]; n != nil {
		r.Soak = at(d, n, seconds(n, 0))
	}
	if n := f["on_stop"]; n != nil {
		r.OnStop = at(d, n, n.Text())
	}
	for _, item := range items(f["waves"]) {
		if item.Kind != source.String {
			continue
		}
		p, e := syntax.Percent(item.Text())
		if d.wrong(item, e) {
			continue
		}
		if len(r.Waves) > 0 && p <= r.Waves[len(r.Waves)-1].V {
			d.fail(item.Val, fmt.Sprintf("waves are cumulative: %d%% comes after %d%%", p, r.Waves[len(r.Waves)-1].V), "write each larger than the one before")
		}
		r.Waves = append(r.Waves, at(d, item, p))
	}
	if n := len(r.Waves); n > 0 && r.Waves[n-1].V != 100 {
		d.fail(f["waves"].Val, "the last of waves must be 100%", "the rest of the hosts would never have their turn")
	}
}

func (d *decoder) budget(n *source.Node) At[Budget] {
	if n == nil {
		return At[Budget]{}
	}
	if v, ok := n.Value.(int64); ok {
		return at(d, n, Budget{Count: int(v)})
	}
	p, _ := syntax.Percent(n.Text()) // fits has complained
	return at(d, n, Budget{Percent: p})
}

// shared decodes the addresses a host has together with others, and adds those
// that are not among its own.
func (d *decoder) shared(n *source.Node, h *Host) {
	own := h.Addrs()
	h.Shared = d.machines(n)
	for _, a := range h.Shared {
		if !slices.Contains(own, a.V) {
			d.fail(d.span(a.Place), fmt.Sprintf("%s is shared and not an address of %s", a.V, h.Name), "write it in addresses too, in the net it belongs to")
		}
	}
}

func number(d *decoder, n *source.Node) At[int] {
	if n == nil {
		return At[int]{}
	}
	v, _ := n.Value.(int64)
	return at(d, n, int(v))
}
