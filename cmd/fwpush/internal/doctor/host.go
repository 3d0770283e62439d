package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxSkew is how far a clock may be off: at counts on it.
const maxSkew = 30 * time.Second

func (p *patient) clock() {
	off := p.facts.Skew
	if off.Abs() <= maxSkew {
		p.ok("clock", "its clock is right", fmt.Sprintf("off by %s", off.Abs()))
		return
	}
	way := "ahead"
	if off < 0 {
		way = "behind"
	}
	p.add("clock", Warn, "its clock is "+way, "set it, and have ntp keep it: timedatectl; a step while rules wait for a confirm is refused", fmt.Sprintf("by %s", off.Abs()))
}

// flushers are services that begin by emptying what is loaded, and that our boot unit
// does not come after; that of OpenRC does after iptables.
var flushers = []string{"iptables", "ip6tables", "ferm", "shorewall"}

func (p *patient) boot() {
	sound := true
	bad := func(s State, text, remedy, detail string) {
		sound = false
		p.add("boot", s, text, remedy, detail)
	}
	switch f := p.facts; {
	case f.Unit == "none":
		bad(Warn, "has neither systemd nor OpenRC: confirmed rules are gone after a reboot", "have it run before the network: "+f.BootCommand(p.Candidate.Want), p.health.Init)
	case f.Generation == 0:
	case f.FellBack:
		bad(Warn, "the confirmed rules did not load at the last boot", "look at the journal or the console of the host; fwpush apply writes them again", "")
	case f.Unit == "absent":
		bad(Warn, "the boot unit is gone: confirmed rules would not come back after a reboot", "fwpush apply puts it there again", "")
	case f.Unit == "disabled":
		bad(Warn, "the boot unit is disabled: confirmed rules would not come back after a reboot", "fwpush apply enables it again", "")
	case f.Unit != "ok":
		bad(Warn, "the boot unit is another one than fwpush writes", "fwpush apply writes it again", "")
	case f.Boot != f.Rules:
		bad(Warn, "a boot would load other rules than the confirmed ones", "fwpush apply writes them again", "")
	}
	for _, s := range p.health.Loaders {
		if slices.Contains(flushers, s) && !(p.facts.OpenRC && strings.HasSuffix(s, "tables")) {
			bad(Warn, s+" may empty the rules at boot, after fwpush has loaded them", "disable it: systemctl disable "+s+", or rc-update del "+s, "")
		}
	}
	if sound {
		p.ok("boot", "a boot loads the confirmed rules", p.facts.Unit)
	}
}

func (p *patient) drift() {
	if p.facts.Pending != nil || p.facts.Generation == 0 {
		return
	}
	switch drifted, known := p.facts.Drifted(); {
	case drifted:
		p.add("drift", Warn, "the rules that run were edited by hand, or are gone", "fwpush diff shows what an apply would take back", "")
	case !known:
		p.add("drift", Unknown, "whether the rules that run are the confirmed ones cannot be told", "", "")
	default:
		p.ok("drift", "runs what was confirmed", "")
	}
}

// How full connection tracking may be, in parts of a hundred. A full table drops what is
// new before any rule is asked: also the connection that confirms.
const (
	fullWarn = 80
	fullFail = 95
)

func (p *patient) conntrack() {
	f := p.facts
	if f.Trackable <= 0 {
		p.ok("conntrack", "tracks no connections yet", "")
		return
	}
	full := int(int64(f.Tracked) * 100 / int64(f.Trackable))
	detail := fmt.Sprintf("%d of %d", f.Tracked, f.Trackable)
	const remedy = "raise net.netfilter.nf_conntrack_max, or find out who opens so many: conntrack -S"
	switch {
	case full >= fullFail:
		p.add("conntrack", Fail, "its table of connections is full, and new ones are dropped whatever the rules say", remedy, detail)
	case full >= fullWarn:
		p.add("conntrack", Warn, "its table of connections is nearly full", remedy, detail)
	default:
		p.ok("conntrack", "has room for connections", detail)
	}
}

// foreign tells of firewalls of others: those that the fleet file does not name, for which
// a push refuses the host, and what the others override.
func (p *patient) foreign() {
	if p.refused != nil {
		p.add("foreign", Fail, p.refused.Error(), p.hint, "")
		return
	}
	notes, unread := p.Beside(p.facts)
	for _, n := range notes {
		p.add("foreign", Warn, n, "", "")
	}
	switch {
	case unread != "":
		p.add("foreign", Unknown, unread, "", "")
	case len(notes) == 0:
		p.ok("foreign", "no other firewall stands in the way", strings.Join(slices.Sorted(maps.Keys(p.facts.Foreign.By())), ", "))
	}
}
