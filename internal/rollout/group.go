package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/stop"
)

// group is a commit group under way: hosts that are confirmed together or not at all.
// Its fields belong to the goroutine of conduct; hosts send it messages and wait for
// words.
//
// Hosts that need no change, or fail before anything was applied, make room for others
// of the wave, so that a group is up to Forks hosts that change. The way of all of them:
//
//	filling    each connects, stages, checks, and waits at the gate
//	proving    each arms, applies, and shows that a fresh connection gets in
//	soaking    all are in; the rules must hold for a while
//	reproving  each shows it once more, after the soak
//	decided    committed, or taken back
//
// While the hosts of a group that is to be committed end, the next one is filled in their
// place. Nothing is applied on those before all of these have ended, and well enough.
type group struct {
	*run
	*portion
	phase  phase
	inbox  chan message // of the wave: hosts of before are heard too
	before *group       // its hosts may still be ending; nil for the first of a wave

	seats   map[int]*seat // of hosts under way, by target
	there   [places]int   // how many of them are at each place
	soak    *time.Timer
	stopped *StopError

	committed bool // decided, and not to be taken back
}

type phase int

const (
	filling phase = iota
	proving
	soaking
	reproving
	decided
)

// conduct takes a group from its first connection to its last outcome, or to the decision
// to commit it if others of the wave can be begun. It says why the run stops, nil if it
// goes on.
func (g *group) conduct(ctx context.Context) *StopError {
	unwind, started := g.options.Unwind, ctx.Done()
	g.start(ctx)
	for g.leaving()+len(g.seats) > 0 {
		if g.committed && g.stopped == nil && !g.over() && !g.ending(ctx) {
			return nil
		}
		var soaked <-chan time.Time
		if g.soak != nil {
			soaked = g.soak.C
		}
		select {
		case m := <-g.inbox:
			g.hear(m)
		case <-soaked:
			g.soak, g.phase = nil, reproving
			g.say(isIn, proveAgain)
		case <-started:
			started = nil // nobody new; those under way finish
		case <-unwind:
			unwind = nil
			g.giveUp(ErrInterrupted)
		}
		if g.phase == filling && g.stopped == nil {
			g.start(ctx)
		}
		g.advance()
		g.lead(ctx)
	}
	return g.stopped
}

// start fills the group up.
func (g *group) start(ctx context.Context) {
	for g.leaving()+len(g.seats) < max(1, g.options.Forks) && ctx.Err() == nil && !g.options.unwinding() {
		i, more := g.next()
		if !more {
			return
		}
		s := &seat{inbox: g.inbox, index: i, words: make(chan word, 1)}
		s.going, s.leave = context.WithCancelCause(context.Background())
		g.seats[i] = s
		g.there[underWay]++
		go g.work(i, s, g.early.take(i))
	}
}

// lead has hosts of the next group log in, as this one comes to rest: a quarter as many as go at a
// time while its last hosts come to the gate, and one more for each that is in, up to as many as go at
// a time. Those that are in wait for the others, and when the last ones come, all within a round trip or
// two, nothing else is to be done. In a soak they would wait for long, and of canaries nobody knows how
// many it takes. Those behind a jump host would stand in the way of this group, whose deadlines run: few
// at a time log in through one.
func (g *group) lead(ctx context.Context) {
	if g.options.Strategy.Soak > 0 || g.replaces || g.stopped != nil || g.ending(ctx) {
		return
	}
	forks, upTo := g.options.Forks, 0
	switch g.phase {
	case filling:
		upTo = (g.there[atGate] - forks/2) / 2
	case proving:
		upTo = min(forks/4+g.there[isIn], forks)
	}
	for _, i := range g.list[:max(0, min(len(g.list), g.room, upTo))] {
		if g.early[i] == nil && g.targets[i].Host.SSH.Via == nil {
			g.early.begin(i, g.options.Dialer, g.targets[i].Host.SSH)
		}
	}
}

// leaving is how many hosts of the group before have not ended.
func (g *group) leaving() int {
	if g.before == nil {
		return 0
	}
	return len(g.before.seats)
}

// work takes one host through its commit.
func (g *group) work(i int, s *seat, l *login) {
	h := &host{target: g.targets[i], options: g.options, wave: g.number, seat: s, early: l, tell: func(e Event) { g.tell(e) }}
	r := h.run(context.Background(), func(ctx context.Context, h *host) commit.Result { return h.commit(ctx) })
	if errors.Is(r.Err, errSurplus) {
		s.inbox <- message{index: i, ended: &r}
		return // it has its turn later
	}
	h.tell(Event{Host: r.Name, Step: StepEnded, Result: &r})
	bare := r
	bare.Facts, bare.Back = nil, nil // they hold a host's rules several times over
	s.inbox <- message{index: i, ended: &bare}
}

// hear takes in what a host tells.
func (g *group) hear(m message) {
	s := g.seats[m.index]
	if s == nil { // one of the group before: a host sends nothing after its last message
		g.before.hear(m)
		if why := g.before.stopped; why != nil && g.stopped == nil {
			g.stopped = why
			g.giveUp(why)
		}
		if g.leaving() == 0 {
			g.before = nil
		}
		return
	}
	counted := s.at == failing // each once: its worker can fail by a bug while it is watched
	if m.ended == nil {
		g.move(s, m.at)
		s.proof = m.proof
		if m.at == atGate && g.phase != filling {
			s.leave(errSurplus)
		}
		if m.at == failing && !counted {
			g.count(m.index, Result{Name: g.targets[m.index].Host.Name, Result: commit.Result{Outcome: commit.OutcomeUnknown, Err: m.err}})
		}
		return
	}
	s.leave(nil)
	delete(g.seats, m.index)
	g.there[s.at]--
	if errors.Is(m.ended.Err, errSurplus) {
		g.spent[m.index] = spent{m.ended.Connections, m.ended.Execs}
		return
	}
	if g.replaces && (m.ended.Outcome == commit.OutcomeUnchanged || g.noCanary(m.index, *m.ended)) {
		g.replace()
	}
	g.results[m.index] = m.ended
	if !counted {
		g.count(m.index, *m.ended)
	}
}

// noCanary says whether a host was only looked at in place of a canary, and nothing came
// of it: it was out of reach, or another run has it.
func (g *group) noCanary(i int, r Result) bool {
	return !slices.Contains(g.Targets, i) && (r.Outcome == commit.OutcomeUnreachable || r.Outcome == commit.OutcomeLocked)
}

// count takes a host's end into the budget, and takes the group back if that is broken.
func (g *group) count(i int, r Result) {
	if why := g.budget.count(r, g.Canary && !g.noCanary(i, r)); why != nil && g.stopped == nil {
		g.stopped = why
		g.tell(Event{Step: StepStopped, Wave: g.number, Err: why})
		g.giveUp(why)
	}
}

// giveUp has every host of the group that is not decided take its rules back, or not
// apply them.
func (g *group) giveUp(why error) {
	if g.phase == decided {
		return // it is on disk, and some hosts have heard it
	}
	if back := g.proved(); len(back) > 0 {
		g.options.journal().decide(Revert, back)
	}
	g.soak, g.phase = nil, decided
	for _, s := range g.seats {
		s.leave(why)
	}
}

// advance takes the group to its next phase once everybody is there.
func (g *group) advance() {
	switch {
	case g.leaving() > 0:
		// How these end may stop the run.
	case g.phase == filling && (g.all(atGate) || g.replaces && len(g.sitting(atGate)) >= g.want):
		g.apply()
	case g.phase == proving && g.all(isIn):
		g.allIn()
	case g.phase == reproving && g.all(isIn):
		g.decide()
	}
}

// all says whether every host that is to be confirmed has come to a place. Where there
// is none left there is nothing to wait for.
func (g *group) all(at place) bool {
	some := false
	for _, s := range g.seats {
		if g.phase != filling && !s.accepted {
			continue
		}
		if s.at != at && s.at != failing {
			return false
		}
		some = some || s.at == at
	}
	return some
}

// apply lets everybody through the gate.
func (g *group) apply() {
	g.phase = proving
	for n, i := range g.sitting(atGate) {
		if s := g.seats[i]; n < g.want {
			s.accepted = true
		} else {
			s.leave(errSurplus)
			g.move(s, underWay)
		}
	}
	names := g.names(atGate)
	g.want -= len(names)
	if err := g.options.journal().applying(g.number, names); err != nil {
		g.stopped = &StopError{Cause: fmt.Errorf("what happens could not be written down beforehand: %w", err)}
		g.tell(Event{Step: StepStopped, Wave: g.number, Err: g.stopped})
		g.giveUp(g.stopped)
		return
	}
	g.say(atGate, goOn)
}

// allIn begins the soak, or decides where there is none.
func (g *group) allIn() {
	if soak := g.options.Strategy.Soak; soak > 0 {
		g.phase = soaking
		g.soak = time.NewTimer(soak)
		g.tell(Event{Step: StepSoaking, Wave: g.number, Hosts: g.names(isIn), Deadline: time.Now().Add(soak)})
		return
	}
	g.decide()
}

// decide confirms the group. From here on it is too late to take it back as one.
func (g *group) decide() {
	g.phase = decided
	d, w := Commit, makeItLast
	if g.options.Strategy.Manual {
		d, w = Leave, leavePending
	}
	stop.At("undecided")
	g.options.journal().decide(d, g.proved())
	stop.At("decided")
	g.say(isIn, w)
	g.committed = true
}

// proved are the hosts that wait for the decision.
func (g *group) proved() []Decided {
	var list []Decided
	for _, i := range g.sitting(isIn) {
		list = append(list, g.seats[i].proof)
	}
	return list
}

// sitting are the targets at a place, in their order.
func (g *group) sitting(at place) []int {
	var list []int
	for i, s := range g.seats {
		if s.at == at {
			list = append(list, i)
		}
	}
	slices.Sort(list)
	return list
}

// move writes down that a host has come to a place.
func (g *group) move(s *seat, to place) {
	g.there[s.at]--
	g.there[to]++
	s.at = to
}

// say tells everybody at a place to go on. They are under way again.
func (g *group) say(at place, w word) {
	for _, s := range g.seats {
		if s.at == at {
			g.move(s, underWay)
			s.words <- w
		}
	}
}

func (g *group) names(at place) []string {
	var names []string
	for _, i := range g.sitting(at) {
		names = append(names, g.targets[i].Host.Name)
	}
	return names
}
