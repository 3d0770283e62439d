package progress

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/rollout"
	"fwpush/inventory"
)

// lines is what has been told of the commit group of a wave that is under way.
type lines struct {
	changes bool             // a host of it was told to apply
	applied bool             // told: all of them run the new rules
	ended   []rollout.Result // of hosts, to be told with the end of the group
}

// tell says in lines what an event comes to. It is called with the lock held, as are
// the others here.
func (p *Progress) tell(w *wave, s *seat, e rollout.Event) {
	switch {
	case p.does == Reads:
	case e.Step == rollout.StepStopped:
		p.lastWord = p.now()
		p.log.Tell("%v; no new host is started, and what is not confirmed of the group under way is taken back", e.Err)
	case e.Step == rollout.StepWave && len(p.board.waves) > 1:
		p.line("%s%s  begins", p.prefix(w), folded(e.Hosts))
	case e.Step == rollout.StepSoaking:
		p.line("%s%s  in, soaking until %s (%s)", p.prefix(w), folded(e.Hosts), report.Clock(e.Deadline), w.soak)
	case s == nil:
	case e.Step == rollout.StepEnded:
		p.tellEnd(w, *e.Result)
	case p.log.Verbose():
		text := string(e.Step)
		if e.Step == rollout.StepApplied {
			text = fmt.Sprintf("applied, reverts %s unless a fresh connection gets in", report.Clock(e.Deadline))
		}
		p.say("%s  %s", e.Host, text)
	}
	if p.board.grouped && s != nil {
		p.tellGroup(w)
	}
}

// prefix names a wave where there are several.
func (p *Progress) prefix(w *wave) string {
	if len(p.board.waves) == 1 {
		return ""
	}
	return w.Name + ": "
}

// folded are hosts under one name, with their number where it is not one.
func folded(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%s (%d)", inventory.Fold(names), len(names))
}

func (p *Progress) tellEnd(w *wave, r rollout.Result) {
	if len(r.Timers) > 0 && p.log.Verbose() {
		p.say("%s  timers: %s", r.Name, strings.Join(r.Timers, ", "))
	}
	good, effect := r.Err == nil, errors.Is(r.Err, rollout.ErrStopped) || isInterrupted(r)
	if !p.board.grouped || r.Outcome == rollout.OutcomeSkipped || !(good || effect) {
		p.tellNotes("", []rollout.Result{r})
	}
	switch {
	case r.Outcome == rollout.OutcomeSkipped && (good || effect): // there may be thousands; the summary has them
	case p.board.grouped && (good || effect):
		r.Facts = nil // they hold a host's rules several times over
		w.told.ended = append(w.told.ended, r)
	case !good && p.screen != nil: // it stands in the block, and stays there
	case !good: // -q leaves this in: it is what went wrong
		p.lastWord = p.now()
		p.log.Tell("%s", report.Trouble(r.Name, r))
	case r.Hint != "":
		p.say("%s; %s", ending(r.Name, r, r.Took), r.Hint)
	case len(p.board.seats) <= fewHosts || p.log.Verbose():
		p.line("%s", ending(r.Name, r, r.Took))
	}
}

func ending(hosts string, r rollout.Result, took time.Duration) string {
	return fmt.Sprintf("%s  %s in %.1fs", hosts, r.Outcome, took.Seconds())
}

// tellGroup tells where the group under way has come to as a whole.
func (p *Progress) tellGroup(w *wave) {
	at := w.places
	run := at[applied] + at[probing] + at[isIn]
	w.told.changes = w.told.changes || at[applying]+run > 0
	if run > 0 && at[connecting]+at[ready]+at[applying] == 0 && !w.told.applied {
		w.told.applied = true
		group := p.board.those(func(s *seat) bool { return s.undecided() && p.board.waves[s.wave] == w })
		unless := " unless confirmed"
		if group[0].drill {
			unless = ""
		}
		p.line("%s%s  applied, reverts by %s%s", p.prefix(w), folded(names(group)), report.Clock(lastDeadline(group)), unless)
	}
	// Hosts that need no change make room for others of the group; and while the last of one
	// end, those of the next are on their way to the gate.
	none := w.flying() == 0
	if w.told.changes && at[applying]+run == 0 && (w.told.applied || none) || none && !w.ended.IsZero() {
		p.tellEnded(w)
	}
}

// tellEnded tells of the hosts of a group that has ended, those alike together.
func (p *Progress) tellEnded(w *wave) {
	type group struct {
		names []string
		first rollout.Result
		took  time.Duration
	}
	p.tellNotes(p.prefix(w), w.told.ended)
	var order []*group
	groups := map[string]*group{}
	for _, r := range w.told.ended {
		key := strings.Join([]string{string(r.Outcome), r.Hint, fmt.Sprint(r.Err)}, "\x00")
		g := groups[key]
		if g == nil {
			g = &group{first: r}
			groups[key] = g
			order = append(order, g)
		}
		g.names = append(g.names, r.Name)
		g.took = max(g.took, r.Took)
	}
	w.told = lines{}
	for _, g := range order {
		hosts := p.prefix(w) + folded(p.inOrder(g.names))
		switch {
		case g.first.Err != nil && p.screen == nil:
			p.lastWord = p.now()
			p.log.Tell("%s", report.TroubleOfMany(hosts, g.first))
		case g.first.Err == nil && g.first.Hint != "":
			p.say("%s; %s", ending(hosts, g.first, g.took), g.first.Hint)
		case g.first.Err == nil:
			p.line("%s", ending(hosts, g.first, g.took))
		}
	}
}

// notes are what is worth knowing of hosts, and of whom.
type notes struct {
	order []string
	hosts map[string][]string
}

func (n *notes) add(note, host string) {
	if n.hosts == nil {
		n.hosts = map[string][]string{}
	}
	if n.hosts[note] == nil {
		n.order = append(n.order, note)
	}
	n.hosts[note] = append(n.hosts[note], host)
}

// tellNotes tells what is worth knowing of hosts, once for all who have it in common. What
// was told of others before is left to the end of the run.
func (p *Progress) tellNotes(prefix string, results []rollout.Result) {
	var first notes
	for _, r := range results {
		for _, n := range r.Notes {
			if p.noted[n] {
				p.later.add(n, r.Name)
			} else {
				first.add(n, r.Name)
			}
		}
	}
	for _, n := range first.order {
		p.noted[n] = true
		p.say("%s%s  note: %s", prefix, folded(p.inOrder(first.hosts[n])), n)
	}
}

// tellLater tells the notes that are left.
func (p *Progress) tellLater() {
	for _, n := range p.later.order {
		p.say("%s  note: %s", folded(p.inOrder(p.later.hosts[n])), n)
	}
	p.later = notes{}
}

// inOrder are hosts in the order of the run.
func (p *Progress) inOrder(hosts []string) []string {
	among := map[string]bool{}
	for _, h := range hosts {
		among[h] = true
	}
	return names(p.board.those(func(s *seat) bool { return among[s.name] }))
}

// say is for what a person wants to know once, live view or not.
func (p *Progress) say(format string, args ...any) {
	p.lastWord = p.now()
	p.log.Say(format, args...)
}

// line is for what a live view shows.
func (p *Progress) line(format string, args ...any) {
	if p.screen == nil {
		p.say(format, args...)
	}
}
