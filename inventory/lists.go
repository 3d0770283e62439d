package inventory

import (
	"cmp"
	"fmt"
	"go4.org/netipx"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"fwpush/inventory/internal/schema"
	"fwpush/inventory/internal/source"
	"fwpush/inventory/internal/syntax"
)

// maxAddresses bounds one set. nft loads ten thousand prefixes in a tenth of a
// second; ten times as many are no list that a person keeps.
const maxAddresses = 100_000

func (d *decoder) sets(n *source.Node) map[string]Set {
	sets := map[string]Set{}
	d.named(n, schema.Kind("sets.NAME"), "set", checkName("set"), func(n *source.Node, f fields, before int) {
		s := Set{
			Name:       n.Name,
			Place:      d.place(n.Key),
			Names:      d.strings(f["names"], syntax.DNSName),
			AllowEmpty: flag(f["allow_empty"]),
		}
		var literals []*source.Node
		literals, s.Refs = d.elements(f["addresses"])
		list := d.ranges(literals)
		if file := f["file"]; file != nil {
			list = append(list, d.addressFile(file)...)
		}
		if len(list) > maxAddresses {
			sp := n.Key
			if a := f["addresses"]; a != nil {
				sp = a.Val
			}
			d.fail(sp, fmt.Sprintf("a set has at most %d addresses, not %d", maxAddresses, len(list)), "write prefixes or ranges")
			list = nil
		}
		s.Addresses = d.merged(list)
		// What is empty because of a mistake is not to be called empty too.
		s.AllowEmpty = s.AllowEmpty || d.count[Error] > before
		sets[n.Name] = s
	})
	return sets
}

// elements tells the addresses in a list from references.
func (d *decoder) elements(n *source.Node) (literals []*source.Node, refs []At[string]) {
	for _, item := range items(n) {
		switch {
		case item.Kind != source.String || d.wrong(item, syntax.Element(item.Text())):
		case syntax.Reference(item.Text()):
			refs = append(refs, at(d, item, item.Text()))
		default:
			literals = append(literals, item)
		}
	}
	return literals, once(refs)
}

// written is a range as somebody wrote it.
type writtenRange struct {
	AddrRange
	text  string
	place Place
	node  *source.Node // nil in a file of addresses
}

func (d *decoder) ranges(list []*source.Node) []writtenRange {
	var out []writtenRange
	for _, n := range list {
		if from, to, e := syntax.Addresses(n.Text()); !d.wrong(n, e) {
			out = append(out, writtenRange{AddrRange{from, to}, n.Text(), d.place(n.Val), n})
		}
	}
	return out
}

// addressFile reads a file of addresses: one a line, "#" begins a comment.
func (d *decoder) addressFile(n *source.Node) []writtenRange {
	if d.files == nil {
		d.fail(n.Val, noFiles, "")
		return nil
	}
	if e := syntax.Inside(n.Text()); d.wrong(n, e) {
		return nil
	}
	path := filepath.Join(filepath.Dir(n.Val.File), n.Text())
	if d.wrong(n, d.files.inside(path)) {
		return nil
	}
	var out []writtenRange
	var key string // of the list in the fleet file: a line of addresses has none
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(d.read(n, path)), "\ufeff")) {
		number++
		entry, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), "#")
		text := strings.TrimSpace(entry)
		if text == "" {
			continue
		}
		place := Place{File: path, Line: number, Col: 1 + utf8.RuneCountInString(entry[:strings.Index(entry, text)])}
		from, to, e := syntax.Addresses(text)
		if e != nil {
			if key == "" {
				key = d.keyOf(n)
			}
			d.tell(Problem{Place: place, Key: key, Width: utf8.RuneCountInString(text), Source: strings.TrimRight(line, "\r\n"),
				Msg: e.Msg, Hint: cmp.Or(e.Hint, "a line is an address, a prefix or a range")})
			continue
		}
		out = append(out, writtenRange{AddrRange{from, to}, text, place, nil})
	}
	return out
}

// merged sorts what was written and joins what overlaps. Of an overlap in the
// fleet file a note tells; lists that others make are full of them.
func (d *decoder) merged(list []writtenRange) []At[AddrRange] {
	slices.SortStableFunc(list, func(a, b writtenRange) int {
		return cmp.Or(a.From.Compare(b.From), b.To.Compare(a.To))
	})
	var out []At[AddrRange]
	var last writtenRange
	for i, it := range list {
		if i == 0 || last.To.Less(it.From) {
			out, last = append(out, At[AddrRange]{it.AddrRange, it.place}), it
			continue
		}
		if it.node != nil {
			d.report(Note, it.node.Val, fmt.Sprintf("%s overlaps %s (%s)", it.text, last.text, besides(it.place, last.place)), "merged")
		}
		if last.To.Less(it.To) {
			last.To = it.To
			out[len(out)-1].V.To = it.To
		}
	}
	return out
}

func (d *decoder) services(n *source.Node) map[string]Service {
	services := map[string]Service{}
	d.named(n, schema.Kind("services.NAME"), "service", checkName("service"), func(n *source.Node, f fields, _ int) {
		s := Service{Name: n.Name, Place: d.place(n.Key)}
		for _, proto := range []string{"tcp", "udp", "sctp"} {
			s.Ports = append(s.Ports, d.portRanges(proto, f[proto])...)
		}
		s.ICMP = numbers(d, f["icmp"], func(t string) (uint8, *syntax.Error) { return syntax.ICMP(false, t) })
		s.ICMPv6 = numbers(d, f["icmpv6"], func(t string) (uint8, *syntax.Error) { return syntax.ICMP(true, t) })
		s.Protos = numbers(d, f["proto"], syntax.Proto)
		s.Include = d.strings(f["include"], checkName("service"))
		s.Override = flag(f["override"])
		if h := f["helper"]; h != nil {
			s.Helper = at(d, h, h.Text())
			d.checkHelper(n, h)
		}
		if !writes(n, "tcp", "udp", "sctp", "icmp", "icmpv6", "proto", "include") {
			d.fail(n.Key, fmt.Sprintf("service %s has no ports", syntax.Quote(n.Name)), "write tcp, udp, sctp, icmp, icmpv6, proto or include")
		}
		services[n.Name] = s
	})
	return services
}

// checkHelper reports a helper without ports to watch, and ports of a protocol that
// it does not read: the kernel has no such helper, and the rules would not load.
func (d *decoder) checkHelper(n, helper *source.Node) {
	if !writes(n, "tcp", "udp", "sctp") {
		if writes(n, "icmp", "icmpv6", "proto", "include") {
			d.fail(helper.Key, "helper has no meaning without ports", "write the ports the helper is for")
		}
		return
	}
	reads := schema.Helpers[helper.Text()]
	for _, proto := range []string{"tcp", "udp", "sctp"} {
		if ports := n.Kid(proto); ports != nil && !slices.Contains(reads, proto) {
			d.fail(ports.Key, fmt.Sprintf("helper %s reads %s, not %s", helper.Text(), strings.Join(reads, " and "), proto), "put these ports into a service without it")
		}
	}
}

// writes reports whether a table has one of the keys, whatever their values.
func writes(n *source.Node, keys ...string) bool {
	return slices.ContainsFunc(keys, func(k string) bool { return n.Kid(k) != nil })
}

// besides says where something stands, seen from elsewhere.
func besides(from, p Place) string {
	switch {
	case p.Of != "":
		return p.String()
	case from.File == p.File:
		return fmt.Sprintf("line %d", p.Line)
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
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

// numbers decodes a list of names that stand for numbers, or of such numbers, each
// once and sorted.
func numbers(d *decoder, n *source.Node, read func(string) (uint8, *syntax.Error)) []At[uint8] {
	var out []At[uint8]
	for _, item := range items(n) {
		var v uint8
		var e *syntax.Error
		switch w := item.Value.(type) {
		case string:
			v, e = read(w)
		case int64:
			if w < 1 || w > 255 {
				continue // fits has complained
			}
			v, e = syntax.ProtoNumber(w)
		default:
			continue
		}
		if !d.wrong(item, e) {
			out = append(out, at(d, item, v))
		}
	}
	out = once(out)
	slices.SortFunc(out, func(a, b At[uint8]) int { return cmp.Compare(a.V, b.V) })
	return out
}

// ICMPName is how nft spells a type of ICMP, or of ICMPv6; its number where nft
// has no word for it.
func ICMPName(v6 bool, t uint8) string { return syntax.ICMPName(v6, t) }

// ParseICMP reads the name of a type of ICMP, or of ICMPv6, in the spelling of nft
// or of iptables.
func ParseICMP(v6 bool, name string) (uint8, error) {
	t, e := syntax.ICMP(v6, name)
	if e != nil {
		return 0, e
	}
	return t, nil
}

// ProtoName is the name of an IP protocol without ports, its number where fleet
// files have no name for it.
func ProtoName(proto uint8) string { return syntax.ProtoName(proto) }

// String writes a rate as a fleet file does: "6/min per source burst 3".
func (r Rate) String() string {
	if r.N == 0 {
		return "no limit"
	}
	scope := "per " + string(r.Scope)
	if r.Scope == Global {
		scope = "global"
	}
	return fmt.Sprintf("%d/%s %s burst %d", r.N, syntax.Period(r.Per), scope, r.Burst)
}

// String writes a range in its shortest form: an address, a prefix or a range.
func (r AddrRange) String() string {
	if r.From == r.To {
		return r.From.String()
	}
	if p, ok := netipx.IPRangeFrom(r.From, r.To).Prefix(); ok {
		return p.String()
	}
	return r.From.String() + "-" + r.To.String()
}

// MarshalText writes a range as String does.
func (r AddrRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText has written. The error is anything else.
func (r *AddrRange) UnmarshalText(text []byte) error {
	s := string(text)
	if p, err := netip.ParsePrefix(s); err == nil {
		all := netipx.RangeOfPrefix(p)
		*r = AddrRange{all.From(), all.To()}
		return nil
	}
	first, last, ranged := strings.Cut(s, "-")
	if !ranged {
		last = first
	}
	var err error
	if r.From, err = netip.ParseAddr(first); err != nil {
		return err
	}
	r.To, err = netip.ParseAddr(last)
	return err
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

// CheckEnd checks a word that a test may have in from or to.
func CheckEnd(word string) error {
	if e := syntax.End("from", word); e != nil {
		return e
	}
	return nil
}

// Nearest returns the known name that was probably meant, "" if none is near.
func Nearest(name string, known []string) string { return syntax.Nearest(name, known) }
