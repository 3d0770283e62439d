package progress

import (
	"slices"
	"sync"
	"time"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
)

// Log is where a run is told of, a line at a time. Its methods may be called from
// any goroutine.
type Log interface {
	Tell(format string, args ...any) // always: what went wrong, what an interrupt means
	Say(format string, args ...any)  // how it goes, unless a person wants it quiet
	Verbose() bool
	// Live is where the run is to be drawn, and how it may be coloured; nil where lines
	// are wanted. What is told must go through the same Screen.
	Live() (*ui.Screen, ui.Colour)
}

// Progress tells how a run goes and knows at any moment where every host is. Its
// methods may be called from any goroutine.
type Progress struct {
	log    Log
	screen *ui.Screen // nil: lines
	colour ui.Colour
	now    func() time.Time
	does   Manner
	// Facts, if set, hears of each host's result while it still has its facts.
	Facts func(rollout.Result)
	// Interrupted, if set, hears of each interrupt, counted from 1.
	Interrupted func(count int)

	mu       sync.Mutex
	board    *board
	shown    frame // on the screen
	noted    map[string]bool
	later    notes // told already of other hosts
	lastWord time.Time
	ended    bool // or left: nothing more is told of it
	left     bool
}

// Left says whether the run was left at the third interrupt, with hosts in flight.
func (p *Progress) Left() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left
}

// Manner is what a run does with hosts.
type Manner bool

const (
	// Reads is a run that asks hosts; what it heard is shown at its end.
	Reads Manner = false
	// Changes is a run that changes hosts; each is told as it ends.
	Changes Manner = true
)

// every confirmed host that goes by itself gets a line of its own up to this many hosts;
// beyond, the heartbeat counts them.
const fewHosts = 25

// heartbeat is how long lines may be silent, and redraw how often a block is drawn.
const (
	heartbeat = 10 * time.Second
	redraw    = 100 * time.Millisecond
)

// New returns a Progress for a run over targets.
func New(log Log, targets []rollout.Target, does Manner) *Progress {
	p := &Progress{log: log, does: does, now: time.Now, noted: map[string]bool{}}
	p.screen, p.colour = log.Live()
	p.board = newBoard(p.clock, targets, nil)
	p.lastWord = p.now()
	return p
}

func (p *Progress) clock() time.Time { return p.now() }

// event takes one step of one host, or of a wave.
func (p *Progress) event(e rollout.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	w, s := p.board.take(e)
	p.tell(w, s, e)
	if e.Step == rollout.StepEnded && p.Facts != nil && e.Result.Facts != nil {
		p.Facts(*e.Result)
	}
}

// tick draws the block, or breaks a long silence.
func (p *Progress) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended:
	case p.screen != nil:
		p.draw()
	case p.now().Sub(p.lastWord) >= heartbeat:
		p.say("%d of %d done%s", p.board.count(over), len(p.board.seats), p.inFlight(underWay, (*seat).flying, unlessConfirmed))
	}
}

// frame is what stands on a screen.
type frame struct {
	width, height int
	lines         []string
}

// draw shows where the run is. It is called with the lock held.
func (p *Progress) draw() {
	var f frame
	f.width, f.height = p.screen.Size()
	f.lines = []string{p.board.asking(p.colour)}
	if p.does == Changes {
		f.lines = p.board.frame(p.colour, f.width, f.height)
	}
	if f.width == p.shown.width && f.height == p.shown.height && slices.Equal(f.lines, p.shown.lines) {
		return
	}
	p.shown = f
	p.screen.Show(f.lines)
}

// end leaves on the screen what is worth keeping. It is called with the lock held.
func (p *Progress) end() {
	p.ended = true
	for _, w := range p.board.waves {
		p.tellEnded(w)
	}
	p.tellLater()
	switch {
	case p.screen == nil:
	case p.does == Reads:
		p.screen.End("")
	default:
		width, _ := p.screen.Size()
		p.screen.End(p.board.final(p.colour, width))
	}
}

// What is told of hosts under way.
const (
	underWay        = ", under way "
	unlessConfirmed = ", not confirmed they revert by "
)

// inFlight names the hosts under way that are to be taken, and tells when the last of
// them reverts. It is called with the lock held.
func (p *Progress) inFlight(intro string, take func(*seat) bool, until string) string {
	hosts := p.board.those(func(s *seat) bool { return s.flying() && take(s) })
	if len(hosts) == 0 {
		return ""
	}
	text := intro + folded(names(hosts))
	if last := lastDeadline(hosts); !last.IsZero() {
		text += until + report.Clock(last)
	}
	return text
}

func lastDeadline(hosts []*seat) time.Time {
	var last time.Time
	for _, s := range hosts {
		if s.deadline.After(last) {
			last = s.deadline
		}
	}
	return last
}

// interrupted says what an interrupt means, the count-th one.
func (p *Progress) interrupted(count int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Interrupted != nil {
		p.Interrupted(count)
	}
	flying := p.inFlight(underWay, (*seat).flying, unlessConfirmed)
	p.board.unwinding = p.board.unwinding || count >= 2
	switch {
	case p.does == Reads && count == 1:
		p.log.Tell("interrupted: hosts that have not answered are left out%s", flying)
	case p.does == Reads:
		p.log.Tell("leaving")
	case count == 1:
		p.log.Tell("interrupted: no new host is started, what is in flight is finished%s; again to take back what is not confirmed", flying)
	case count == 2:
		p.log.Tell("interrupted: no new host is started, what is in flight and not confirmed is taken back%s; again to leave at once", flying)
	default:
		p.log.Tell("leaving%s", p.inFlight(": by themselves revert ", (*seat).undecided, ", the last by "))
	}
}
