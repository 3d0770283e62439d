package render

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"fwpush/inventory"
)

// nftBlocks says a program in the words of nft: what chains name, and the chains.
func nftBlocks(p program) (objects, chains []block) {
	for _, s := range p.sets {
		objects = append(objects, nftSet(s))
	}
	for _, m := range p.meters {
		objects = append(objects, nftMeter(m))
	}
	for _, name := range p.counters {
		objects = append(objects, block{head: "counter " + name})
	}
	for _, h := range p.helpers {
		b := block{head: "ct helper " + h.name()}
		b.add(plain(`type "` + h.kind + `" protocol ` + h.proto)...)
		objects = append(objects, b)
	}
	for _, s := range p.table {
		objects = append(objects, nftRawBlocks(s)...)
	}
	for _, c := range p.chains {
		b := block{head: "chain " + c.name}
		if c.hook != (hook{}) {
			b.add(plain(fmt.Sprintf("type %s hook %s priority %s; policy %s;", c.hook.kind, c.hook.name, c.hook.priority, c.hook.policy))...)
		}
		var inside passage
		for _, s := range c.stmts {
			if s.raw != nil {
				inside.quote(s.raw.Nft, s.places)
				continue
			}
			inside.say(line{nftText(s), s.places})
		}
		b.add(inside.lines...)
		chains = append(chains, b)
	}
	return objects, chains
}

// nftSet writes one element a line, so that a difference shows the address that
// changed and not the whole set. A single one stands as nft lists it.
func nftSet(s addressSet) block {
	b := block{head: "set " + s.stem + s.family.digit}
	b.add(plain("type "+s.family.setType, "flags interval")...)
	if len(s.ranges) == 1 {
		b.add(plain("elements = { " + element(s.ranges[0]) + " }")...)
		return b
	}
	b.add(plain("elements = {")...)
	for _, e := range s.ranges {
		b.add(plain("\t" + element(e) + ",")...)
	}
	b.add(plain("}")...)
	return b
}

// meterSize bounds what a limit remembers. It is the size that nft gives such sets
// by itself in some versions; said, all versions list the same.
const meterSize = 65535

func nftMeter(m meter) block {
	b := block{head: "set " + m.name}
	b.add(plain("type "+m.family.setType, fmt.Sprintf("size %d", meterSize))...)
	if m.timeout == 0 {
		b.add(plain("flags dynamic")...)
		return b
	}
	b.add(plain("flags dynamic,timeout", "timeout "+nftDuration(m.timeout))...)
	return b
}

// nftDuration writes a duration as nft lists it.
func nftDuration(d time.Duration) string {
	var b strings.Builder
	for _, unit := range []struct {
		time.Duration
		letter string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := d / unit.Duration; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, unit.letter)
			d -= n * unit.Duration
		}
	}
	return b.String()
}

// nftRawBlocks are the sets and chains of raw text, which has been checked to be
// whole blocks.
func nftRawBlocks(s stmt) []block {
	var out []block
	depth, quoted := 0, false
	for _, l := range s.raw.Nft {
		if depth == 0 {
			out = append(out, block{head: strings.TrimSuffix(l, " {")})
		}
		inside := depth > 0
		depth, quoted = balance(l, depth, quoted)
		if inside && depth > 0 {
			out[len(out)-1].add(line{l, s.places})
		}
	}
	return out
}

// nftText is a statement in one line.
func nftText(s stmt) string {
	return join(nftMatch(s.cond), nftLimit(s), nftLog(s.log), nftCount(s), nftAction(s), nftComment(s.comment))
}

func nftMatch(c cond) string {
	if c.state == known {
		return "ct state vmap { established : accept, related : accept, invalid : drop }"
	}
	if c.state == knownOpen {
		return "ct state vmap { established : accept, related : accept }"
	}
	parts := []string{nftIfaces("iifname", c.in), nftIfaces("oifname", c.out)}
	say := func(s string) { parts = append(parts, s) }
	switch c.cast {
	case hostCast:
		say("meta pkttype host")
	case manyCast:
		say("meta pkttype { broadcast, multicast }")
	}
	if c.spoofed {
		say("fib saddr type local")
	}
	// Where nothing else tells the family it is said, lest the other pass too.
	if c.family != (family{}) && !c.src.given && !c.dst.given && len(c.types) == 0 {
		say("meta nfproto " + c.family.proto)
	}
	say(nftAddress(c.family, "saddr", c.src))
	say(nftAddress(c.family, "daddr", c.dst))
	if c.local {
		say("fib daddr type local")
	}
	if c.proto != "" {
		if len(c.sport) > 0 {
			say(c.proto + " sport " + braced(c.sport, func(p uint16) string { return strconv.Itoa(int(p)) }))
		}
		if len(c.ports) > 0 {
			if c.asked {
				say("meta l4proto " + c.proto + " ct original proto-dst " + braced(c.ports, portText))
			} else {
				say(c.proto + " dport " + braced(c.ports, portText))
			}
		}
	}
	if len(c.types) > 0 {
		word := map[family]string{ip4: "icmp", ip6: "icmpv6"}[c.family]
		say(word + " type " + braced(c.types, func(t uint8) string { return inventory.ICMPName(c.family == ip6, t) }))
	}
	if len(c.protos) > 0 {
		say("meta l4proto " + braced(c.protos, protoText))
	}
	if c.hops > 0 {
		say(fmt.Sprintf("ip6 hoplimit %d", c.hops))
	}
	switch c.state {
	case translated:
		say("ct status dnat")
	case handedOn:
		say("ct state new ct status dnat")
	}
	if !c.until.IsZero() {
		// As a number: a date would be read in the time zone of the nft that loads it.
		say(fmt.Sprintf("meta time < %d", c.until.Unix()))
	}
	return join(parts...)
}

// protoText writes the protocols of the core by name, as they read best, and others
// by number: names are looked up where the text is loaded.
func protoText(p uint8) string {
	switch p {
	case 1:
		return "icmp"
	case 6:
		return "tcp"
	case 58:
		return "icmpv6"
	}
	return strconv.Itoa(int(p))
}

func portText(p inventory.PortRange) string {
	if p.From == p.To {
		return strconv.Itoa(int(p.From))
	}
	return fmt.Sprintf("%d-%d", p.From, p.To)
}

func nftIfaces(field string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return field + " " + braced(names, func(n string) string { return `"` + n + `"` })
}

func nftAddress(f family, field string, o operand) string {
	switch {
	case !o.given:
		return ""
	case o.stem != "":
		return f.keyword + " " + field + " @" + o.stem + f.digit
	}
	return f.keyword + " " + field + " " + element(o.one)
}

func nftLimit(s stmt) string {
	l := s.meter
	if l == nil {
		return ""
	}
	key := s.family.keyword + " saddr"
	if mask := nftMask(l.mask(s.family)); mask != "" {
		key += " & " + mask
	}
	if l.conns > 0 {
		return fmt.Sprintf("add @%s { %s ct count over %d }", l.setName(s.family), key, l.conns)
	}
	rate := fmt.Sprintf("limit rate over %d/%s burst %d packets", l.rate.N, nftPeriod(l.rate.Per), l.rate.Burst)
	if l.rate.Scope == inventory.Global {
		return rate
	}
	// Not add, by which a source would be forgotten although it still sends, and
	// have its burst anew.
	return fmt.Sprintf("update @%s { %s %s }", l.setName(s.family), key, rate)
}

// nftMask is a mask of so many bits, "" for whole addresses.
func nftMask(bits int) string {
	return map[int]string{24: "255.255.255.0", 56: "ffff:ffff:ffff:ff00::", 64: "ffff:ffff:ffff:ffff::"}[bits]
}

func nftPeriod(d time.Duration) string {
	switch d {
	case time.Second:
		return "second"
	case time.Minute:
		return "minute"
	case time.Hour:
		return "hour"
	}
	return "day"
}

func nftLog(prefix string) string {
	if prefix == "" {
		return ""
	}
	return `limit rate 5/second burst 10 packets log prefix "` + prefix + `"`
}

func nftCount(s stmt) string {
	switch {
	case s.counter != "":
		return `counter name "` + s.counter + `"`
	case s.count:
		return "counter"
	}
	return ""
}

func nftAction(s stmt) string {
	switch a := s.do; a.kind {
	case accept, leave:
		return "accept"
	case back:
		return "return"
	case drop:
		return "drop"
	case reset:
		return "reject with tcp reset"
	case answer:
		// The one form that nft 0.9.8 to 1.1.3 all read.
		return "reject with icmpx type admin-prohibited"
	case jump:
		return "jump " + a.to
	case jumpTo:
		return "goto " + a.to
	case assist:
		return `ct helper set "` + helper{a.to, s.proto}.name() + `"`
	case masqed:
		return "masquerade"
	case snat, dnat:
		word := map[actionKind]string{snat: "snat ", dnat: "dnat "}[a.kind]
		return word + s.family.keyword + " to " + a.target(s.family)
	case redirect:
		return "redirect to " + a.target(s.family)
	}
	return ""
}

func nftComment(s string) string {
	if s == "" {
		return ""
	}
	return `comment "` + s + `"`
}

// braced is one thing, or an anonymous set of several.
func braced[T any](list []T, text func(T) string) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = text(v)
	}
	if len(words) == 1 {
		return words[0]
	}
	return "{ " + strings.Join(words, ", ") + " }"
}

// join puts the parts of a statement together.
func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}
