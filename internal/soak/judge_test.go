package soak

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// record is what a host has confirmed, and what of that is in force.
type record struct {
	gen                      int // 0 if it confirms nothing
	tx, run                  string
	rules, canon, boot, live string
	booted                   bool // there is a boot file
	told                     bool // the host knows that it could not put the boot file back: the run is unknown
	history                  []entry
}

// entry is one line of a host's history.
type entry struct{ tx, how, run string }

var (
	txID    = regexp.MustCompile(`^[0-9a-f]{32}$`)
	revMark = regexp.MustCompile(`rev_[0-9a-f]+`)
	anyPort = regexp.MustCompile(`tcp dport [0-9]{5} accept`)
)

// form is a text of rules without what tells one push of the soak from another.
func form(text string) string {
	return anyPort.ReplaceAllString(sorted(revMark.ReplaceAllString(text, "rev_X")), "tcp dport PORT accept")
}

// sorted is a listing with its sets and chains in one order: theirs tells what was loaded after what,
// and means nothing.
func sorted(text string) string {
	blocks := strings.Split(strings.TrimSuffix(strings.TrimRight(text, "\n"), "\n}"), "\n\n")
	first, rest, _ := strings.Cut(blocks[0], "table inet fwpush {\n")
	blocks[0] = rest
	slices.Sort(blocks)
	return first + strings.Join(blocks, "\n\n")
}

func (s *subject) record() (r record, err error) {
	const b = "/var/lib/fwpush/"
	dirs, _ := filepath.Glob(s.path(b + "gen/[0-9]*"))
	for _, d := range dirs {
		if n, err := strconv.Atoi(filepath.Base(d)); err == nil {
			r.gen = max(r.gen, n)
		}
	}
	if r.gen > 0 {
		dir := fmt.Sprintf("%sgen/%d/", b, r.gen)
		r.rules, r.canon = s.read(dir+"rules"), strings.TrimRight(s.read(dir+"canon"), "\n")
		for line := range strings.Lines(s.read(dir + "meta")) {
			switch key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key {
			case "tx":
				r.tx = value
			case "run":
				r.run = value
			}
		}
	}
	r.told = s.exists("/run/fwpush/tx/" + s.state().tx + "/bootbad")
	r.boot, r.booted = s.read(b+"boot.nft"), s.exists(b+"boot.nft")
	for line := range strings.Lines(s.read(b + "history")) {
		words := strings.Fields(line)
		i := slices.IndexFunc(words, txID.MatchString)
		if i < 0 || i+1 >= len(words) {
			continue
		}
		e := entry{tx: words[i], how: words[i+1]}
		for _, w := range words[i+2:] {
			if strings.Contains(w, "Z-") {
				e.run = w
			}
		}
		r.history = append(r.history, e)
	}
	r.live, err = s.rules()
	return r, err
}

// confirmed says whether the host itself has it that the run was confirmed there: by its history, or,
// where that could not be written any more, by the generation that is in force.
func (r record) confirmed(run string) bool {
	return r.gen > 0 && r.run == run || slices.ContainsFunc(r.history, func(e entry) bool { return e.run == run && (e.how == "confirmed" || e.how == "removed") })
}

// whole says what of a host at rest does not fit together: what runs, what boots and what it has
// confirmed must be the same rules.
func (r record) whole() error {
	if r.gen == 0 {
		if r.live != "" || r.booted {
			return fmt.Errorf("nothing is confirmed, a boot file is there: %t, and it runs\n%s", r.booted, r.live)
		}
		return nil
	}
	var bad []error
	if sorted(r.live) != sorted(r.canon) && !r.told { // the generation that could not be put back either may stand there
		bad = append(bad, fmt.Errorf("I3: it runs\n%s\nand has confirmed\n%s", r.live, r.canon))
	}
	if r.boot != r.rules && !r.told {
		bad = append(bad, fmt.Errorf("I4: it would boot\n%s\nand has confirmed\n%s", r.boot, r.rules))
	}
	return errors.Join(bad...)
}

// judge compares every host with what may be after the round.
func (p *play) judge() (bad []string) {
	var reports []report
	for _, e := range p.ends {
		if e.hung {
			bad = append(bad, "the program did not end")
		}
		r, ok := e.read()
		switch {
		case ok && r.Exit != e.exit:
			bad = append(bad, fmt.Sprintf("exit %d in the report and %d in fact", r.Exit, e.exit))
		case !ok && e.exit == 0:
			bad = append(bad, "exit 0 without a report")
		case ok:
			reports = append(reports, r)
		}
		if strings.Contains(e.stderr, "panic") || strings.Contains(e.stdout+e.stderr, "a bug in fwpush") || strings.Contains(e.stderr, "goroutine ") {
			bad = append(bad, "the program panics")
		}
	}
	for i, s := range p.hosts {
		r, err := s.record()
		if err != nil {
			bad = append(bad, fmt.Sprintf("%s after the round: %v", s.Name(), err))
			continue
		}
		say := func(format string, args ...any) {
			bad = append(bad, s.Name()+": "+fmt.Sprintf(format, args...))
		}
		if err := r.whole(); err != nil && !p.excused(i, r) {
			say("%v", err)
		}
		if live := sorted(r.live); r.told && live != sorted(p.before[i].canon) && live != sorted(r.canon) && !p.excused(i, r) {
			say("I3: neither what it had confirmed nor what was pushed runs:\n%s", r.live)
		}
		p.judgeRules(i, r, say)
		for _, rep := range reports {
			p.judgeReport(s.Name(), rep, p.before[i], r, say)
		}
		p.judgeHistory(r, say)
		p.tally.lateness(p.diaries[i].late, p.hurt(i))
		if late := p.diaries[i].late; late > 10 && !p.hurt(i) || late > 200 {
			say("I3: unconfirmed for %.0f s past the deadline", late)
		}
	}
	return bad
}

// excused says whether a host may be other than whole until the next push: a stranger changed rules
// that were decided, or the power went while a decision was made to last.
func (p *play) excused(i int, r record) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drift[p.hosts[i]] {
		return true
	}
	for _, d := range p.faults[i] {
		stranger := d.fault.class == "strangers" && r.tx != p.before[i].tx // in the moment of the commit
		cut := d.fault.class == "power" && form(r.boot) == p.rules && form(r.live) == p.listing
		if stranger || cut {
			return true
		}
	}
	return false
}

// hurt says whether something was done to a host that may hold its timers up.
func (p *play) hurt(i int) bool {
	return slices.ContainsFunc(p.faults[i], func(d drawn) bool {
		return !slices.Contains([]string{"network", "ssh"}, d.fault.class)
	})
}

// judgeRules: what a host has confirmed is what it had before or what this round pushed, to the letter.
func (p *play) judgeRules(i int, r record, say func(string, ...any)) {
	if r.gen == 0 || r.tx == p.before[i].tx {
		return
	}
	if form(r.rules) != p.rules || form(r.canon) != p.listing {
		say("what it has confirmed is not what was pushed:\n%s\nlisted as\n%s", r.rules, r.canon)
	}
	if p.lockOut && p.second.verb != "apply" {
		say("a lock-out was confirmed")
	}
}

// judgeReport: success is what the host itself has on record, and nothing else is reported as such (I9).
func (p *play) judgeReport(name string, rep report, was, is record, say func(string, ...any)) {
	for _, h := range rep.Hosts {
		if h.Name != name {
			continue
		}
		p.tally.outcome(h.Outcome)
		confirmed := is.confirmed(rep.Run)
		switch h.Outcome {
		case "confirmed":
			if !confirmed {
				say("I9: run %s reports confirmed, and history does not", rep.Run)
			}
		case "reverted", "failed", "unreachable", "locked", "skipped":
			// Who finishes a run tells of a host that cannot be reached, or is not concerned any more.
			finish := (rep.Command == "confirm" || rep.Command == "revert") && h.Outcome != "reverted"
			undone := slices.Contains(p.verb, "--on-stop") // confirmed first, and rolled back under the same run
			if confirmed && !was.confirmed(rep.Run) && !finish && !undone {
				say("run %s reports %s at %s (%s), and the host has confirmed it", rep.Run, h.Outcome, h.Stage, h.Error)
			}
		case "unchanged", "unknown", "pending":
		default:
			say("outcome %q", h.Outcome)
		}
		if rep.Exit == 0 && !slices.Contains([]string{"confirmed", "unchanged"}, h.Outcome) && !slices.Contains([]string{"drill", "revert", "confirm"}, rep.Command) {
			say("exit 0 of run %s with a host that is %s", rep.Run, h.Outcome)
		}
	}
}

// judgeHistory: no transaction is told as both (I1).
func (p *play) judgeHistory(r record, say func(string, ...any)) {
	first := map[string]string{}
	for _, e := range r.history {
		switch was := first[e.tx]; {
		case was == "":
			first[e.tx] = e.how
		case was != e.how:
			say("I1: transaction %s is %s and %s", e.tx, was, e.how)
		}
	}
}

// afterwards: what was reported stays so when it is asked again, and the next push works.
func (p *play) afterwards() (bad []string) {
	for _, e := range p.ends {
		rep, ok := e.read()
		if !ok || !p.repeats || e.args[0] == "drill" {
			continue
		}
		before := p.records()
		again := p.run(nil, patience, "revert", rep.Run, "-o", "json")
		p.ended(again)
		if now := p.records(); !slices.EqualFunc(before, now, record.same) {
			bad = append(bad, "I7, I8: a revert of a run that is over changed a host")
		}
		break
	}
	if p.again {
		p.port = nextPort()
	}
	if err := p.fleet("fleet.toml", fleetText(p.team, plan{window: 60}, p.port)); err != nil {
		return append(bad, err.Error())
	}
	e := p.run(nil, patience, "apply", "-y", "-o", "json")
	p.ended(e)
	if e.exit != 0 {
		bad = append(bad, fmt.Sprintf("the next push fails: %s", e))
	}
	for _, s := range p.hosts {
		r, err := s.record()
		if err == nil {
			err = r.whole()
		}
		if err == nil && !strings.Contains(r.live, fmt.Sprintf("tcp dport %d accept", p.port)) {
			err = fmt.Errorf("it does not run port %d:\n%s", p.port, r.live)
		}
		if err == nil && (form(r.live) != p.listing || form(r.rules) != p.rules) {
			err = fmt.Errorf("it runs\n%s\nand has confirmed\n%s", r.live, r.rules)
		}
		if err != nil {
			bad = append(bad, fmt.Sprintf("%s after the next push: %v", s.Name(), err))
		}
	}
	_ = os.RemoveAll(filepath.Join(p.dir, "rival"))
	return bad
}

func (p *play) records() []record {
	all := make([]record, len(p.hosts))
	for i, s := range p.hosts {
		all[i], _ = s.record()
	}
	return all
}

func (r record) same(o record) bool {
	return r.gen == o.gen && r.tx == o.tx && sorted(r.live) == sorted(o.live) && r.boot == o.boot && r.canon == o.canon
}
