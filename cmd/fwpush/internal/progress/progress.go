package progress

import (
	"fmt"
	"sync"
	"time"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/rollout"
	"fwpush/inventory"
)

// Log is where a run is told of, a line at a time. Its methods may be called from
// any goroutine.
type Log interface {
	Tell(format string, args ...any) // always: what went wrong, what an interrupt means
	Note(format string, args ...any) // unless a person wants it quiet
	Verbose() bool
}

// Progress tells how a run goes and knows at any moment where every host is. Its
// methods may be called from any goroutine.
type Progress struct {
	log   Log
	now   func() time.Time
	names []string // all hosts, in order
	does  Manner
	// Facts, if set, hears of each host's result while it still has its facts.
	Facts func(rollout.Result)

	mu       sync.Mutex
	flying   map[string]flight // hosts under way
	ended    map[string]rollout.Result
	lastWord time.Time
	left     bool // the run was left: nothing more is told of it
}

// Manner is what a run does with hosts.
type Manner bool

const (
	// Reads is a run that asks hosts; what it heard is shown at its end.
	Reads Manner = false
	// Changes is a run that changes hosts; each is told as it ends.
	Changes Manner = true
)

// flight is how far a host under way has got.
type flight struct {
	step     rollout.Step
	deadline time.Time // when it reverts, zero before apply
}

// undecided says whether something may have changed on the host.
func (f flight) undecided() bool { return f.step != rollout.StepConnecting }

// every confirmed host gets a line of its own up to this many hosts; beyond, the
// heartbeat counts them.
const fewHosts = 25

// heartbeat is how long a run may be silent.
const heartbeat = 10 * time.Second

// New returns a Progress for a run over targets.
func New(log Log, targets []rollout.Target, does Manner) *Progress {
	p := &Progress{log: log, does: does, now: time.Now, flying: map[string]flight{}, ended: map[string]rollout.Result{}}
	for _, t := range targets {
		p.names = append(p.names, t.Host.Name)
	}
	p.lastWord = p.now()
	return p
}

// event takes one step of one host.
func (p *Progress) event(e rollout.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left {
		return
	}
	switch e.Step {
	case rollout.StepEnded:
		delete(p.flying, e.Host)
		r := *e.Result
		r.Facts = nil // they hold a host's rules several times over
		p.ended[e.Host] = r
		p.tellEnd(r)
		if p.Facts != nil && e.Result.Facts != nil {
			p.Facts(*e.Result)
		}
	case rollout.StepApplied:
		p.flying[e.Host] = flight{e.Step, e.Deadline}
		if p.log.Verbose() {
			p.say("%s  applied, reverts %s unless a fresh connection gets in", e.Host, report.Clock(e.Deadline))
		}
	default:
		p.flying[e.Host] = flight{step: e.Step}
		if p.log.Verbose() {
			p.say("%s  %s", e.Host, e.Step)
		}
	}
}

// tellEnd is called with the lock held.
func (p *Progress) tellEnd(r rollout.Result) {
	good := r.Err == nil
	switch {
	case p.does == Reads:
		return
	case r.Outcome == rollout.OutcomeSkipped && isInterrupted(r): // there may be thousands; the summary has them
		return
	case good && r.Hint == "" && len(p.names) > fewHosts && !p.log.Verbose():
	case good:
		text := fmt.Sprintf("%s  %s in %.1fs", r.Name, r.Outcome, r.Took.Seconds())
		if r.Hint != "" {
			text += "; " + r.Hint
		}
		p.say("%s", text)
	default: // -q leaves this in: it is what went wrong
		p.lastWord = p.now()
		p.log.Tell("%s", report.Trouble(r.Name, r))
	}
	for _, n := range r.Notes {
		p.say("%s  note: %s", r.Name, n)
	}
}

func (p *Progress) say(format string, args ...any) {
	p.lastWord = p.now()
	p.log.Note(format, args...)
}

// beat breaks a long silence. It runs until stop is closed.
func (p *Progress) beat(stop <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		p.mu.Lock()
		if p.now().Sub(p.lastWord) >= heartbeat {
			p.say("%d of %d done%s", len(p.ended), len(p.names), p.underWay())
		}
		p.mu.Unlock()
	}
}

// underWay names the hosts in flight and tells when the last of them reverts. It
// is called with the lock held.
func (p *Progress) underWay() string {
	return p.inFlight(", under way ", func(flight) bool { return true })
}

func (p *Progress) inFlight(intro string, take func(flight) bool) string {
	names := p.names[:0:0]
	for _, name := range p.names {
		if f, ok := p.flying[name]; ok && take(f) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	text := fmt.Sprintf("%s%s (%d)", intro, inventory.Fold(names), len(names))
	if last := p.lastDeadline(); !last.IsZero() {
		text += ", not confirmed they revert by " + report.Clock(last)
	}
	return text
}

func (p *Progress) lastDeadline() time.Time {
	var last time.Time
	for _, f := range p.flying {
		if f.deadline.After(last) {
			last = f.deadline
		}
	}
	return last
}

// interrupted says what an interrupt means, the count-th one.
func (p *Progress) interrupted(count int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.does == Reads && count == 1:
		p.log.Tell("interrupted: hosts that have not answered are left out%s", p.underWay())
	case p.does == Reads:
		p.log.Tell("leaving")
	case count == 1:
		p.log.Tell("interrupted: no new host is started, what is in flight is finished%s; again to take back what is not confirmed", p.underWay())
	case count == 2:
		p.log.Tell("interrupted: no new host is started, what is in flight and not confirmed is taken back%s; again to leave at once", p.underWay())
	default:
		p.log.Tell("leaving%s", p.inFlight(": by themselves revert ", flight.undecided))
	}
}
