package proposal

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
)

// entry is a rule of the proposal.
type entry struct {
	verb     string
	services []string
	from, to []string
	in, out  []string
	family   string
	rate     string
	most     int
	comment  string
	at       string
	part     string // what of the packets it leaves out
}

// icmp are the protocols of which a role says nothing but ping: what IP cannot work
// without is let in, and what begins nothing is not.
var icmp = space.ProtoKeys(space.ICMP).Union(space.ProtoKeys(space.ICMPv6))

// echo are requests for an echo.
func echo(v6 bool) space.Keys {
	if v6 {
		return space.TypeKeys(space.ICMPv6, 128)
	}
	return space.TypeKeys(space.ICMP, 8)
}

// plainName is what interfaces are called that a rule names.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,14}$`)

// entryOf is a box as a rule; why not, if it is none.
func (p *maker) entryOf(verb string, b space.Box, v6 bool) (e entry, why string) {
	e.verb = verb
	if !b.SrcPort.Equal(space.AllPorts()) {
		return e, "a rule has no source port, and replies are let in anyway"
	}
	for _, side := range []struct {
		names space.Names
		to    *[]string
	}{{b.In, &e.in}, {b.Out, &e.out}} {
		switch others := slices.DeleteFunc(slices.Clone(side.names.List), func(n string) bool { return n == "lo" }); {
		case !side.names.Except:
			if i := slices.IndexFunc(others, func(n string) bool { return !plainName.MatchString(n) }); i >= 0 {
				return e, "no interface of a fleet file is called " + others[i]
			}
			*side.to = others
		case len(others) > 0:
			return e, "a rule names interfaces, not all but some"
		}
	}
	switch {
	case p.way == roles.Input && len(e.out) > 0, p.way == roles.Output && len(e.in) > 0:
		return e, "names an interface that packets have not got there"
	case p.way == roles.Output && !b.Src.Equal(space.Everyone(v6)):
		return e, "a rule of out has no source: it is the host"
	}
	e.from, e.to = p.peers(b.Src, v6), p.peers(b.Dst, v6)
	e.services, e.part, why = p.services(verb, b.Key, v6)
	return e, why
}

// mostWords bounds the addresses that stand in a rule; more become a set.
const mostWords = 8

func (p *maker) peers(a space.Addrs, v6 bool) []string {
	if a.Equal(space.Everyone(v6)) {
		return nil
	}
	words := space.Ranges(a)
	if len(words) <= mostWords {
		return words
	}
	return []string{"set:" + p.setOf(words)}
}

// setOf is a set of addresses, by its name. A set that a rule names already is taken apart
// for one of more.
func (p *maker) setOf(words []string) string {
	var all []string
	for _, w := range words {
		name, is := strings.CutPrefix(w, "set:")
		if i := slices.IndexFunc(p.setList, func(s set) bool { return is && s.name == name }); i >= 0 {
			all = append(all, p.setList[i].words...)
		} else {
			all = append(all, w)
		}
	}
	text := strings.Join(all, " ")
	name := p.sets[text]
	if name == "" {
		name = fmt.Sprintf("%.20s-%d", p.role, len(p.sets)+1)
		p.sets[text] = name
		p.setList = append(p.setList, set{name, all})
	}
	return name
}

type set struct {
	name  string
	words []string
}

// known are ports that have a name in a fleet file which everybody reads.
var known = map[string]string{"tcp/22": "ssh", "tcp/80": "http", "tcp/443": "https"}

// mostServices bounds what is written out for one rule, mostProtos of that protocols other
// than those with ports.
const (
	mostServices = 40
	mostProtos   = 8
)

// services are keys in the words of a fleet file, for an allow perhaps not all of them.
func (p *maker) services(verb string, keys space.Keys, v6 bool) (words []string, part, why string) {
	if keys.Equal(space.AllKeys()) {
		return []string{"all"}, "", ""
	}
	for _, proto := range [...]uint8{space.TCP, space.UDP, space.SCTP} {
		for _, r := range keys.And(space.ProtoKeys(proto)) {
			from, to := max(r.From.Port(), 1), r.To.Port()
			word := fmt.Sprintf("%s/%d", space.ProtoWord(proto), from)
			switch {
			case to == 0: // port 0 alone, which nothing listens on
				continue
			case to > from:
				word += fmt.Sprintf("-%d", to)
			case known[word] != "":
				word = known[word]
			}
			words = append(words, word)
		}
	}
	echoes := echo(v6)
	if keys.Covers(echoes) {
		words = append(words, "ping")
	}
	var protos []int
	for proto := range 256 {
		all := space.ProtoKeys(uint8(proto))
		if space.ProtoWord(uint8(proto)) == "" && !icmp.Covers(all) && keys.Covers(all) {
			protos = append(protos, proto)
		}
	}
	if len(protos) > mostProtos {
		if len(words) == 0 || verb != "allow" {
			return nil, "", "so many protocols that no rule names them"
		}
		protos, part = nil, "protocols other than TCP, UDP and SCTP are left out"
	}
	for _, n := range protos {
		words = append(words, fmt.Sprintf("proto-%d", n))
	}
	if len(words) == 0 {
		return nil, "", "no service is left of it but ICMP, of which ping alone is up to a role"
	}
	if len(words) > mostServices {
		return nil, "", "so many services that no rule names them"
	}
	for _, n := range protos {
		if !slices.Contains(p.protos, n) {
			p.protos = append(p.protos, n)
		}
	}
	return words, part, ""
}

// text is the rule on one line.
func (e entry) text(d roles.Direction) string {
	var parts []string
	list := func(key string, words []string) {
		switch len(words) {
		case 0:
		case 1:
			parts = append(parts, key+" = "+inventory.TOML(words[0]))
		default:
			parts = append(parts, key+" = "+inventory.TOML(words))
		}
	}
	list(e.verb, e.services)
	list("from", e.from)
	list("to", e.to)
	switch d {
	case roles.Input:
		list("iface", e.in)
	case roles.Output:
		list("iface", e.out)
	default:
		list("in_iface", e.in)
		list("out_iface", e.out)
	}
	if e.family != "" {
		parts = append(parts, "family = "+inventory.TOML(e.family))
	}
	if e.rate != "" {
		parts = append(parts, "rate = "+inventory.TOML(e.rate))
	}
	if e.most > 0 {
		parts = append(parts, fmt.Sprintf("max_conns = %d", e.most))
	}
	if e.comment != "" {
		parts = append(parts, "comment = "+inventory.TOML(e.comment))
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

// addressed tells whether a rule names addresses, which have a family themselves.
func (e entry) addressed() bool { return len(e.from)+len(e.to) > 0 }
