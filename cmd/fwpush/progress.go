package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// progress tells on stderr how a run goes, a line at a time, and knows at any
// moment where every host is. Its methods may be called from any goroutine.
type progress struct {
	c     *console
	now   func() time.Time
	names []string // all hosts, in order
	ends  bool     // each host that ends is told; a diff or a table tells them itself
	// facts, if set, hears of each host's result while it still has its facts.
	facts func(rollout.Result)

	mu       sync.Mutex
	flying   map[string]time.Time // hosts under way; when they revert, zero before apply
	ended    map[string]rollout.Result
	lastWord time.Time
}

// every confirmed host gets a line of its own up to this many hosts; beyond, the
// heartbeat counts them.
const fewHosts = 25

// heartbeat is how long a run may be silent.
const heartbeat = 10 * time.Second

func newProgress(c *console, targets []rollout.Target, ends bool) *progress {
	p := &progress{c: c, ends: ends, now: time.Now, flying: map[string]time.Time{}, ended: map[string]rollout.Result{}}
	for _, t := range targets {
		p.names = append(p.names, t.Host.Name)
	}
	p.lastWord = p.now()
	return p
}

// event takes one step of one host.
func (p *progress) event(e rollout.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Step {
	case rollout.StepEnded:
		delete(p.flying, e.Host)
		r := *e.Result
		if p.facts != nil && r.Facts != nil {
			p.facts(r)
		}
		r.Facts = nil // they hold a host's rules several times over
		p.ended[e.Host] = r
		p.tellEnd(r)
	case rollout.StepApplied:
		p.flying[e.Host] = e.Deadline
		if p.c.verbose {
			p.say("%s  applied, reverts %s unless a fresh connection gets in", e.Host, clock(e.Deadline))
		}
	default:
		p.flying[e.Host] = time.Time{}
		if p.c.verbose {
			p.say("%s  %s", e.Host, e.Step)
		}
	}
}

// tellEnd is called with the lock held.
func (p *progress) tellEnd(r rollout.Result) {
	good := r.Err == nil
	switch {
	case !p.ends:
		return
	case r.Outcome == rollout.OutcomeSkipped && isInterrupted(r): // there may be thousands; the summary has them
		return
	case good && r.Hint == "" && len(p.names) > fewHosts && !p.c.verbose:
	case good:
		text := fmt.Sprintf("%s  %s in %.1fs", r.Name, r.Outcome, r.Took.Seconds())
		if r.Hint != "" {
			text += "; " + r.Hint
		}
		p.say("%s", text)
	default: // -q leaves this in: it is what went wrong
		p.lastWord = p.now()
		p.c.tell("%s", trouble(r.Name, r))
	}
	for _, n := range r.Notes {
		p.say("%s  note: %s", r.Name, n)
	}
}

// trouble says how hosts ended that did not end as asked; r is the result of one.
func trouble(hosts string, r rollout.Result) string {
	text := fmt.Sprintf("%s  %s", hosts, r.Outcome)
	if r.Stage != "" && r.Outcome != commit.OutcomeUnreachable {
		text += " at " + string(r.Stage)
	}
	if r.Err != nil {
		text += ": " + cause(r)
	}
	if r.Hint != "" {
		text += "; " + r.Hint
	}
	return text
}

// cause is the error without the host's name, which stands before it.
func cause(r rollout.Result) string {
	text := strings.TrimPrefix(r.Err.Error(), r.Name+": ")
	before, after, found := strings.Cut(text, r.Name+" (")
	if address, what, ok := strings.Cut(after, "): "); found && ok {
		return before + address + ": " + what
	}
	return text
}

func (p *progress) say(format string, args ...any) {
	p.lastWord = p.now()
	p.c.note(format, args...)
}

// beat breaks a long silence. It runs until stop is closed.
func (p *progress) beat(stop <-chan struct{}) {
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
func (p *progress) underWay() string {
	if len(p.flying) == 0 {
		return ""
	}
	text := ", under way " + p.fold(func(name string) bool { _, ok := p.flying[name]; return ok })
	if last := p.lastDeadline(); !last.IsZero() {
		text += ", not confirmed they revert by " + clock(last)
	}
	return text
}

func (p *progress) lastDeadline() time.Time {
	var last time.Time
	for _, d := range p.flying {
		if d.After(last) {
			last = d
		}
	}
	return last
}

func (p *progress) fold(take func(string) bool) string {
	names := slices.DeleteFunc(slices.Clone(p.names), func(n string) bool { return !take(n) })
	return fmt.Sprintf("%s (%d)", inventory.Fold(names), len(names))
}

// interrupted says what an interrupt means, the count-th one.
func (p *progress) interrupted(count int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	flying := ui.Count(len(p.flying), "host")
	switch count {
	case 1:
		p.c.tell("interrupted: no new host is started, %s in flight finish%s; again to take back what is not confirmed", flying, p.underWay())
	case 2:
		p.c.tell("interrupted: no new host is started, %s in flight take back what is not confirmed%s; again to leave at once", flying, p.underWay())
	default:
		p.c.tell("leaving: %s in flight revert by themselves%s", flying, p.underWay())
	}
}

// clock is a time of day for people.
func clock(t time.Time) string { return t.Local().Format("15:04:05") }
