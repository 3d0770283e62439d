package progress

import (
	"time"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/commit"
	"fwpush/internal/rollout"
)

// board is where every host of a run is, as far as it has been told. It prints nothing.
type board struct {
	now   func() time.Time
	began time.Time
	waves []*wave
	seats []*seat // in the order of targets
	index map[string]*seat
	// grouped says that hosts go in commit groups, and not each by itself.
	grouped bool
	// unwinding says that what is not confirmed is taken back.
	unwinding bool
	troubles  []*trouble
	byCause   map[string]*trouble
}

// seat is one host.
type seat struct {
	name     string
	run      string // that marks its candidate
	drill    bool   // nobody confirms it
	wave     int    // index of its wave
	place    place
	since    time.Time // of the place
	deadline time.Time // when it reverts, zero before apply
	result   *rollout.Result
}

// place is how far a host has come.
type place int

const (
	waiting    place = iota
	connecting       // logs in, stages and checks
	ready            // nothing was applied, waits for its group
	applying         // told to go on: from here on something may change
	applied          // runs the candidate, a fresh connection comes next
	probing          // a fresh connection is in
	isIn             // so is every probe, waits for its group
	over
	places
)

// undecided says whether something may have changed on the host.
func (s *seat) undecided() bool { return s.place >= applying && s.place < over }

// flying says whether the host is under way.
func (s *seat) flying() bool { return s.place > waiting && s.place < over }

// wave is one wave.
type wave struct {
	rollout.Wave
	places   [places]int
	outcomes map[commit.Outcome]int
	bad      map[commit.Outcome]int // of these, those that have an error
	began    time.Time              // zero until the first host has begun
	ended    time.Time              // zero while hosts are to end
	soaking  time.Time              // when the soak is over, zero unless there is one
	soak     time.Duration
	probes   []string // all that were as they must be
	told     lines
	names    map[commit.Outcome]string // folded, once it has ended
}

func (w *wave) total() int {
	total := 0
	for _, n := range w.places {
		total += n
	}
	return total
}

func (w *wave) flying() int { return w.total() - w.places[waiting] - w.places[over] }

// trouble is hosts that ended in the same way, and not as asked.
type trouble struct {
	result rollout.Result // of the first
	names  []string
	hosts  string // folded; "" where a host has come since
	what   string
}

func newBoard(now func() time.Time, targets []rollout.Target, waves []rollout.Wave) *board {
	b := &board{now: now, began: now(), index: map[string]*seat{}, byCause: map[string]*trouble{}}
	if waves == nil {
		waves = []rollout.Wave{{Name: "all"}}
	}
	for _, w := range waves {
		b.waves = append(b.waves, &wave{Wave: w, outcomes: map[commit.Outcome]int{}, bad: map[commit.Outcome]int{}})
	}
	for _, t := range targets {
		s := &seat{name: t.Host.Name, run: t.Candidate.Stamp.Run, drill: t.Candidate.Drill, since: b.began}
		b.seats = append(b.seats, s)
		b.index[s.name] = s
	}
	for n, w := range waves {
		for _, i := range w.Targets {
			b.seats[i].wave = n
		}
	}
	for _, s := range b.seats {
		b.waves[s.wave].places[waiting]++
	}
	return b
}

// those are the hosts of which take says so, in their order.
func (b *board) those(take func(*seat) bool) []*seat {
	var list []*seat
	for _, s := range b.seats {
		if take(s) {
			list = append(list, s)
		}
	}
	return list
}

func names(seats []*seat) []string {
	list := make([]string, len(seats))
	for i, s := range seats {
		list[i] = s.name
	}
	return list
}

// count is how many hosts are at a place.
func (b *board) count(at place) int {
	n := 0
	for _, w := range b.waves {
		n += w.places[at]
	}
	return n
}

// take takes in one event. The wave is the one it is about, the seat the host it is
// about, nil if it is about none.
func (b *board) take(e rollout.Event) (*wave, *seat) {
	w := b.waves[min(max(e.Wave, 1), len(b.waves))-1]
	s := b.index[e.Host]
	switch {
	case e.Host != "" && s == nil:
		return w, nil
	case s != nil:
		if e.Wave == 0 {
			w = b.waves[s.wave]
		}
		b.step(w, s, e)
	case e.Step == rollout.StepWave:
		b.grouped = true
		w.began = b.now()
	case e.Step == rollout.StepSoaking:
		w.soaking, w.soak = e.Deadline, e.Deadline.Sub(b.now()).Round(time.Second)
	case e.Step == rollout.StepStopped:
		b.unwinding = true
	}
	return w, s
}

func (b *board) step(w *wave, s *seat, e rollout.Event) {
	at := s.place
	switch e.Step {
	case rollout.StepConnecting:
		at = connecting
	case rollout.StepReady:
		at = ready
	case rollout.StepChecked:
		at = applying
	case rollout.StepApplied:
		at = applied
	case rollout.StepProbing:
		at = probing
	case rollout.StepProved:
		at = isIn
		w.learn(e.Probes)
	case rollout.StepEnded:
		at = over
	}
	if !e.Deadline.IsZero() {
		s.deadline = e.Deadline
	}
	switch {
	case at == over && e.Step != rollout.StepEnded:
		return // somewhere on the way, and it is over
	case s.result != nil: // confirmed, and taken back after all
		b.waves[s.wave].count(*s.result, -1)
		s.result = nil
	}
	b.move(w, s, at)
	if e.Step != rollout.StepEnded {
		return
	}
	r := *e.Result
	r.Facts = nil // they hold a host's rules several times over
	s.result = &r
	w.count(r, 1)
	b.file(r)
	if w.places[over] == w.total() {
		w.ended = b.now()
		w.names = b.named(w)
	}
}

// move puts a host at a place of a wave, which a canary's stand-in has from another one.
func (b *board) move(w *wave, s *seat, at place) {
	from := b.waves[s.wave]
	from.places[s.place]--
	w.places[at]++
	if from != w {
		for n, other := range b.waves {
			if other == w {
				s.wave = n
			}
		}
	}
	if at != s.place {
		s.place, s.since = at, b.now()
	}
	if at != over {
		if w.began.IsZero() {
			w.began = b.now()
		}
		w.ended = time.Time{}
	}
}

// count adds how a host ended, or takes it away.
func (w *wave) count(r rollout.Result, by int) {
	w.outcomes[r.Outcome] += by
	if r.Err != nil {
		w.bad[r.Outcome] += by
	}
}

// learn takes in probes that are as they must be.
func (w *wave) learn(probes []string) {
	for _, p := range probes {
		known := false
		for _, q := range w.probes {
			known = known || p == q
		}
		if !known {
			w.probes = append(w.probes, p)
		}
	}
}

// file files a host that did not end as asked. Those that the run did not come to are
// no trouble of theirs.
func (b *board) file(r rollout.Result) {
	if r.Err == nil || r.Outcome == rollout.OutcomeSkipped {
		return
	}
	cause := string(r.Outcome) + report.TroubleOfMany("", r)
	t := b.byCause[cause]
	if t == nil {
		t = &trouble{result: r}
		b.byCause[cause] = t
		b.troubles = append(b.troubles, t)
	}
	t.names = append(t.names, r.Name)
	t.hosts = ""
}

// firstDeadline is the host in flight that reverts first, nil if none has a deadline.
func firstDeadline(seats []*seat) *seat {
	var first *seat
	for _, s := range seats {
		if s.undecided() && !s.deadline.IsZero() && (first == nil || s.deadline.Before(first.deadline)) {
			first = s
		}
	}
	return first
}
