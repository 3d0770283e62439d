package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/render"
)

// gotIn checks the way to root on the host. Without it there is nothing else to look at.
func (p *patient) gotIn() bool {
	r := p.result
	text, remedy := report.Common(r)
	switch {
	case r.Outcome == rollout.OutcomeSkipped:
		p.add("login", Unknown, "not looked at: "+text, "", "")
		return false
	case r.Outcome == commit.OutcomeUnreachable:
		detail := ""
		if whole := report.Cause(r); whole != text {
			detail = whole
		}
		p.add("login", Fail, text, remedy, detail)
		return false
	}
	p.ok("login", "logs in", fmt.Sprintf("as %s in %s", orRoot(p.Host.SSH.User), r.Took.Round(10*time.Millisecond)))
	switch {
	case r.Health != nil && r.Facts != nil:
		how := "is root"
		if by := p.Host.SSH.Become; by != "" && by != "none" {
			how = "becomes root by " + by
		}
		p.ok("become", how, "")
		return true
	case r.Facts != nil && r.Facts.UID == 0:
		p.add("examination", Fail, "the host did not tell how it is: "+text, remedy, "")
	default:
		p.add("become", Fail, text, remedy, "")
	}
	return false
}

func orRoot(user string) string {
	if user == "" {
		return "the user that ssh chooses"
	}
	return user
}

func (p *patient) tools() {
	if lacks := p.health.Lacks; len(lacks) > 0 {
		p.add("tools", Fail, "programs that a push needs are missing: "+strings.Join(first(lacks, 10), ", "),
			"install them; on Debian they are in coreutils, diffutils, grep, sed and mawk", "")
		return
	}
	p.ok("tools", "has all programs that a push needs", "")
}

// fewBytes is how little room is worth a warning.
const fewBytes = 16 << 20

func (p *patient) disk() {
	sound := true
	bad := func(s State, text, remedy, detail string) {
		sound = false
		p.add("disk", s, text, remedy, detail)
	}
	if why := p.health.Home; why != "" {
		bad(Fail, "nothing can be written below /run", "look at mount and df -h -i /run", why)
	}
	// Candidate, boot file and generation, each with its copy, and what is kept beside.
	need := int64(256<<10 + 8*(len(p.rules.Text)+len(p.Candidate.Policy)))
	for _, s := range p.health.Space {
		path := s.Path
		left := fmt.Sprintf("%d KiB left", s.Bytes>>10)
		switch {
		case s.ReadOnly:
			bad(Fail, path+" cannot be written", "mount it read-write: mount -o remount,rw", "")
		case !s.Known:
		case s.NoInodes:
			bad(Fail, path+" has no inode left", "remove files: df -i "+path, "")
		case s.Bytes < need:
			bad(Fail, path+" is full", "make room: df -h "+path, left)
		case s.Bytes < fewBytes:
			bad(Warn, path+" is nearly full", "make room: df -h "+path, left)
		case s.FewInodes:
			bad(Warn, path+" has few inodes left", "remove files: df -i "+path, "")
		}
	}
	if sound {
		p.ok("disk", "has room, and can be written", "")
	}
}

// stored is whose the host is, by what is kept there.
func (p *patient) stored() {
	if errors.Is(p.result.Err, commit.ErrVersion) {
		p.add("owner", Fail, report.Cause(p.result), p.result.Hint, "")
		return
	}
	// Without a stamp what a pending run has loaded is nobody's yet.
	if v := p.refusal(rollout.Risks{LoseSSH: true}); v.Err != nil && (p.facts.Pending == nil || p.facts.Owner != nil) {
		p.add("owner", Fail, v.Err.Error(), v.Hint, "")
		return
	}
	switch o := p.facts.Owner; {
	case o == nil:
		p.ok("owner", "belongs to no fleet yet", "")
	case o.Host != p.Host.Name:
		p.add("owner", Warn, "was confirmed under another name before", "look whether two names in the fleet file are one machine", o.Host)
	default:
		p.ok("owner", "belongs to this fleet", "")
	}
}

func (p *patient) pending() {
	h := p.facts.Pending
	if h == nil {
		p.ok("pending", "no other run holds it", "")
		return
	}
	who := fmt.Sprintf("run %s by %s", h.Run, h.Who)
	switch {
	case h.Open:
		p.add("pending", Fail, "open: no rules of fwpush could be loaded any more", "run fwpush apply again", who)
	case h.State == "reverting":
		p.add("pending", Fail, "an earlier revert is not finished and goes on trying",
			"mend what keeps the old rules from loading, or fwpush apply --accept-risk stuck-revert", who)
	default:
		p.add("pending", Fail, "another run holds it ("+h.State+")", "wait, or fwpush confirm or revert that run",
			who+", until "+report.Clock(time.Now().Add(h.Left)))
	}
}

func (p *patient) backend() {
	c, lack := p.facts.Choose(p.Candidate.Want)
	version := p.facts.NFT
	if c.Backend == render.BackendIptables {
		version = p.facts.Iptables
	}
	switch {
	case lack != nil:
		p.add("backend", Fail, lack.Error(), lack.Hint, "")
	case p.unfit != nil:
		p.add("backend", Fail, "there are no rules for it: "+p.unfit.Error(), "", "")
	case c.Changes():
		p.add("backend", Warn, fmt.Sprintf("a push would go from %s to %s: %s", c.Before, c.Backend, c.Why), `write backend in the fleet file to choose one`, version)
	case p.Candidate.Want == "" && c.Before == "" && c.Backend == render.BackendIptables:
		p.add("backend", Warn, "gets rules for iptables: "+c.Why, `write backend = "iptables" in the fleet file if that is meant`, version)
	default:
		p.ok("backend", fmt.Sprintf("%s: %s", c.Backend, c.Why), version)
	}
}

// candidateFile is what the rules were called while they were tried.
var candidateFile = regexp.MustCompile(`/run/fwpush\.[0-9.]+/`)

func (p *patient) candidate() {
	said := func(c commit.Check) string { return candidateFile.ReplaceAllString(c.Text, "") }
	switch c := p.health.Candidate; {
	case p.unfit != nil || p.health.Home != "":
	case c == nil:
		p.add("rules", Unknown, "the host did not say whether it would load the new rules", "", "")
	case c.State == "refused":
		p.add("rules", Fail, "the host would not load the new rules", "look at what it says; a newer version of the backend may take them", said(*c))
	case c.State == "slow":
		p.add("rules", Warn, "the host needs more than 30 s to check the new rules", "push with a longer --window", "")
	case c.State == "unasked":
		p.add("rules", Unknown, "whether the new rules would load cannot be tried: the host allows no network namespace", "", "")
	default:
		p.ok("rules", "the host would load the new rules", "")
	}
	for _, c := range p.health.Back {
		if c.State == "refused" {
			p.add("revert", Fail, "the rules that run could not be put back by a revert", "fwpush drops a push that it could not take back: remove by hand what the host complains of", said(c))
		}
	}
}

// refusal is how a push would refuse the host with these risks taken, where it would not
// do so with all of them taken.
func (p *patient) refusal(accept rollout.Risks) commit.Verdict {
	if p.unfit != nil {
		return commit.Verdict{}
	}
	v := p.Judge(p.facts, accept)
	if v.Err != nil && p.refused != nil && v.Err.Error() == p.refused.Error() {
		return commit.Verdict{}
	}
	return v
}

func (p *patient) lockout() {
	switch v := p.refusal(rollout.Risks{TakeOver: true}); {
	case v.Err != nil:
		p.add("lockout", Fail, v.Err.Error(), v.Hint, "")
	case p.unfit == nil && p.refused == nil: // else nobody has asked
		p.ok("lockout", "the new rules admit this machine the way it came in", "")
	}
}

func (p *patient) timers() {
	if p.health.Home != "" {
		p.add("timers", Unknown, "timers could not be tried", "", "")
		return
	}
	var worked, times, broken []string
	what, remedy := "", ""
	for _, t := range p.health.Timers {
		switch {
		case t.Proved:
			worked = append(worked, t.Kind)
			times = append(times, fmt.Sprintf("%s in %s", t.Kind, t.Took))
		case t.Why != "":
			why, do := cutRemedy(t.Why)
			broken = append(broken, why)
			if what == "" {
				what, remedy = why, do
			}
		default:
			broken = append(broken, "there is no "+t.Kind)
		}
	}
	// A host may say why a timer failed and not what to do about it.
	remedy = cmp.Or(remedy, "mend what it says, or give it another timer: apt install at")
	detail := "proved: " + orNone(worked)
	missing := cmp.Or(strings.Join(broken, "; "), "no timer proves itself")
	need := cmp.Or(p.Candidate.Timers, commit.NeededTimers)
	switch n := p.health.Proved(); {
	case n < need:
		p.add("timers", Fail, missing, remedy, fmt.Sprintf("%s; %s", detail, map[int]string{1: "one is needed", 2: "two are needed"}[need]))
	case n < commit.NeededTimers:
		p.add("timers", Warn, "one timer proves itself, which the fleet file accepts: "+missing, remedy, detail)
	case p.facts.Systemd && what != "" && !strings.Contains(what, "is not installed"):
		p.add("timers", Warn, what+"; other timers stand in for it", remedy, detail)
	default:
		p.ok("timers", "two timers prove themselves", "proved: "+orNone(times))
	}
}

// cutRemedy takes "at is not installed (apt install at)" apart.
func cutRemedy(why string) (what, remedy string) {
	what, rest, found := strings.Cut(why, " (")
	if !found || !strings.HasSuffix(rest, ")") {
		return why, ""
	}
	return what, strings.ReplaceAll(strings.TrimSuffix(rest, ")"), "; ", ", or ")
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// first is the beginning of a list that a host may have made long.
func first[T any](list []T, n int) []T { return list[:min(n, len(list))] }
