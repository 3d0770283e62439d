package soak

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// state is what the name of a host's state file says.
type state struct {
	tx, word string
	deadline float64 // of /proc/uptime
	owner    int     // process
}

func (s state) over() bool { return s.word == "" || s.word == "confirmed" || s.word == "reverted" }

// rests says whether nothing is to be decided on the host. What a dead owner had prepared changes
// nothing, and the next push clears it away.
func (s *subject) rests() bool {
	st := s.state()
	switch st.word {
	case "staged", "armed", "dropping":
		p, there := s.process(st.owner)
		return !there || p.state == 'Z'
	}
	return st.over()
}

func (s *subject) state() state {
	for range 20 { // renamed between two looks
		dir, err := os.Open(s.path("/run/fwpush"))
		if err != nil {
			return state{}
		}
		names, _ := dir.Readdirnames(-1)
		dir.Close()
		for _, n := range names {
			if w := strings.Split(n, "."); len(w) == 6 && w[0] == "S" {
				deadline, _ := strconv.ParseFloat(w[3], 64)
				owner, _ := strconv.Atoi(w[4])
				return state{tx: w[1], word: w[2], deadline: deadline, owner: owner}
			}
		}
	}
	return state{}
}

// uptime is the clock of deadlines, which the kernel shares with all hosts.
func uptime() float64 {
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	u, _ := strconv.ParseFloat(first, 64)
	return u
}

// look is how often the state of a host is read while something may happen there.
const look = 3 * time.Millisecond

// diary is what was seen of one host in a round.
type diary struct {
	mu    sync.Mutex
	began time.Time
	lines []string
	last  state
	seen  map[string]chan struct{} // closed when that state of a transaction of the round is seen
	late  float64                  // longest that rules were unconfirmed past their deadline
	odd   []string                 // violations seen on the way
}

func newDiary(first state) *diary {
	d := &diary{began: time.Now(), last: first, seen: map[string]chan struct{}{}}
	for _, word := range moments() {
		d.seen[word] = make(chan struct{})
	}
	return d
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.say(format, args...)
}

func (d *diary) say(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf("%7.3f ", time.Since(d.began).Seconds())+fmt.Sprintf(format, args...))
}

func (d *diary) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines, "\n")
}

// follow writes down each step of a host until ctx ends.
func (d *diary) follow(ctx context.Context, s *subject, one bool) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.step(s, s.state(), one)
		}
	}
}

func (d *diary) step(s *subject, now state, one bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.word == "applied" {
		d.late = max(d.late, uptime()-now.deadline)
	}
	if now == d.last {
		return
	}
	before := d.last
	d.last = now
	d.say("%.6s %s by %d, deadline in %.0f s", now.tx, now.word, now.owner, now.deadline-uptime())
	if c, ok := d.seen[now.word]; ok {
		select {
		case <-c:
		default:
			close(c)
		}
	}
	if now.word == "applied" && before.word == "armed" && before.tx == now.tx {
		need := 2
		if one {
			need = 1
		}
		// I2, by what stands on the host: jobs, units and processes that proved themselves.
		if timers := strings.Count(s.read("/run/fwpush/tx/"+now.tx+"/timers"), "\n"); timers < need && s.state() == now {
			d.odd = append(d.odd, fmt.Sprintf("I2: %d timers of %d before the load", timers, need))
		}
	}
	if before.tx == now.tx && (before.word == "confirmed" && now.word != "confirmed" || before.word == "reverted" && now.word != "reverted") {
		d.odd = append(d.odd, fmt.Sprintf("I1: %s after %s", now.word, before.word))
	}
}

// pause waits for a moment that was drawn.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// until looks in small steps for something to be so.
func until(limit time.Duration, so func() bool) bool {
	tick := time.NewTicker(min(100*time.Millisecond, limit/20))
	defer tick.Stop()
	for end := time.Now().Add(limit); !so(); <-tick.C {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
