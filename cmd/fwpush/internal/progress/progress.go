package progress

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
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
	ends  bool     // each host that ends is told; a diff or a table tells them itself
	// Facts, if set, hears of each host's result while it still has its facts.
	Facts func(rollout.Result)

	mu       sync.Mutex
	flying   map[string]time.Time // hosts under way; when they revert, zero before apply
	ended    map[string]rollout.Result
	lastWord time.Time
	left     bool // the run was left: nothing more is told of it
}

// every confirmed host gets a line of its own up to this many hosts; beyond, the
// heartbeat counts them.
const fewHosts = 25

// heartbeat is how long a run may be silent.
const heartbeat = 10 * time.Second

// New returns a Progress for a run over targets.
func New(log Log, targets []rollout.Target, ends bool) *Progress {
	p := &Progress{log: log, ends: ends, now: time.Now, flying: map[string]time.Time{}, ended: map[string]rollout.Result{}}
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
		p.flying[e.Host] = e.Deadline
		if p.log.Verbose() {
			p.say("%s  applied, reverts %s unless a fresh connection gets in", e.Host, report.Clock(e.Deadline))
		}
	default:
		p.flying[e.Host] = time.Time{}
		if p.log.Verbose() {
			p.say("%s  %s", e.Host, e.Step)
		}
	}
}

// tellEnd is called with the lock held.
func (p *Progress) tellEnd(r rollout.Result) {
	good := r.Err == nil
	switch {
	case !p.ends:
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

// underWay counts the hosts in flight and tells when the last of them reverts.
// It is called with the lock held.
func (p *Progress) underWay() string {
	if len(p.flying) == 0 {
		return ""
	}
	text := ", under way " + p.fold(func(name string) bool { _, ok := p.flying[name]; return ok })
	if last := p.lastDeadline(); !last.IsZero() {
		text += ", not confirmed they revert by " + report.Clock(last)
	}
	return text
}

func (p *Progress) lastDeadline() time.Time {
	var last time.Time
	for _, d := range p.flying {
		if d.After(last) {
			last = d
		}
	}
	return last
}

func (p *Progress) fold(take func(string) bool) string {
	names := slices.DeleteFunc(slices.Clone(p.names), func(n string) bool { return !take(n) })
	return fmt.Sprintf("%s (%d)", inventory.Fold(names), len(names))
}

// interrupted says what an interrupt means, the count-th one.
func (p *Progress) interrupted(count int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	flying := ui.Count(len(p.flying), "host")
	switch count {
	case 1:
		p.log.Tell("interrupted: no new host is started, %s in flight finish%s; again to take back what is not confirmed", flying, p.underWay())
	case 2:
		p.log.Tell("interrupted: no new host is started, %s in flight take back what is not confirmed%s; again to leave at once", flying, p.underWay())
	default:
		p.log.Tell("leaving: %s in flight revert by themselves%s", flying, p.underWay())
	}
}
