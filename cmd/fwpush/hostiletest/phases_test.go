package hostiletest

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fwpush/internal/simhost"
)

// The points at which a host may go astray, by program.
var (
	inspecting = points(simhost.Inspect, "proto", "running", "chains", "ask")
	examining  = points(simhost.Doctor, "proto", "ask", "home", "candidate", "timerat", "listen", "sshd", "lib")
	beginning  = points(simhost.Begin, "proto", "running", "ask", "checked", "armed", "applying", "applied")
	confirming = points(simhost.Confirm, "ask", "fresh", "over")
	recalling  = points(simhost.Past, "proto", "kept", "generation", "rules", "ask")
)

func points(p simhost.Program, words ...string) []point {
	var list []point
	for _, w := range words {
		list = append(list, point{p, w})
	}
	return list
}

// deed is a behaviour at a point.
type deed struct {
	behaviour
	at    point
	times int
	fired atomic.Int64
}

func (d *deed) String() string { return d.at.String() + " " + d.name }

// deeds are all behaviours at all points, each so many times.
func deeds(times int, does []behaviour, at ...[]point) []*deed {
	var list []*deed
	for _, points := range at {
		for _, p := range points {
			for _, b := range does {
				list = append(list, &deed{behaviour: b, at: p, times: times})
			}
		}
	}
	return list
}

// scale is how much of a table is tried: some of it in each run of the tests, all of it by
// TestChaosHostile.
type scale bool

const (
	some scale = false
	all  scale = true
)

// of is the deeds to try: every ninth, each point and each behaviour among them, or all.
func (s scale) of(list []*deed) []*deed {
	var few []*deed
	for i, d := range list {
		if n := i/len(behaviours) + i%len(behaviours); s == all || n%9 == 0 && !d.waits() {
			few = append(few, d)
		}
	}
	return few
}

// waits says whether it takes what is waited for away and leaves the rest.
func (d *deed) waits() bool {
	return d.at.word == "ask" && contains([]string{"a word nobody knows", "dropped with escapes"}, d.name) && d.at.program != simhost.Confirm
}

// party is a fleet of which the first hosts are honest and each other one does a deed.
type party struct {
	*fleet
	honest int
	deeds  map[string]*deed
}

func newParty(t testing.TB, honest int, o simhost.Options, list []*deed) *party {
	t.Helper()
	p := &party{newFleet(t, honest+len(list), o), honest, map[string]*deed{}}
	for i, d := range list {
		p.deeds[p.names[honest+i]] = d
	}
	return p
}

// incite has the hostile hosts be so from now on.
func (p *party) incite() {
	for i, name := range p.names {
		if d := p.deeds[name]; d != nil {
			p.sim.Host(i).SetFaults(d.fault(d.at, d.times, &d.fired))
		}
	}
}

// came reports deeds that nobody came to do.
func (p *party) came() {
	p.t.Helper()
	for name, d := range p.deeds {
		if d.fired.Load() == 0 {
			p.t.Errorf("%s never came to do it: %s", name, d)
		}
	}
}

// TestHostileReaders: status, diff and doctor of hosts that go astray at every step of what they
// tell. Honest hosts beside them are told of as always.
func TestHostileReaders(t *testing.T) { readers(t, some, time.Minute) }

func readers(t *testing.T, s scale, limit time.Duration) {
	for _, tt := range []struct {
		verb   string
		honest string
		at     []point
	}{
		{"status", "ok", inspecting}, {"diff", "unchanged", inspecting}, {"doctor", "", examining},
	} {
		t.Run(tt.verb, func(t *testing.T) {
			p := newParty(t, 2, simhost.Options{Systemd: true}, s.of(deeds(1_000_000, behaviours, tt.at)))
			p.push()
			p.incite()
			before := p.sim.Writes()
			hosts, e := p.json(limit, tt.verb)
			if s == all || tt.verb == "status" {
				p.run(limit, tt.verb, "-v")
			}
			t.Logf("%d hosts: %s, %d MiB", len(p.names), e.took, e.rss>>20)
			p.came()
			for i, name := range p.names {
				if h := hosts[name]; i < p.honest && tt.honest != "" && h.Outcome != tt.honest {
					t.Errorf("%s is %s: %s", name, h.Outcome, h.Error)
				}
			}
			if p.sim.Writes() != before {
				t.Error("something was written on a host")
			}
		})
	}
}

// TestHostileApply: an apply among hosts that go astray once, at every step. A host is confirmed
// only if it is, and each is whole at the end: it runs what it has confirmed.
func TestHostileApply(t *testing.T) { changers(t, some, time.Minute) }

func changers(t *testing.T, s scale, limit time.Duration) {
	p := newParty(t, 3, simhost.Options{}, s.of(deeds(1, behaviours, beginning, confirming)))
	p.window = 10 * time.Second
	p.serve(80)
	p.push()
	p.serve(443)
	p.incite()
	hosts, e := p.json(limit, "apply", "-y", "--forks", "300", "--max-fail", "100%", "--max-unreachable", "100%", "-v", "--events", filepath.Join(p.state, "events"))
	t.Logf("%d hosts in %s, %d MiB", len(p.names), e.took, e.rss>>20)
	p.came()
	p.whole(443, hosts)
	for _, name := range p.names[:p.honest] {
		if h := hosts[name]; h.Outcome != "confirmed" || h.Execs != 2 {
			t.Errorf("%s is honest: %+v", name, h)
		}
	}
	for _, args := range [][]string{{"history", "-o", "json"}, {"history", "show", runOf(e)}, {"status"}} {
		p.run(limit, args...)
	}
	if s == all { // back again, by what they keep
		q := newParty(t, 3, simhost.Options{}, s.of(deeds(1_000_000, behaviours, recalling)))
		q.window = 10 * time.Second
		q.serve(80)
		q.push()
		q.serve(443)
		q.push()
		q.incite()
		hosts, _ := q.json(limit, "rollback", "-y", "--forks", "300", "--max-fail", "100%", "--max-unreachable", "100%")
		for _, name := range q.names[:q.honest] {
			if h := hosts[name]; h.Outcome != "confirmed" {
				t.Errorf("%s is honest: %+v", name, h)
			}
		}
		q.whole(80, hosts)
	}
}

// runOf is the run that -o json tells.
func runOf(e ended) string {
	_, rest, _ := strings.Cut(e.out, `"run":"`)
	run, _, _ := strings.Cut(rest, `"`)
	return run
}

// whole: what a run that opens a port said of each host is so, and none is left half-way.
func (f *fleet) whole(port int, hosts map[string]outcome) {
	f.t.Helper()
	rule := regexp.MustCompile(fmt.Sprintf(`dport %d\b`, port)) // sshd listens on any port: 44301, too
	for i, name := range f.names {
		h, host := hosts[name], f.sim.Host(i)
		await(f.t, host)
		text, _ := host.Confirmed()
		confirmed := rule.MatchString(text)
		if (h.Outcome == "confirmed") != confirmed && h.Outcome != "unknown" {
			f.t.Errorf("%s is told to be %s (%s), and its newest rules are confirmed: %t", name, h.Outcome, h.Error, confirmed)
		}
		if runs := rule.MatchString(host.Running()); runs != confirmed {
			f.t.Errorf("%s runs the new rules: %t, has confirmed them: %t", name, runs, confirmed)
		}
	}
}

// await waits until nothing is pending on a host.
func await(t testing.TB, h *simhost.Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := h.Await(ctx, "none", "confirmed", "reverted"); err != nil {
		t.Error(err)
	}
}
