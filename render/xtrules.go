package render

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"fwpush/inventory"
)

// rules are the rules of a statement in one family. Where iptables has no word for
// several things at once there is one for each of them.
func (x *xtPrinter) rules(s stmt, f family, un *unroller) []string {
	if s.family != (family{}) && s.family != f {
		return nil
	}
	switch s.state {
	case known:
		return []string{"-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "-m conntrack --ctstate INVALID -j DROP"}
	case knownOpen:
		return []string{"-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"}
	}
	src, okSrc := x.address(s.src, f)
	dst, okDst := x.address(s.dst, f)
	if !okSrc || !okDst {
		return nil
	}
	last := join(xtLimit(s, f), xtComment(s), xtTarget(s, f))
	switch unrolled := len(src.prefixes) > 1 || len(dst.prefixes) > 1; {
	case s.meter != nil && s.meter.conns > 0:
		// Each rule with connlimit counts by itself.
		last = "-j " + un.once(s.meter.name, join("-p "+s.proto, last))
	case s.log != "" && unrolled:
		// Each rule with a limit has that much for itself.
		last = "-j " + un.once(s.log, last)
	}
	var out []string
	for _, m := range xtMatches(s, f) {
		out = append(out, un.rule(src, dst, m, xtAsked(s), last))
	}
	return out
}

// xtAsked is the protocol that has to be said again where the end of a rule stands
// in a chain of its own: these targets ask for it.
func xtAsked(s stmt) string {
	if s.do.kind == redirect || s.do.kind == dnat && s.do.port > 0 {
		return "-p " + s.proto
	}
	return ""
}

// xtAddress is the ways to match one end of a packet: a match, or prefixes that are
// to be unrolled. The zero value matches everything.
type xtAddress struct {
	match    string
	prefixes []string
}

// address tells with false that no address of the family is meant.
func (x *xtPrinter) address(o operand, f family) (xtAddress, bool) {
	switch {
	case !o.given:
		return xtAddress{}, true
	case o.stem == "":
		if o.one.From().Is4() != (f == ip4) {
			return xtAddress{}, false
		}
		var out xtAddress
		for _, p := range o.one.Prefixes() {
			out.prefixes = append(out.prefixes, p.String())
		}
		return out, true
	case x.ipset:
		return xtAddress{match: "-m set --match-set " + x.names[o.stem+f.digit]}, true
	}
	return xtAddress{prefixes: x.bare[o.stem]}, len(x.bare[o.stem]) > 0
}

// xtMatches is every combination of what a statement matches beside addresses.
func xtMatches(s stmt, f family) []string {
	out := []string{""}
	each := func(words []string) {
		if len(words) == 0 {
			return
		}
		var next []string
		for _, m := range out {
			for _, w := range words {
				next = append(next, join(m, w))
			}
		}
		out = next
	}
	say := func(word string) { each([]string{word}) }
	flagged := func(flag string, names []string) []string {
		var words []string
		for _, n := range names {
			words = append(words, flag+" "+n)
		}
		return words
	}
	each(flagged("-i", s.in))
	each(flagged("-o", s.out))
	each(xtServices(s.cond, f))
	switch s.cast {
	case hostCast:
		say("-m pkttype --pkt-type unicast")
	case manyCast:
		each([]string{"-m pkttype --pkt-type broadcast", "-m pkttype --pkt-type multicast"})
	}
	if s.spoofed {
		say("-m addrtype --src-type LOCAL")
	}
	if s.local {
		say("-m addrtype --dst-type LOCAL")
	}
	if s.hops > 0 {
		say(fmt.Sprintf("-m hl --hl-eq %d", s.hops))
	}
	switch s.state {
	case translated:
		say("-m conntrack --ctstate DNAT")
	case handedOn: // of several states in one match any would do
		say("-m conntrack --ctstate NEW -m conntrack --ctstate DNAT")
	}
	if !s.until.IsZero() {
		// The last second that counts, in UTC as the kernel takes it.
		say("-m time --datestop " + s.until.Add(-time.Second).UTC().Format("2006-01-02T15:04:05"))
	}
	return out
}

// xtServices are the protocols, ports and types of a statement.
func xtServices(c cond, f family) []string {
	var out []string
	switch {
	case c.proto != "":
		p := "-p " + c.proto
		if len(c.sport) == 0 && len(c.ports) == 0 {
			return []string{p}
		}
		sources := []string{""}
		if len(c.sport) > 0 {
			sources = xtPorts(c.proto, "sport", single(c.proto, c.sport...))
		}
		targets := []string{""}
		switch {
		case c.asked:
			targets = xtAskedFor(c.ports)
		case len(c.ports) > 0:
			targets = xtPorts(c.proto, "dport", c.ports)
		}
		for _, s := range sources {
			for _, t := range targets {
				out = append(out, join(p, s, t))
			}
		}
	case len(c.types) > 0:
		for _, t := range c.types {
			if f == ip6 {
				out = append(out, fmt.Sprintf("-p ipv6-icmp -m icmp6 --icmpv6-type %d", t))
			} else {
				out = append(out, fmt.Sprintf("-p icmp -m icmp --icmp-type %d", t))
			}
		}
	default:
		for _, p := range c.protos {
			// The ICMP of the other family never comes over this one.
			if p == 1 && f == ip6 || p == 58 && f == ip4 {
				continue
			}
			out = append(out, "-p "+xtProto(p))
		}
	}
	return out
}

func xtProto(p uint8) string {
	switch p {
	case 1:
		return "icmp"
	case 6:
		return "tcp"
	case 58:
		return "ipv6-icmp"
	}
	return strconv.Itoa(int(p))
}

// maxPorts is what one match of multiport holds; a range counts twice
// (XT_MULTI_PORTS in the kernel's xt_multiport.h).
const maxPorts = 15

func xtPorts(proto, field string, ports []inventory.PortRange) []string {
	text := func(p inventory.PortRange) string {
		if p.From == p.To {
			return strconv.Itoa(int(p.From))
		}
		return fmt.Sprintf("%d:%d", p.From, p.To)
	}
	if len(ports) == 1 {
		return []string{fmt.Sprintf("-m %s --%s %s", proto, field, text(ports[0]))}
	}
	var out, group []string
	slots := 0
	flush := func() {
		if len(group) > 0 {
			out = append(out, fmt.Sprintf("-m multiport --%ss %s", field, strings.Join(group, ",")))
		}
		group, slots = nil, 0
	}
	for _, p := range ports {
		need := 1
		if p.From != p.To {
			need = 2
		}
		if slots+need > maxPorts {
			flush()
		}
		group, slots = append(group, text(p)), slots+need
	}
	flush()
	return out
}

// xtAskedFor are ports as a connection asked for them.
func xtAskedFor(ports []inventory.PortRange) []string {
	var out []string
	for _, p := range ports {
		text := strconv.Itoa(int(p.From))
		if p.To != p.From {
			text = fmt.Sprintf("%d:%d", p.From, p.To)
		}
		out = append(out, "-m conntrack --ctorigdstport "+text)
	}
	return out
}

// xtLimit matches what is over a limit.
func xtLimit(s stmt, f family) string {
	l := s.meter
	if l == nil {
		return ""
	}
	if l.conns > 0 {
		return fmt.Sprintf("-m connlimit --connlimit-above %d --connlimit-mask %d --connlimit-saddr", l.conns, l.mask(f))
	}
	rate := fmt.Sprintf("--hashlimit-above %d/%s --hashlimit-burst %d", l.rate.N, nftPeriod(l.rate.Per), l.rate.Burst)
	if l.rate.Scope != inventory.Global {
		rate += fmt.Sprintf(" --hashlimit-mode srcip --hashlimit-srcmask %d --hashlimit-htable-max %d --hashlimit-htable-expire %d", l.mask(f), meterSize, patience(l.rate).Milliseconds())
	}
	// What a table counts with is settled when it is made, and a rule takes over a
	// table that has its name: so the name says with what.
	return "-m hashlimit " + rate + " --hashlimit-name fwp-" + l.name[:min(len(l.name), 16)] + "-" + shortDigest(l.name+rate)
}

// xtComment is the name that the file gives a rule, and its comment.
func xtComment(s stmt) string {
	text := s.comment
	if s.counter != "" {
		text = strings.TrimSuffix(strings.TrimPrefix(s.counter, "c_")+": "+text, ": ")
	}
	if text == "" {
		return ""
	}
	return "-m comment --comment " + xtQuote(text)
}

// xtQuote writes a string as iptables-restore reads it: what follows a backslash
// stands for itself.
func xtQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func xtTarget(s stmt, f family) string {
	if s.log != "" {
		return "-m limit --limit 5/second --limit-burst 10 -j LOG --log-prefix " + xtQuote(s.log)
	}
	switch a := s.do; a.kind {
	case accept:
		return "-j ACCEPT"
	case leave, back:
		return "-j RETURN"
	case drop:
		return "-j DROP"
	case reset:
		return "-j REJECT --reject-with tcp-reset"
	case answer:
		if f == ip6 {
			return "-j REJECT --reject-with icmp6-adm-prohibited"
		}
		return "-j REJECT --reject-with icmp-admin-prohibited"
	case jump:
		return "-j " + xtName(a.to)
	case jumpTo:
		return "-g " + xtName(a.to)
	case masqed:
		return "-j MASQUERADE"
	case snat:
		return "-j SNAT --to-source " + a.target(f)
	case dnat:
		return "-j DNAT --to-destination " + a.target(f)
	case redirect:
		return "-j REDIRECT --to-ports " + strconv.Itoa(int(a.port))
	}
	return ""
}

// halves are the two prefixes of one bit that make the whole of a family.
func halves(p netip.Prefix) (low, high string) {
	bytes := p.Addr().AsSlice()
	bytes[0] = 0x80
	top, _ := netip.AddrFromSlice(bytes)
	return netip.PrefixFrom(p.Addr(), 1).String(), netip.PrefixFrom(top, 1).String()
}

// unroller turns lists of prefixes into chains that ask for one after the other. A
// chain is called by what is in it, so that the same list for the same end stands
// once.
type unroller struct {
	chains map[string][]string
	known  map[unrolled]string // names of chains that have been made
}

// unrolled tells a chain by its list, which thousands of rules may share, and not by
// what is in it.
type unrolled struct {
	flag, last string
	first      *string
	n          int
}

func (u *unroller) list() []xtChain {
	var out []xtChain
	for _, name := range slices.Sorted(maps.Keys(u.chains)) {
		c := xtChain{name: name}
		for _, l := range u.chains[name] {
			c.lines = append(c.lines, line{text: l})
		}
		out = append(out, c)
	}
	return out
}

// rule is one rule that asks for both ends, what else is matched, and then does
// what is last. One prefix stands in the rule; of several the last end asks in a
// chain of its own, so that what is last (a limit counts what it sees) comes behind
// all that is asked. There asked stands before what is last.
func (u *unroller) rule(src, dst xtAddress, match, asked, last string) string {
	lead := ""
	for _, end := range []struct {
		xtAddress
		flag, word string
	}{{src, "-s", "src"}, {dst, "-d", "dst"}} {
		switch {
		case end.match != "":
			match = join(match, end.match, end.word)
		case len(end.prefixes) == 1:
			lead = join(lead, end.flag+" "+end.prefixes[0])
		}
	}
	for _, end := range []struct {
		prefixes []string
		flag     string
	}{{dst.prefixes, "-d"}, {src.prefixes, "-s"}} {
		if len(end.prefixes) > 1 {
			last = "-j " + u.chain(end.flag, end.prefixes, join(asked, last))
			asked = ""
		}
	}
	return join(lead, match, last)
}

// once is a chain in which all that a statement becomes counts together.
func (u *unroller) once(name, text string) string {
	chain := "FWPUSH-N-" + shortDigest(name) + shortDigest(text)
	u.chains[chain] = []string{text}
	return chain
}

func (u *unroller) chain(flag string, prefixes []string, last string) string {
	key := unrolled{flag, last, &prefixes[0], len(prefixes)}
	if name := u.known[key]; name != "" {
		return name
	}
	var lines []string
	for _, p := range prefixes {
		lines = append(lines, join(flag, p, last))
	}
	text := strings.Join(lines, "\n")
	name := "FWPUSH-S-" + shortDigest(text) + shortDigest(text+"\n")
	u.chains[name], u.known[key] = lines, name
	return name
}
