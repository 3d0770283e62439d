package rollout

import (
	"context"
	"slices"
)

// run is an Apply under way. Its fields belong to the goroutine that walks the waves.
type run struct {
	targets []Target
	options Options
	budget  *budget
	results []*Result     // by target; nil while it has not ended
	spent   map[int]spent // by target: what it cost before its turn
	early   early
	tell    func(Event)
}

// spent is connections and executions.
type spent struct{ connections, execs int }

// ending says whether nobody new is to be begun.
func (r *run) ending(ctx context.Context) bool { return ctx.Err() != nil || r.options.unwinding() }

// Apply takes every target through its confirmed commit, wave by wave and in each wave
// in commit groups of at most Forks hosts that change: a group is confirmed as one or
// reverts as one. Two connections and two executions on a host that changes, one and one
// on a host that runs its candidate already; a soak costs one of each more, a login that was begun early
// and is over by its turn one connection. Results are
// in the order of targets.
//
// When ctx is done no further host is started; the group under way finishes. When the
// run stops by its Strategy, the hosts that it did not come to are skipped. Facts are
// handed to Event and left out of the results, so that the memory a run needs depends on
// Forks and not on the fleet.
func Apply(ctx context.Context, targets []Target, o Options) []Result {
	if o.Waves == nil {
		o.Waves, _ = Waves(targets, Strategy{}) // without a canary there is no error
	}
	events := newQueue()
	r := &run{targets: targets, options: o, budget: newBudget(o.Strategy, len(targets)), results: make([]*Result, len(targets)), spent: map[int]spent{}, early: early{}, tell: events.put}
	go func() {
		defer events.close()
		r.walk(ctx)
	}()
	events.each(o.Event)
	results := make([]Result, len(targets))
	for i := range targets {
		results[i] = *r.results[i]
		results[i].Connections += r.spent[i].connections
		results[i].Execs += r.spent[i].execs
	}
	return results
}

// walk goes through the waves.
func (r *run) walk(ctx context.Context) {
	var stopped *StopError
	for n, w := range r.options.Waves {
		p := r.portion(n, w)
		if p.over() {
			continue
		}
		if r.ending(ctx) {
			break
		}
		r.tell(Event{Step: StepWave, Wave: p.number, Hosts: r.names(p.list[:p.room])})
		stopped = r.take(ctx, p)
		if stopped == nil && w.replaces {
			w.replaces = false // canaries that others were faster than
			stopped = r.take(ctx, r.portion(n, w))
		}
		if stopped != nil {
			break
		}
	}
	for i, t := range r.targets {
		if r.results[i] != nil {
			continue
		}
		left := r.left(i, t, stopped)
		r.results[i] = &left
		r.tell(Event{Host: t.Host.Name, Wave: left.Wave, Step: StepEnded, Result: &left})
	}
}

// take goes through a portion, group by group, and says why the run stops, nil if it goes
// on. Where nobody new is to be begun the last group only sees those end that it follows.
func (r *run) take(ctx context.Context, p *portion) (stopped *StopError) {
	inbox := make(chan message)
	var last *group
	for stopped == nil && (last != nil && len(last.seats) > 0 || !r.ending(ctx) && !p.over()) {
		last = &group{run: r, portion: p, inbox: inbox, before: last, seats: map[int]*seat{}}
		stopped = last.conduct(ctx)
	}
	r.early.drop(func(i, connections int) { r.spent[i] = spent{r.spent[i].connections + connections, r.spent[i].execs} })
	return stopped
}

// left is the end of a host that the run did not come to.
func (r *run) left(i int, t Target, stopped *StopError) Result {
	left := Result{Name: t.Host.Name, Digest: t.Candidate.Rules.Digest, Wave: r.waveOf(i), Result: skipped(ErrInterrupted, "")}
	if stopped != nil {
		left.Result = skipped(stopped, "")
	}
	return left
}

func (r *run) waveOf(i int) int {
	return 1 + slices.IndexFunc(r.options.Waves, func(w Wave) bool { return slices.Contains(w.Targets, i) })
}

// portion is what is left to do of the n-th wave. Hosts of later waves that take the
// place of canaries come behind them: none that has to go late, and none that would
// stand beside its like.
func (r *run) portion(n int, w Wave) *portion {
	p := &portion{Wave: w, number: n + 1, list: r.open(w.Targets)}
	p.room, p.want = len(p.list), len(p.list)
	if !w.replaces {
		return p
	}
	for _, later := range r.options.Waves[n+1:] {
		for _, i := range r.open(later.Targets) {
			t := r.targets[i]
			if len(t.Behind) == 0 && !slices.ContainsFunc(r.options.Strategy.Serial, t.has) {
				p.list = append(p.list, i)
			}
		}
	}
	return p
}

// open are those of the targets that have not ended.
func (r *run) open(targets []int) []int {
	return slices.DeleteFunc(slices.Clone(targets), func(i int) bool { return r.results[i] != nil })
}

func (r *run) names(targets []int) []string {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = r.targets[t].Host.Name
	}
	return names
}

// portion is what is left of a wave.
type portion struct {
	Wave
	number int   // counted from 1
	list   []int // targets, in the order in which they go
	room   int   // how many of them may still be begun
	want   int   // how many of them may still change
}

// next is the next host of the wave.
func (p *portion) next() (target int, more bool) {
	if p.over() {
		return 0, false
	}
	target, p.list, p.room = p.list[0], p.list[1:], p.room-1
	return target, true
}

// over says whether nobody of the wave is left to go.
func (p *portion) over() bool { return p.want == 0 || p.room == 0 || len(p.list) == 0 }

// replace makes room for others in place of a canary that needs no change: for two, so
// that those who do are found within a few rounds in a fleet in which few do.
func (p *portion) replace() { p.room += 2 }
