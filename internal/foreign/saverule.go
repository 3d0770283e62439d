package foreign

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go4.org/netipx"
)

// saveRule reads the words of one rule.
type saveRule struct {
	words []string
	at    int
	v6    bool
	rule  Rule
}

// plain are the modules that are no condition without their options.
func plain(module string) bool {
	switch module {
	case "tcp", "udp", "udplite", "sctp", "dccp", "icmp", "icmp6", "comment", "multiport", "conntrack", "state", "addrtype",
		"iprange", "mark", "set":
		return true
	}
	return false
}

func parseRule(words []string, v6 bool, isChain func(string) bool) Rule {
	r := saveRule{words: words, v6: v6}
	for r.at < len(words) {
		begin := r.at
		not := words[r.at] == "!"
		if not && r.at+1 < len(words) {
			r.at++
		}
		option := words[r.at]
		r.at++
		if option == "-j" || option == "-g" {
			r.target(option == "-g", isChain)
			break
		}
		if !r.option(option, not) {
			// Not known, or its value is not: keep all words up to the next option.
			for r.at = begin + 1; r.at < len(words); r.at++ {
				if w := words[r.at]; (w == "!" || strings.HasPrefix(w, "-")) && words[r.at-1] != "!" && !isNumber(w) {
					break
				}
			}
			r.rule.Opaque = append(r.rule.Opaque, strings.Join(words[begin:r.at], " "))
		}
	}
	return r.rule
}

func isNumber(s string) bool {
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil
}

// next is the option's value.
func (r *saveRule) next() string {
	if r.at == len(r.words) {
		return ""
	}
	r.at++
	return r.words[r.at-1]
}

// option takes one condition; false if it is not understood.
func (r *saveRule) option(option string, not bool) bool {
	add := func(f Field, v Values, ok bool) bool {
		if ok {
			r.rule.Matches = append(r.rule.Matches, Match{Field: f, Not: not, Values: v})
		}
		return ok
	}
	numbers := func(f Field, text string) bool {
		v, ok := numberList(text, ":")
		return add(f, Values{Numbers: v}, ok)
	}
	addrs := func(f Field, text string) bool {
		v, ok := addrList(text)
		return add(f, Values{Addrs: v}, ok)
	}
	switch option {
	case "-m":
		return plain(r.next()) && !not
	case "-p":
		name := r.next()
		if name == "all" || name == "0" {
			return !not
		}
		n, ok := protocolNumber(name)
		return add(Proto, Values{Numbers: []Range{{n, n}}}, ok)
	case "-s":
		return addrs(SrcAddr, r.next())
	case "-d":
		return addrs(DstAddr, r.next())
	case "--src-range":
		return addrs(SrcAddr, r.next())
	case "--dst-range":
		return addrs(DstAddr, r.next())
	case "-i", "-o":
		name := r.next()
		if rest, ok := strings.CutSuffix(name, "+"); ok {
			name = rest + "*"
		}
		f := InIface
		if option == "-o" {
			f = OutIface
		}
		return add(f, Values{Names: []string{name}}, name != "")
	case "--dport", "--dports":
		return numbers(DstPort, r.next())
	case "--sport", "--sports":
		return numbers(SrcPort, r.next())
	case "--ports":
		return numbers(EitherPort, r.next())
	case "--ctorigdstport":
		return numbers(CtOrigDstPort, r.next())
	case "--icmp-type", "--icmpv6-type":
		text := r.next()
		if text == "any" || text == "255" && !r.v6 {
			return !not
		}
		if strings.Contains(text, "/") { // with a code
			return false
		}
		n, ok := icmpTypeNumber(text, r.v6)
		return add(ICMPType, Values{Numbers: []Range{{n, n}}}, ok)
	case "--ctstate", "--state":
		names := strings.Split(strings.ToLower(r.next()), ",")
		if slices.Contains(names, "snat") || slices.Contains(names, "dnat") {
			if len(names) > 1 {
				return false
			}
			return add(CtStatus, Values{Names: names}, true)
		}
		return add(CtState, Values{Names: names}, true)
	case "--ctstatus":
		names := strings.Split(strings.ToLower(r.next()), ",")
		return add(CtStatus, Values{Names: names}, true)
	case "--dst-type", "--src-type":
		f := DstType
		if option == "--src-type" {
			f = SrcType
		}
		return add(f, Values{Names: strings.Split(strings.ToLower(r.next()), ",")}, true)
	case "--tcp-flags":
		return r.next() == "FIN,SYN,RST,ACK" && r.next() == "SYN" && add(TCPSyn, Values{}, true)
	case "--mark":
		n, err := strconv.ParseUint(r.next(), 0, 32)
		return add(Mark, Values{Numbers: []Range{{uint32(n), uint32(n)}}}, err == nil)
	case "--match-set":
		name, dir := r.next(), r.next()
		f := SrcAddr
		switch dir {
		case "src":
		case "dst":
			f = DstAddr
		default:
			return false
		}
		if name == "" {
			return false
		}
		r.rule.Matches = append(r.rule.Matches, Match{Field: f, Not: not, Set: name})
		return true
	case "--comment":
		r.rule.Comment = r.next()
		return true
	}
	return false
}

// target takes the last words of a rule: what it does.
func (r *saveRule) target(gone bool, isChain func(string) bool) {
	name := r.next()
	v := &r.rule.Verdict
	if isChain(name) {
		*v = Verdict{Kind: Jump, Chain: name}
		if gone {
			v.Kind = Goto
		}
		return
	}
	v.Kind = target(name)
	r.rule.Untracks = name == "NOTRACK"
	r.rule.Rewrites = name == "NETMAP"
	for ; r.at < len(r.words); r.at++ {
		switch r.words[r.at] {
		case "--to-destination", "--to-source", "--to-ports":
			if r.at+1 < len(r.words) {
				v.To = destination(r.words[r.at+1])
			}
		case "--notrack":
			r.rule.Untracks = true
		}
	}
}

// destination reads "ADDR", "ADDR:PORT", "[ADDR]:PORT" or "PORT"; what is none of them, a range of
// either for one, is not told.
func destination(text string) netip.AddrPort {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(a, 0)
	}
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap
	}
	if n, err := strconv.ParseUint(text, 10, 16); err == nil {
		return netip.AddrPortFrom(netip.Addr{}, uint16(n))
	}
	return netip.AddrPort{}
}

// numberList reads "22,80:90".
func numberList(text, dash string) ([]Range, bool) {
	var list []Range
	for _, part := range strings.Split(text, ",") {
		lo, hi, ranged := strings.Cut(part, dash)
		if !ranged {
			hi = lo
		}
		if lo == "" {
			lo = "0"
		}
		if hi == "" {
			hi = "65535"
		}
		a, err1 := strconv.ParseUint(lo, 10, 32)
		b, err2 := strconv.ParseUint(hi, 10, 32)
		if err1 != nil || err2 != nil || a > b || part == "" {
			return nil, false
		}
		list = append(list, Range{uint32(a), uint32(b)})
	}
	return list, true
}

// addrList reads addresses, prefixes and ranges.
func addrList(text string) ([]netipx.IPRange, bool) {
	var list []netipx.IPRange
	for _, part := range strings.Split(text, ",") {
		r, ok := addrRange(part)
		if !ok {
			return nil, false
		}
		list = append(list, r)
	}
	return list, true
}

func addrRange(text string) (netipx.IPRange, bool) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netipx.IPRangeFrom(a, a), true
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		return netipx.RangeOfPrefix(p), true
	}
	r, err := netipx.ParseIPRange(text)
	return r, err == nil && r.From().Zone() == ""
}
