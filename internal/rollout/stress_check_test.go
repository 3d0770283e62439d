package rollout

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwpush/internal/commit"
)

// wrong notes that an oracle is not content. It may be called by any goroutine.
func (r *round) wrong(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble = append(r.trouble, fmt.Sprintf(format, args...))
}

func (r *round) index(host string) int {
	return slices.IndexFunc(r.targets, func(t Target) bool { return t.Host.Name == host })
}

// Applying is the journal of the round: what it is told must not have happened yet.
func (r *round) Applying(_ int, hosts []string) error {
	for _, name := range hosts {
		if got := r.fleet.Host(r.index(name)).State(); got != "staged" && got != "reverted" {
			r.wrong("%s is %s before it is told to apply", name, got)
		}
		r.mu.Lock()
		again := r.applied[name]
		r.applied[name] = true
		r.mu.Unlock()
		if again {
			r.wrong("%s is told to apply once more", name)
		}
	}
	r.mu.Lock()
	stopped := r.stopped
	r.mu.Unlock()
	if stopped {
		r.wrong("%s are told to apply after the run was stopped", hosts)
	}
	if r.panics == 1 {
		panic("a journal that panics before apply")
	}
	return nil
}

func (r *round) Decide(d Decision, hosts []Decided) {
	r.mu.Lock()
	for _, h := range hosts {
		if r.commit[h.Host] || r.back[h.Host] || !r.applied[h.Host] {
			r.trouble = append(r.trouble, h.Host+" is decided twice, or never applied")
		}
		if d == Revert {
			r.back[h.Host] = true
		} else {
			r.commit[h.Host] = true
		}
	}
	r.mu.Unlock()
	for _, h := range hosts {
		if sim := r.fleet.Host(r.index(h.Host)); sim.State() == "confirmed" {
			r.wrong("%s is confirmed before that is decided", h.Host)
		}
	}
	if r.panics == 2 {
		panic("a journal that panics at the decision")
	}
}

func (r *round) event(e Event) {
	r.mu.Lock()
	if e.Host != "" {
		if _, over := r.ended[e.Host]; over {
			r.trouble = append(r.trouble, fmt.Sprintf("%s: %s after its end", e.Host, e.Step))
		}
		r.events[e.Host] = append(r.events[e.Host], e.Step)
	}
	if e.Step == StepEnded {
		r.ended[e.Host] = *e.Result
	}
	r.mu.Unlock()
	if e.Step == StepStopped {
		r.mu.Lock()
		r.stopped = true
		r.mu.Unlock()
	}
	if do := r.plan[r.when]; do != nil {
		do()
	}
	r.when++
	if r.panics == 3 && r.IntN(3) == 0 {
		panic("a listener that panics")
	}
}

// play does the run and looks at every host.
func (r *round) play() {
	began := time.Now()
	results := make(chan []Result, 1)
	go func() { results <- Apply(r.ctx, r.targets, r.options) }()
	select {
	case list := <-results:
		r.check(list)
	case <-time.After(90 * time.Second):
		r.wrong("it does not end")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.trouble) == 0 {
		return
	}
	r.Errorf("%s\n%d hosts, forks %d,%s, panics %d, faults %q, after %s", strings.Join(r.trouble, "\n"), len(r.targets), r.options.Forks, r.said, r.panics, r.faults, time.Since(began))
	for name, steps := range r.events {
		r.Logf("%s %s", name, steps)
	}
}

func (r *round) check(results []Result) {
	own := 0
	for i, res := range results {
		if res.Name != r.targets[i].Host.Name || res.Outcome == "" {
			r.wrong("result %d is %s %q", i, res.Name, res.Outcome)
		}
		if ended, told := r.ended[res.Name]; !told || ended.Outcome != res.Outcome {
			r.wrong("%s is %s, and told to have ended as %q", res.Name, res.Outcome, ended.Outcome)
		}
		r.look(i, res)
		effect := errors.Is(res.Err, ErrStopped) || errors.Is(res.Err, ErrInterrupted)
		if !effect && (res.Outcome == commit.OutcomeFailed || res.Outcome == commit.OutcomeReverted || res.Outcome == commit.OutcomeUnknown) {
			own++
		}
		if errors.Is(res.Err, ErrStopped) && !r.stopped {
			r.wrong("%s: stopped, and nobody was told of it", res.Name)
		}
		if errors.Is(res.Err, ErrInterrupted) && r.ctx.Err() == nil {
			r.wrong("%s: interrupted, and there was no interrupt", res.Name)
		}
	}
	if limit := r.options.Strategy.MaxFailures.Count; own > limit && !r.stopped {
		r.wrong("%d failed, %d may, and the run went on", own, limit)
	}
	code := ExitCode(results)
	if all := !slices.ContainsFunc(results, func(x Result) bool {
		return x.Outcome != commit.OutcomeConfirmed && x.Outcome != commit.OutcomeUnchanged && x.Outcome != commit.OutcomePending
	}); all != (code == 0) {
		r.wrong("exit %d: %s", code, outcomesOf(results))
	}
}

// look compares a result with the host.
func (r *round) look(i int, res Result) {
	h, was := r.fleet.Host(i), r.before[i]
	confirmed, generation := h.Confirmed()
	text := r.targets[i].Candidate.Rules.Text
	state := h.State()
	for end := time.Now().Add(8 * time.Second); (state == "staged" || state == "armed" || state == "applied" && res.Outcome == commit.OutcomeUnknown) && time.Now().Before(end); state = h.State() {
		time.Sleep(10 * time.Millisecond) // a host whose connection broke is about to notice
	}
	bad := func(what string) {
		r.wrong("%s is %s at %q (%v): %s; state %s, runs its old rules %t, generation %d after %d", res.Name, res.Outcome, res.Stage, res.Err, what,
			state, h.Running() == was.running, generation, was.generation)
	}
	if r.held[i] {
		if res.Outcome != commit.OutcomeLocked && res.Outcome != OutcomeSkipped {
			bad("and was held by another run")
		}
		return
	}
	if state == "applied" && res.Outcome != commit.OutcomePending || state == "staged" || state == "armed" {
		bad("left in the middle")
	}
	switch res.Outcome {
	case commit.OutcomeConfirmed:
		if confirmed != text || generation != was.generation+1 || !r.commit[res.Name] {
			bad("not confirmed there, or not decided")
		}
	case commit.OutcomePending:
		if !r.options.Strategy.Manual || state != "applied" {
			bad("not asked for")
		}
	case commit.OutcomeUnknown:
		if r.faults[i] == "" {
			bad("and nothing was wrong with it")
		}
	default:
		if h.Running() != was.running || generation != was.generation {
			bad("changed")
		}
	}
	if r.commit[res.Name] && (errors.Is(res.Err, ErrStopped) || errors.Is(res.Err, ErrInterrupted)) {
		bad("taken back because of others after it was decided to confirm it")
	}
	if res.Outcome != commit.OutcomeConfirmed && r.commit[res.Name] && r.faults[i] == "" && !r.options.Strategy.Manual {
		bad("not confirmed although that was decided")
	}
	// A login before its turn (early.go) is told in the result alone.
	if got := h.Counts(); !slices.Contains(r.events[res.Name], StepConnecting) && (got.Connections > was.connections+res.Connections || got.Writes != was.writes) {
		bad("touched, and nobody was told of it")
	}
	if res.Outcome == commit.OutcomeReverted && r.faults[i] == "" && len(r.targets[i].Probes) == 0 && !errors.Is(res.Err, ErrStopped) && !errors.Is(res.Err, ErrInterrupted) {
		bad("reverted by itself without a reason")
	}
}
