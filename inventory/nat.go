package inventory

import (
	"fmt"

	"fwpush/inventory/internal/schema"
	"fwpush/inventory/internal/source"
	"fwpush/inventory/internal/syntax"
)

// natKeys are the keys that a kind of translation has no use for, and why.
var natKeys = map[NATKind]map[string]string{
	Masquerade: {"iface": "write out_iface", "to_addr": "the address is that of the interface"},
	SNAT:       {"iface": "write out_iface", "to_addr": "snat has the address itself"},
	DNAT:       {"out_iface": "write iface"},
	Redirect:   {"out_iface": "write iface", "to_addr": "connections go to the host itself"},
}

func (d *decoder) natOf(where string) func(*source.Node) NAT {
	t := schema.Kind("entry of nat")
	return func(n *source.Node) NAT { return d.nat(n, t, where) }
}

func (d *decoder) nat(n *source.Node, t Table, where string) NAT {
	f := d.table(n, t, "an entry of nat of "+where)
	e := NAT{
		Place:      d.place(n.Val),
		From:       d.peers(d.few(f["from"])),
		To:         d.peers(d.few(f["to"])),
		InIfaces:   d.strings(f["iface"], syntax.Iface),
		OutIfaces:  d.strings(f["out_iface"], syntax.Iface),
		Services:   d.strings(f["dport"], syntax.Service),
		Family:     family(f["family"]),
		AllowEmpty: flag(f["allow_empty"]),
		Comment:    d.note(f, "comment"),
	}
	kind := d.oneKind(n, t, schema.NATKinds, "an entry of nat", "write masquerade = true", "make two entries of it")
	if kind == nil {
		return e
	}
	e.Kind = NATKind(kind.Name)
	if !d.natTarget(&e, n, f) {
		return e
	}
	for _, k := range n.Kids {
		if hint := natKeys[e.Kind][k.Name]; hint != "" {
			d.fail(k.Key, fmt.Sprintf("%s has no meaning with %s", k.Name, e.Kind), hint)
		}
	}
	d.natFamily(&e, n, kind)
	return e
}

// natTarget reads what an address is translated to, and reports whether the entry
// says anything.
func (d *decoder) natTarget(e *NAT, n *source.Node, f fields) bool {
	on := f[string(e.Kind)]
	if on == nil {
		return false // it has the wrong type
	}
	if on.Value == false {
		d.fail(on.Val, fmt.Sprintf("%s = false says nothing", e.Kind), "take the entry out")
		return false
	}
	var bad *syntax.Error
	switch e.Kind {
	case SNAT:
		e.ToAddr, bad = syntax.Machine(on.Text())
		d.wrong(on, bad)
	case DNAT:
		if n.Kid("to_addr") == nil {
			d.fail(on.Key, "dnat needs to_addr", "write where connections go")
		} else if to := f["to_addr"]; to != nil {
			e.ToAddr, e.ToPort, bad = syntax.Target(to.Text())
			d.wrong(to, bad)
		}
	case Redirect:
		e.ToPort = uint16(on.Value.(int64))
	}
	if (e.Kind == DNAT || e.Kind == Redirect) && n.Kid("dport") == nil {
		d.fail(on.Key, fmt.Sprintf("%s needs dport", e.Kind), "without it every connection would be sent away, those to SSH too")
	}
	return true
}

// natFamily settles for which family an entry is: the one it names, or that of
// its address. Addresses are translated within a family only, and an IPv6 host
// behind an IPv4 masquerade has no way out that nobody thought of.
func (d *decoder) natFamily(e *NAT, n, kind *source.Node) {
	if !e.ToAddr.IsValid() {
		if e.Family == BothFamilies && n.Kid("family") == nil && e.Kind == Masquerade {
			d.fail(kind.Key, "masquerade needs a family", `write family = "ipv4", or "both" if IPv6 is to be translated too`)
		}
		return
	}
	fixed := IPv6
	if e.ToAddr.Is4() {
		fixed = IPv4
	}
	if e.Family != BothFamilies && e.Family != fixed {
		d.fail(n.Kid("family").Val, fmt.Sprintf("family %s does not go with %s", e.Family, e.ToAddr), "leave family out")
	}
	e.Family = fixed
}
