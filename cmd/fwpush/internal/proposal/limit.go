package proposal

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fwpush/internal/foreign"
	"fwpush/roles/space"
)

// limit is a rate or a number of connections that a rule asks for.
type limit struct {
	over bool   // the rule is about what is more than that
	keep bool   // it only counts, for another rule
	rate string // as a fleet file has it; "" for none
	most int    // connections at a time of one source
	note string // what differs from the key that it becomes
}

// curbedBox is packets that one limit is about, or none.
type curbedBox struct {
	box   space.Box
	limit *limit
}

// curbed are packets of a piece by the limits that are about them. A rule of a role has one
// rate and one number of connections; what is more than that is named.
func (p *maker) curbed(of piece, b space.Box) []curbedBox {
	list := []curbedBox{{b, of.limit}}
	if of.accept {
		for _, c := range of.curbs {
			var next []curbedBox
			for _, part := range list {
				rest := space.Region{part.box}
				for _, m := range c.packets {
					for _, hit := range rest.And(m) {
						next = append(next, curbedBox{hit, p.both(part.limit, c)})
					}
					rest = rest.Minus(m)
				}
				for _, r := range rest {
					next = append(next, curbedBox{r, part.limit})
				}
			}
			list = next
		}
	}
	return list
}

// both is a limit with that of a curb.
func (p *maker) both(l *limit, c curb) *limit {
	if l == nil {
		return c.limit
	}
	sum := *l
	if c.limit.rate != "" && l.rate != "" || c.limit.most > 0 && l.most > 0 {
		p.tell(&p.lost, c.at, c.rule.Text, "a second limit of the same packets, where a rule of a role has one")
	}
	if sum.rate == "" {
		sum.rate = c.limit.rate
	}
	if sum.most == 0 {
		sum.most = c.limit.most
	}
	return &sum
}

// unlimited names the limits of packets that all are let through but for some.
func (p *maker) unlimited(h *hook) {
	for _, c := range h.curbs {
		p.tell(&p.lost, c.at, c.rule.Text, "a limit has no key where all else is let through")
	}
}

// words of a save file that ask for a limit, by module.
var limiting = regexp.MustCompile(`(?:^| )-m (limit|hashlimit|recent|connlimit)(?: |$)`)

// limits takes what asks for a limit out of the conditions that are not understood.
func limits(r foreign.Rule, unsure []string) (*limit, []string) {
	opaque := slices.Clone(r.Opaque)
	var l *limit
	switch modules := limiting.FindAllStringSubmatch(r.Text, -1); {
	case len(modules) == 1 && strings.HasPrefix(r.Text, "-A "):
		l = saved(modules[0][1], options(opaque))
	case len(opaque) == 1:
		l = told(opaque[0])
	}
	if l == nil {
		return nil, append(unsure, opaque...)
	}
	if strings.HasPrefix(r.Text, "-A ") {
		opaque = slices.DeleteFunc(opaque, func(s string) bool { return ofLimit(s) })
	} else {
		opaque = nil
	}
	return l, append(unsure, opaque...)
}

// ofLimit tells whether a condition is an option of one of the modules.
func ofLimit(s string) bool {
	s = strings.TrimPrefix(s, "! ")
	for _, p := range []string{"-m limit", "-m hashlimit", "-m recent", "-m connlimit", "--limit", "--hashlimit", "--connlimit",
		"--set", "--update", "--rcheck", "--seconds", "--hitcount", "--name", "--mask", "--rsource", "--reap", "--rttl"} {
		if s == p || strings.HasPrefix(s, p+" ") || strings.HasPrefix(s, p+"-") {
			return true
		}
	}
	return false
}

// options are those of conditions by name; negated ones stand under "! --name".
func options(opaque []string) map[string]string {
	o := map[string]string{}
	for _, s := range opaque {
		name, value, _ := strings.Cut(s, " ")
		if name == "!" {
			rest, v, _ := strings.Cut(value, " ")
			name, value = "! "+rest, v
		}
		o[name] = strings.TrimSpace(value)
	}
	return o
}

// saved reads the options of iptables-extensions(8); nil for what a rate is not.
func saved(module string, o map[string]string) *limit {
	switch module {
	case "limit":
		return rated(o["--limit"], o["--limit-burst"], "global", false, "5")
	case "hashlimit":
		rate, over := o["--hashlimit-upto"], false
		if rate == "" {
			rate, over = o["--hashlimit-above"], true
		}
		scope := "global"
		switch mode := o["--hashlimit-mode"]; {
		case mode == "srcip" && o["--hashlimit-srcmask"] == "":
			scope = "per source"
		case mode == "srcip" && o["--hashlimit-srcmask"] == "24":
			scope = "per net"
		case mode == "srcip,dstport" || mode == "srcip,dstip":
			scope = "per source"
		case mode != "":
			return nil
		}
		return rated(rate, o["--hashlimit-burst"], scope, over, "5")
	case "connlimit":
		n, err := strconv.Atoi(o["--connlimit-above"])
		if _, dst := o["--connlimit-daddr"]; err != nil || n < 1 || dst || o["--connlimit-mask"] != "" && o["--connlimit-mask"] != "32" && o["--connlimit-mask"] != "128" {
			return nil
		}
		return &limit{over: true, most: n}
	case "recent":
		return recent(o)
	}
	return nil
}

// recent is a rate by a list of who came lately: so many within so many seconds.
func recent(o map[string]string) *limit {
	_, set := o["--set"]
	_, update := o["--update"]
	_, check := o["--rcheck"]
	if set && !update && !check {
		return &limit{keep: true}
	}
	if not := o["! --update"] + o["! --rcheck"]; not != "" || !update && !check {
		return nil
	}
	seconds, err := strconv.Atoi(o["--seconds"])
	hits, err2 := strconv.Atoi(o["--hitcount"])
	if err != nil || err2 != nil || seconds < 1 || hits < 2 {
		return nil
	}
	n := hits - 1 // the one that makes the count full is refused
	l := &limit{over: true, note: "recent forgets all at once after its seconds, a rate bit by bit"}
	if update {
		l.note = "recent --update also counts what it refuses, a rate does not"
	}
	switch {
	case n*60%seconds == 0:
		l.rate = fmt.Sprintf("%d/min per source burst %d", n*60/seconds, n)
	case n*3600/seconds > 0:
		l.rate = fmt.Sprintf("%d/h per source burst %d", n*3600/seconds, n)
	default:
		return nil
	}
	return l
}

var rateText = regexp.MustCompile(`^(\d{1,9})/(s|sec|second|m|min|minute|h|hour|d|day)$`)

// rated is a rate in the words of iptables; nil for one that is none.
func rated(rate, burst, scope string, over bool, usual string) *limit {
	m := rateText.FindStringSubmatch(rate)
	if m == nil {
		return nil
	}
	unit := map[byte]string{'s': "s", 'm': "min", 'h': "h", 'd': "day"}[m[2][0]]
	if burst == "" {
		burst = usual
	}
	return &limit{over: over, rate: fmt.Sprintf("%s/%s %s burst %s", m[1], unit, scope, burst)}
}

var nftRate = regexp.MustCompile(`^limit rate (over )?(\d{1,9})/(second|minute|hour|day)(?: burst (\d{1,9}) packets)?$`)

// told reads a limit as nft -j lists it.
func told(s string) *limit {
	m := nftRate.FindStringSubmatch(s)
	if m == nil {
		return nil
	}
	return rated(m[2]+"/"+m[3], m[4], "global", m[1] != "", "5")
}
