package proposal

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"fwpush/internal/foreign"
	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
)

// maker makes a role.
type maker struct {
	*reader
	role         string
	way          roles.Direction // of the rules that are made, "" for those of nat
	sets         map[string]string
	setList      []set
	protos       []int // that need a service
	entries      map[roles.Direction][]entry
	denied       space.Region
	ping         string // true, false or a rate
	translations []natEntry
	dhcp         bool
	toItself     bool // a dnat names no address that is asked for
}

// direction makes the rules of one direction, where all else is let through or not. With
// open6, nothing was told of IPv6: a rule that names no addresses is for both families, as
// whoever wrote it meant it.
func (p *maker) direction(d roles.Direction, pair chains, open6, otherwise bool) {
	p.way = d
	var lists [2][]entry
	for i, h := range pair {
		switch {
		case i == 1 && open6:
		case otherwise:
			lists[i] = p.denials(h, i == 1)
			p.unlimited(h)
		default:
			lists[i] = p.family(h, i == 1, open6)
		}
	}
	p.entries[d] = p.merged(joined(lists[0], lists[1], open6))
}

// merged makes one rule of neighbours that differ in their sources only: a script has a
// rule for each, and a role a list. What stands there already does not come again.
func (p *maker) merged(list []entry) []entry {
	var out []entry
	same := func(a, b entry) bool {
		a.from, b.from, a.at, b.at = nil, nil, "", ""
		return a.text(roles.Forward) == b.text(roles.Forward)
	}
	said := map[string]bool{}
	for _, e := range list {
		text := e.text(roles.Forward)
		if said[text] {
			continue
		}
		said[text] = true
		if n := len(out); n > 0 && len(e.from) > 0 && len(out[n-1].from) > 0 && same(e, out[n-1]) {
			last := &out[n-1]
			last.from = append(slices.Clip(last.from), e.from...)
			first, _, _ := strings.Cut(last.at, " to ")
			last.at = first + " to " + e.at
			continue
		}
		out = append(out, e)
	}
	for i, e := range out {
		slices.Sort(e.from)
		if out[i].from = slices.Compact(e.from); len(out[i].from) > mostWords {
			out[i].from = []string{"set:" + p.setOf(out[i].from)}
		}
	}
	return out
}

// joined makes one rule of two that say the same of the families.
func joined(v4, v6 []entry, open6 bool) []entry {
	var out []entry
	same := func(a, b entry) bool {
		a.family, b.family, a.at, b.at, a.comment, b.comment = "", "", "", "", "", ""
		return a.text(roles.Forward) == b.text(roles.Forward)
	}
	for _, e := range v4 {
		both := slices.IndexFunc(v6, func(o entry) bool { return same(e, o) })
		switch {
		case e.addressed() || open6:
		case both >= 0:
			if e.comment == "" {
				e.comment = v6[both].comment
			}
			if other := v6[both].at; other != e.at {
				e.at += ", " + other
			}
			v6 = slices.Delete(slices.Clone(v6), both, both+1)
		default:
			e.family = string(inventory.IPv4)
		}
		out = append(out, e)
	}
	for _, e := range v6 {
		if !e.addressed() {
			e.family = string(inventory.IPv6)
		}
		out = append(out, e)
	}
	return out
}

// family makes the rules of one family. An allow is all that its rule is about where that
// is let in as a whole; where an earlier rule refuses a part of it that nothing lets in,
// with a rule that refuses that; else it is what is left of it. With open6, a limit for all but
// some addresses of IPv4, which are let in without it, is for all of IPv6 too.
func (p *maker) family(h *hook, v6, open6 bool) []entry {
	var out []entry
	free, _ := h.accepted()
	denied := map[int]bool{}
	var done space.Region // let in by rules that stand here already
	for i, a := range h.pieces {
		if !a.accept || len(a.packets) == 0 {
			continue
		}
		boxes, full := a.packets, a.full
		if a.rule == nil { // a policy is about everything
			full = h.everything()
		}
		by, ok := h.refusing(i, full, append(slices.Clip(free), a.packets...))
		for _, n := range by {
			ok = ok && p.says("deny", h.pieces[n].full, v6)
		}
		if ok {
			boxes = full
			for _, n := range by {
				if !denied[n] {
					denied[n] = true
					p.denied = append(p.denied, h.pieces[n].full...)
					out = append(out, p.boxes("deny", h.pieces[n], h.pieces[n].full, v6)...)
				}
			}
		}
		if a.limit != nil {
			boxes = boxes.Without(free) // what is let in anyway has no limit
		} else if len(boxes.Without(done)) == 0 {
			continue
		} else {
			done = append(done, boxes...)
		}
		allows := p.boxes("allow", a, boxes, v6)
		if open6 && a.limit != nil && ok && anywhere(full) {
			allows = withIPv6(allows)
		}
		out = append(out, allows...)
	}
	return out
}

// anywhere tells whether packets are from and to all addresses.
func anywhere(r space.Region) bool {
	return !slices.ContainsFunc(r, func(b space.Box) bool {
		return !b.Src.Equal(space.Everyone(b.V6())) || !b.Dst.Equal(space.Everyone(b.V6()))
	})
}

// withIPv6 adds all of IPv6 to rules that name addresses of IPv4; the others are for both.
func withIPv6(list []entry) []entry {
	for i := range list {
		for _, words := range []*[]string{&list[i].from, &list[i].to} {
			if len(*words) > 0 {
				*words = append(slices.Clip(*words), "::/0")
			}
		}
	}
	return list
}

// denials are the rules of a family where all else is let out.
func (p *maker) denials(h *hook, v6 bool) []entry {
	var out []entry
	free, _ := h.accepted()
	for _, d := range h.pieces {
		if d.accept {
			continue
		}
		boxes := d.packets
		if !d.full.Meets(free) {
			boxes = d.full
		}
		out = append(out, p.boxes("deny", d, boxes, v6)...)
	}
	return out
}

// everything is all that came to a hook.
func (h *hook) everything() space.Region {
	var all space.Region
	for _, p := range h.pieces {
		if p.limit == nil {
			all = append(all, p.packets...)
		}
	}
	return all.Simple()
}

// refusing are the rules before one that refuse a part of what it is about, which has to
// be let in but for that; false if one of them is about packets that are let in as well.
func (h *hook) refusing(at int, full, free space.Region) (list []int, ok bool) {
	rest := full.Without(free)
	for i := range at {
		d := h.pieces[i]
		if d.accept || !d.full.Meets(full) {
			continue
		}
		if d.full.Meets(free) {
			return nil, false
		}
		list = append(list, i)
		rest = rest.Without(d.full)
	}
	return list, len(rest) == 0
}

// boxes are packets as rules. What is no rule is named, and opens nothing.
func (p *maker) boxes(verb string, of piece, boxes space.Region, v6 bool) []entry {
	var out []entry
	add := func(b space.Box, l *limit) {
		if b.Key = asked(verb, b, v6); b.Key.Empty() {
			return
		}
		if verb == "allow" && leases(b, v6) {
			p.dhcp = true
			p.tell(&p.builtin, of.at, of.text(), "answers of DHCP servers: the key dhcp_client")
			return
		}
		e, why := p.entryOf(verb, b, v6)
		if why != "" {
			p.tell(&p.lost, of.at, of.text(), why+"; left out")
			return
		}
		if e.part != "" {
			p.tell(&p.lost, of.at, of.text(), e.part)
		}
		if l != nil {
			e.rate, e.most = l.rate, l.most
		}
		if e.at = of.at; of.rule != nil {
			e.comment = comment(of.rule.Comment)
		}
		out = append(out, e)
	}
	for _, b := range boxes.Simple() {
		for _, c := range p.curbed(of, b) {
			add(c.box, c.limit)
		}
	}
	return out
}

// text is the rule that decides.
func (of piece) text() string {
	if of.rule == nil {
		return "policy"
	}
	return of.rule.Text
}

// leases tells whether packets are what DHCP servers answer (RFC 2131 section 4.1, RFC 8415
// section 7.2).
func leases(b space.Box, v6 bool) bool {
	server, client := uint16(67), uint16(68)
	if v6 {
		server, client = 547, 546
	}
	return space.PortKeys(space.UDP, client, client).Covers(b.Key) && space.One(space.Port(server)).Covers(b.SrcPort)
}

// asked are the keys of a box that a rule can be about. All of them are "all". Echo requests
// of everybody are let in by the key ping, and refused by a rule.
func asked(verb string, b space.Box, v6 bool) space.Keys {
	if b.Key.Equal(space.AllKeys()) {
		return b.Key
	}
	echoes := b.Key.And(echo(v6))
	if verb == "allow" && b.Src.Equal(space.Everyone(v6)) && b.Dst.Equal(space.Everyone(v6)) && b.In.Words()+b.Out.Words() == "" {
		echoes = nil
	}
	return b.Key.Minus(icmp).Union(echoes)
}

// begins are the messages beside echo requests that something begins with, and that IP
// works without: no rule names them.
func begins(v6 bool) space.Keys {
	if v6 {
		return space.TypeKeys(space.ICMPv6, 139)
	}
	return space.TypeKeys(space.ICMP, 13).Union(space.TypeKeys(space.ICMP, 15)).Union(space.TypeKeys(space.ICMP, 17))
}

// says tells whether packets can be said in rules, all of them.
func (p *maker) says(verb string, r space.Region, v6 bool) bool {
	return !slices.ContainsFunc(r.Simple(), func(b space.Box) bool {
		if !b.Key.Equal(space.AllKeys()) && b.Key.Meets(begins(v6)) {
			return true
		}
		if b.Key = asked(verb, b, v6); b.Key.Empty() {
			return false
		}
		_, why := p.entryOf(verb, b, v6)
		return why != ""
	})
}

// comment is what a rule says of itself, as far as a fleet file takes it.
func comment(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '"' || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	for len(s) > 128 {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

// echoes settles ping by what becomes of echo requests.
func (p *maker) echoes(h *hook, v6 bool) string {
	echoes := everything("input", v6)
	echoes[0].Key = echo(v6)
	echoes = echoes.Without(p.denied) // whom a rule refuses everything
	free, limited := h.accepted()
	if len(echoes.Without(free)) == 0 {
		for _, c := range h.curbs {
			if len(echoes.Without(c.packets)) == 0 && c.limit.rate != "" {
				return c.limit.rate
			}
		}
		return "true"
	}
	if len(echoes.Without(slices.Concat(free, limited))) == 0 {
		for _, a := range h.pieces {
			if a.accept && a.limit != nil && a.packets.Meets(echoes) {
				return a.limit.rate
			}
		}
	}
	return "false"
}

// inbound is how what is let in by nothing is told.
func inbound(h *hook) string {
	for _, d := range slices.Backward(h.pieces) {
		if !d.accept && d.rule != nil && d.rule.Verdict.Kind == foreign.Reject && broad(d.full) {
			return "reject"
		}
		if !d.accept && broad(d.full) {
			return "drop"
		}
	}
	return "drop"
}

// broad tells whether packets are about everybody and everything.
func broad(r space.Region) bool {
	return slices.ContainsFunc(r, func(b space.Box) bool {
		return b.Src.Equal(space.Everyone(b.V6())) && b.Key.Covers(space.ProtoKeys(space.TCP))
	})
}
