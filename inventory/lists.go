package inventory

import (
	"cmp"
	"fmt"
	"slices"

	"fwpush/inventory/internal/schema"
	"fwpush/inventory/internal/source"
	"fwpush/inventory/internal/syntax"
)

// maxAddresses bounds one set. nft loads ten thousand prefixes in a tenth of a
// second; ten times as many are no list that a person keeps.
const maxAddresses = 100_000

func (d *decoder) sets(n *source.Node) map[string]Set {
	sets := map[string]Set{}
	d.named(n, schema.Kind("sets.NAME"), "set", checkName("set"), func(n *source.Node, f fields) {
		before := d.count[Error]
		s := Set{
			Name:       n.Name,
			Place:      d.place(n.Key),
			Addresses:  d.addresses(f["addresses"]),
			AllowEmpty: flag(f["allow_empty"]),
		}
		// What is empty because of a mistake is not to be called empty too.
		s.AllowEmpty = s.AllowEmpty || d.count[Error] > before
		sets[n.Name] = s
	})
	return sets
}

// addresses decodes the list of a set and merges what overlaps.
func (d *decoder) addresses(n *source.Node) []At[AddrRange] {
	if list := items(n); len(list) > maxAddresses {
		d.fail(n.Val, fmt.Sprintf("a set has at most %d addresses, not %d", maxAddresses, len(list)), "write prefixes or ranges")
		return nil
	}
	type item struct {
		AddrRange
		node *source.Node
	}
	var list []item
	for _, n := range items(n) {
		if n.Kind != source.String {
			continue
		}
		if later := syntax.Reference(n.Text()); later {
			d.fail(n.Val, syntax.Quote(n.Text())+" in a set is not supported yet", "name it in the rule")
			continue
		}
		from, to, e := syntax.Addresses(n.Text())
		if !d.wrong(n, e) {
			list = append(list, item{AddrRange{from, to}, n})
		}
	}
	slices.SortStableFunc(list, func(a, b item) int {
		return cmp.Or(a.From.Compare(b.From), b.To.Compare(a.To))
	})
	var out []At[AddrRange]
	var last item
	for i, it := range list {
		if i == 0 || last.To.Less(it.From) {
			out, last = append(out, at(d, it.node, it.AddrRange)), it
			continue
		}
		d.report(Note, it.node.Val, fmt.Sprintf("%s overlaps %s (line %d)", it.node.Text(), last.node.Text(), last.node.Val.Line), "merged")
		if last.To.Less(it.To) {
			last.To = it.To
			out[len(out)-1].V.To = it.To
		}
	}
	return out
}

func (d *decoder) services(n *source.Node) map[string]Service {
	services := map[string]Service{}
	d.named(n, schema.Kind("services.NAME"), "service", checkName("service"), func(n *source.Node, f fields) {
		s := Service{Name: n.Name, Place: d.place(n.Key)}
		for _, proto := range []string{"tcp", "udp", "sctp"} {
			s.Ports = append(s.Ports, d.portRanges(proto, f[proto])...)
		}
		if len(n.Kids) == 0 {
			d.fail(n.Key, fmt.Sprintf("service %s has no ports", syntax.Quote(n.Name)), "write tcp, udp or sctp")
		}
		services[n.Name] = s
	})
	return services
}

// portRanges decodes the list of a service and merges what overlaps: ports have
// no order, and writing one twice is no mistake.
func (d *decoder) portRanges(proto string, n *source.Node) []At[PortRange] {
	var list []At[PortRange]
	for _, item := range items(n) {
		switch v := item.Value.(type) {
		case int64:
			if syntax.Port(v) == nil { // fitsList has complained
				list = append(list, at(d, item, PortRange{proto, uint16(v), uint16(v)}))
			}
		case string:
			from, to, e := syntax.Ports(v)
			if !d.wrong(item, e) {
				list = append(list, at(d, item, PortRange{proto, from, to}))
			}
		}
	}
	slices.SortStableFunc(list, func(a, b At[PortRange]) int { return cmp.Compare(a.V.From, b.V.From) })
	var out []At[PortRange]
	for _, r := range list {
		if n := len(out); n > 0 && r.V.From <= out[n-1].V.To {
			out[n-1].V.To = max(out[n-1].V.To, r.V.To)
			continue
		}
		out = append(out, r)
	}
	return out
}

// ParseAddrRange reads an address, a prefix, or a range of addresses.
func ParseAddrRange(s string) (AddrRange, error) {
	from, to, e := syntax.Addresses(s)
	if e != nil {
		return AddrRange{}, e
	}
	return AddrRange{from, to}, nil
}

// ParsePort reads a service written out, such as tcp/8443 or udp/6000-6100.
func ParsePort(s string) (PortRange, error) {
	proto, from, to, e := syntax.Literal(s)
	if e != nil {
		return PortRange{}, e
	}
	return PortRange{proto, from, to}, nil
}

// Nearest returns the known name that was probably meant, "" if none is near.
func Nearest(name string, known []string) string { return syntax.Nearest(name, known) }
