package rollout

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/simhost"
	"fwpush/inventory"
	"fwpush/transport"
)

// simulated are n hosts, web01 and so on, and targets that open a port on them.
func simulated(t *testing.T, n int, port uint16) (*simhost.Fleet, []Target) {
	t.Helper()
	f := simhost.New(t, n, simhost.Options{Systemd: true, Name: func(i int) string { return fmt.Sprintf("web%02d", i+1) }})
	return f, targetsOf(t, f, port)
}

func targetsOf(t *testing.T, f *simhost.Fleet, port uint16) []Target {
	t.Helper()
	targets := make([]Target, f.Len())
	for i := range targets {
		targets[i] = simTarget(t, f, i, f.Controller(), port)
	}
	return targets
}

// simTarget is one of them, with management from one address.
func simTarget(t *testing.T, f *simhost.Fleet, i int, from netip.Addr, port uint16) Target {
	t.Helper()
	p := policy(f.Host(i).Name(), from, port)
	p.Management.Ports = []uint16{f.Host(i).Addr().Port()}
	made := target(t, p)
	made.Host.SSH = f.Endpoint(i)
	made.Candidate.Window = 15 * time.Second
	return made
}

// options are those of a run over simulated hosts, with its waves.
func options(t *testing.T, targets []Target, s Strategy) Options {
	t.Helper()
	waves, err := Waves(targets, s)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Dialer: dialer(), Forks: 50, Strategy: s, Waves: waves}
}

// probe is a Probe of one host.
type probe struct {
	name string
	mu   sync.Mutex
	says []error // one for each try; the last one for all that come after
}

func (p *probe) String() string { return p.name }

func (p *probe) Try(context.Context, *transport.Conn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.says[0]
	if len(p.says) > 1 {
		p.says = p.says[1:]
	}
	return err
}

func TestGroupRevertsAsOneForAProbe(t *testing.T) {
	f, targets := simulated(t, 5, 80)
	targets[3].Probes = []Probe{&probe{name: "no tcp 5432", says: []error{nil, errors.New("127.0.0.1:5432 connects")}}}
	results := Apply(t.Context(), targets, options(t, targets, Strategy{}))
	expect(t, results, wholeFleet(5, "reverted", nil))
	for i, r := range results {
		switch text := r.Err.Error(); {
		case i == 3 && (r.Stage != commit.StageProbe || text != "probe no tcp 5432: 127.0.0.1:5432 connects"):
			t.Errorf("%s at %s: %s", r.Name, r.Stage, text)
		case i != 3 && (!errors.Is(r.Err, ErrStopped) || !strings.Contains(text, "stopped by web04 (1 failed, at most 0 allowed): probe no tcp 5432: 127")):
			t.Errorf("%s: %s", r.Name, text)
		}
		if got := f.Host(i).State(); got != "reverted" || f.Host(i).Running() != "" {
			t.Errorf("%s is %s and runs %q", r.Name, got, f.Host(i).Running())
		}
	}
	if got := ExitLine(results); !strings.HasPrefix(got, "exit 6: the rollout was stopped by web04") || !strings.HasSuffix(got, "4 hosts taken back: web[01-03,05]") {
		t.Errorf("last line %q", got)
	}
}

func TestProbeThatFailedBeforeIsToldAndNotCounted(t *testing.T) {
	_, targets := simulated(t, 1, 80)
	bad := errors.New("refused")
	targets[0].Probes = []Probe{&probe{name: "tcp 443", says: []error{bad}}, &probe{name: "tcp 80", says: []error{bad, nil}}}
	var proved []string
	o := options(t, targets, Strategy{})
	o.Event = func(e Event) { proved = append(proved, e.Probes...) }
	results := Apply(t.Context(), targets, o)
	expect(t, results, "web01 confirmed")
	if want := []string{"probe tcp 443 failed before the push too and is not counted: refused"}; !slices.Equal(results[0].Notes, want) {
		t.Errorf("notes %q, want %q", results[0].Notes, want)
	}
	if len(proved) != 0 {
		t.Errorf("evidence of probes %q, and none of them worked before", proved)
	}
}

func TestBudgetOverWaves(t *testing.T) {
	f, targets := simulated(t, 40, 80)
	// Four hosts of 40 may fail; web05, web15, web25, web26 and web35 do.
	for _, i := range []int{4, 14, 24, 25, 34} {
		f.Host(i).SetFaults(simhost.Faults{Fail: "Error: no buffer space"})
	}
	f.Host(6).SetFaults(simhost.Faults{Unreachable: simhost.Refuse})
	o := options(t, targets, Strategy{MaxFailures: inventory.Budget{Percent: 10}, Batch: inventory.Budget{Count: 10}})
	o.Forks = 5
	results := Apply(t.Context(), targets, o)
	outcomes := map[commit.Outcome]int{}
	for i, r := range results {
		outcomes[r.Outcome]++
		// Some of those that the run did not come to have logged in early, and were asked nothing.
		if c := f.Host(i).Counts(); i < 35 && c.Connections == 0 || i >= 35 && c.Execs > 0 {
			t.Errorf("%s: %d connections, %d executions", r.Name, c.Connections, c.Execs)
		}
		if want := 1 + i/10; r.Wave != want {
			t.Errorf("%s is in wave %d, want %d", r.Name, r.Wave, want)
		}
	}
	// The fifth failure comes in the group of web31 to web35: the others of it go back, or
	// do not go on if they hear of it first.
	if outcomes[commit.OutcomeConfirmed] != 25 || outcomes[commit.OutcomeUnreachable] != 1 || outcomes[OutcomeSkipped] < 5 || outcomes[OutcomeSkipped]+outcomes[commit.OutcomeReverted] != 14 {
		t.Errorf("outcomes %v", outcomes)
	}
	for i, r := range results[30:34] {
		if !errors.Is(r.Err, ErrStopped) || f.Host(30+i).Running() != "" {
			t.Errorf("%s is %s: %v", r.Name, r.Outcome, r.Err)
		}
	}
	if got := ExitLine(results); !strings.Contains(got, "stopped by web35 (5 failed, at most 4 allowed)") {
		t.Errorf("last line %q", got)
	}
}

func TestGroupWaitsForASlowHostWithDeadlinesMoved(t *testing.T) {
	f, targets := simulated(t, 3, 80)
	for i := range targets {
		targets[i].Candidate.Window = 3 * time.Second
	}
	targets[2].Candidate.Window = 8 * time.Second
	f.Host(2).SetFaults(simhost.Faults{LockOut: simhost.Hang})
	extended := map[string]int{}
	o := options(t, targets, Strategy{MaxFailures: inventory.Budget{Count: 1}})
	o.Event = func(e Event) {
		if e.Step == StepExtended {
			extended[e.Host]++
		}
	}
	results := Apply(t.Context(), targets, o)
	expect(t, results, "web01 confirmed, web02 confirmed, web03 reverted")
	if extended["web01"] < 2 || extended["web02"] < 2 || extended["web03"] > 0 {
		t.Errorf("deadlines moved %v", extended)
	}
}

func TestSoakProvesOnceMore(t *testing.T) {
	_, targets := simulated(t, 2, 80)
	began := time.Now()
	results := Apply(t.Context(), targets, options(t, targets, Strategy{Soak: 2 * time.Second}))
	expect(t, results, "web01 confirmed, web02 confirmed")
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("confirmed after %s, a soak is 2 s", took)
	}
	for _, r := range results {
		if r.Connections != 3 || r.Execs != 3 {
			t.Errorf("%s: %d connections and %d executions, want 3 of each", r.Name, r.Connections, r.Execs)
		}
	}

	f, targets := simulated(t, 2, 80)
	o := options(t, targets, Strategy{Soak: time.Second})
	o.Event = func(e Event) {
		if e.Step == StepSoaking {
			f.Host(1).SetFaults(simhost.Faults{LockOut: simhost.Refuse})
		}
	}
	results = Apply(t.Context(), targets, o)
	expect(t, results, "web01 reverted, web02 reverted")
	if err := results[1].Err; err == nil || !strings.Contains(err.Error(), "no fresh connection got in") {
		t.Errorf("web02: %v", err)
	}
	if code := ExitCode(results); code != 6 {
		t.Errorf("exit %d, want 6", code)
	}

	f, targets = simulated(t, 1, 80)
	targets[0].Probes = []Probe{&probe{name: "http /", says: []error{nil, nil, errors.New("502")}}}
	results = Apply(t.Context(), targets, options(t, targets, Strategy{Soak: time.Second}))
	expect(t, results, "web01 reverted")
	if f.Host(0).Running() != "" || results[0].Stage != commit.StageProbe {
		t.Errorf("at %s, runs %q", results[0].Stage, f.Host(0).Running())
	}
}

func TestLockOutProofOfALaterGroupStopsTheRun(t *testing.T) {
	f, targets := simulated(t, 3, 80)
	targets[1] = simTarget(t, f, 1, f.Controller().Next(), 80)
	s := Strategy{Batch: inventory.Budget{Count: 1}, MaxFailures: inventory.Budget{Percent: 100}}
	results := Apply(t.Context(), targets, options(t, targets, s))
	expect(t, results, "web01 confirmed, web02 failed, web03 skipped")
	if code := ExitCode(results); code != 6 {
		t.Errorf("exit %d, want 6", code)
	}
	if n := f.Host(2).Counts().Connections; n != 0 {
		t.Errorf("web03 was contacted %d times", n)
	}
	// By the facts of the first group nobody is changed.
	f, targets = simulated(t, 2, 80)
	targets[0] = simTarget(t, f, 0, f.Controller().Next(), 80)
	results = Apply(t.Context(), targets, options(t, targets, Strategy{}))
	expect(t, results, "web01 failed, web02 skipped")
	if got := ExitLine(results); got != "exit 2: 1 host refused by the lock-out proof, no host was changed: web01" {
		t.Errorf("last line %q", got)
	}
}

// recorder is a Journal that looks at the hosts when it is told.
type recorder struct {
	look  func() string
	lines []string
	full  bool
}

func (r *recorder) Applying(wave int, hosts []string) error {
	r.lines = append(r.lines, fmt.Sprintf("applying %d %s: %s", wave, strings.Join(hosts, " "), r.look()))
	if r.full {
		return errors.New("no space left on device")
	}
	return nil
}

func (r *recorder) Decide(d Decision, hosts []Decided) {
	var names []string
	for _, h := range hosts {
		names = append(names, h.Host)
		if len(h.TX) != 32 || len(h.Nonce) != 32 || len(h.Seal) != 32 {
			names = append(names, "without its secrets")
		}
	}
	r.lines = append(r.lines, fmt.Sprintf("%s %s: %s", d, strings.Join(names, " "), r.look()))
}

func TestWhatIsDecidedIsWrittenDownFirst(t *testing.T) {
	f, targets := simulated(t, 3, 80)
	r := &recorder{look: func() string {
		return strings.Join([]string{f.Host(0).State(), f.Host(1).State(), f.Host(2).State()}, " ")
	}}
	o := options(t, targets, Strategy{})
	o.Forks, o.Journal = 2, r
	expect(t, Apply(t.Context(), targets, o), wholeFleet(3, "confirmed", nil))
	want := []string{
		"applying 1 web01 web02: staged staged none",
		"commit web01 web02: applied applied none",
		"applying 1 web03: confirmed confirmed staged",
		"commit web03: confirmed confirmed applied",
	}
	if !slices.Equal(r.lines, want) {
		t.Errorf("journal\n%s\nwant\n%s", strings.Join(r.lines, "\n"), strings.Join(want, "\n"))
	}

	f, targets = simulated(t, 3, 80)
	r.lines, r.full = nil, true
	o = options(t, targets, Strategy{})
	o.Journal = r
	results := Apply(t.Context(), targets, o)
	expect(t, results, wholeFleet(3, "skipped", nil))
	if err := results[0].Err; !strings.Contains(err.Error(), "no space left on device") || ExitCode(results) != 6 {
		t.Errorf("exit %d, %v", ExitCode(results), err)
	}
	for i := range targets {
		if f.Host(i).Running() != "" {
			t.Errorf("%s was changed", f.Host(i).Name())
		}
	}
}

func TestInterruptsOfAGroup(t *testing.T) {
	t.Run("the first lets the group finish and starts nobody", func(t *testing.T) {
		f, targets := simulated(t, 6, 80)
		ctx, interrupt := context.WithCancel(t.Context())
		o := options(t, targets, Strategy{Soak: time.Second})
		o.Forks = 4
		o.Event = func(e Event) {
			if e.Step == StepSoaking {
				interrupt()
			}
		}
		results := Apply(ctx, targets, o)
		expect(t, results, wholeFleet(6, "confirmed", map[string]string{"web05": "skipped", "web06": "skipped"}))
		if code := ExitCode(results); code != 130 || f.Host(5).Counts().Connections != 0 {
			t.Errorf("exit %d, %d connections to web06", code, f.Host(5).Counts().Connections)
		}
	})
	t.Run("the second takes the group back at once", func(t *testing.T) {
		_, targets := simulated(t, 4, 80)
		unwind := make(chan struct{})
		o := options(t, targets, Strategy{Soak: time.Minute})
		o.Unwind = unwind
		began := time.Now()
		o.Event = func(e Event) {
			if e.Step == StepSoaking {
				began = time.Now()
				close(unwind)
			}
		}
		results := Apply(t.Context(), targets, o)
		expect(t, results, wholeFleet(4, "reverted", nil))
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
		if got := ExitLine(results); got != "exit 130: 4 hosts reverted by the interrupt: web[01-04]" {
			t.Errorf("last line %q", got)
		}
	})
}

func TestManualLeavesTheGroupPending(t *testing.T) {
	f, targets := simulated(t, 2, 80)
	run := targets[0].Candidate.Stamp.Run
	results := Apply(t.Context(), targets, options(t, targets, Strategy{Manual: true}))
	expect(t, results, "web01 pending, web02 pending")
	if code := ExitCode(results); code != 0 || results[0].Deadline.Before(time.Now()) {
		t.Errorf("exit %d, deadline %s", code, results[0].Deadline)
	}
	if f.Host(0).State() != "applied" {
		t.Errorf("web01 is %s", f.Host(0).State())
	}
	expect(t, ConfirmRun(t.Context(), targets, run, Options{Dialer: dialer(), Forks: 2}), "web01 confirmed, web02 confirmed")
}

func TestConfirmOfARunTriesTheProbesUnlessItWasDecided(t *testing.T) {
	f, targets := simulated(t, 1, 80)
	run := targets[0].Candidate.Stamp.Run
	bad := []Probe{&probe{name: "http /", says: []error{errors.New("503")}}}
	begin(t, targets[0])
	targets[0].Probes = bad
	results := ConfirmRun(t.Context(), targets, run, Options{Dialer: dialer(), Forks: 1})
	expect(t, results, "web01 reverted")
	if results[0].Stage != commit.StageProbe || f.Host(0).Running() != "" {
		t.Errorf("at %s, runs %q", results[0].Stage, f.Host(0).Running())
	}

	targets[0].Probes = nil
	expect(t, Apply(t.Context(), targets, options(t, targets, Strategy{Manual: true})), "web01 pending")
	conn, err := dialer().Dial(t.Context(), targets[0].Host.SSH)
	if err != nil {
		t.Fatal(err)
	}
	facts, _ := commit.Inspect(t.Context(), conn, "", commit.ModeCoexist, "")
	pending, _ := commit.Resume(t.Context(), conn, facts)
	conn.Close()
	targets[0].Probes = bad
	decided := map[string]commit.Secrets{"web01": pending.Secrets()}
	results = ConfirmRun(t.Context(), targets, run, Options{Dialer: dialer(), Forks: 1, Decided: decided})
	expect(t, results, "web01 confirmed")
	if r := results[0]; r.Connections != 2 || r.Execs != 2 {
		t.Errorf("%d connections and %d executions, want 2 of each", r.Connections, r.Execs)
	}
}

// A panic in a probe takes nobody else's transaction along, and is no success.
func TestPanicInAProbe(t *testing.T) {
	f, targets := simulated(t, 2, 80)
	targets[0].Probes = []Probe{panicking{}}
	s := Strategy{MaxFailures: inventory.Budget{Count: 1}}
	results := Apply(t.Context(), targets, options(t, targets, s))
	expect(t, results, "web01 failed, web02 confirmed")
	if f.Host(0).Running() != "" || !strings.Contains(results[0].Err.Error(), "bug in fwpush") {
		t.Errorf("%v", results[0].Err)
	}
}

type panicking struct{}

func (panicking) String() string                             { return "run something" }
func (panicking) Try(context.Context, *transport.Conn) error { panic("no probe") }

// In a fleet in which few hosts change, the canary is found among those, and no host
// more than were asked for is changed with it.
func TestCanaryAmongHostsThatNeedNoChange(t *testing.T) {
	f, targets := simulated(t, 40, 80)
	o := options(t, targets, Strategy{})
	expect(t, Apply(t.Context(), targets, o), wholeFleet(40, "confirmed", nil))
	for i := 30; i < 40; i++ {
		targets[i] = simTarget(t, f, i, f.Controller(), 443)
	}
	before := f.Connections()
	applying := map[int][]string{}
	o = options(t, targets, Strategy{Canary: Canary{Share: inventory.Budget{Count: 2}}})
	o.Event = func(e Event) {
		if e.Step == StepApplied {
			applying[e.Wave] = append(applying[e.Wave], e.Host)
		}
	}
	results := Apply(t.Context(), targets, o)
	except := map[string]string{}
	for i := 31; i <= 40; i++ {
		except[fmt.Sprintf("web%02d", i)] = "confirmed"
	}
	expect(t, results, wholeFleet(40, "unchanged", except))
	slices.Sort(applying[1])
	if len(applying[1]) != 2 || len(applying[2]) != 8 {
		t.Errorf("canaries %v, rest %v", applying[1], applying[2])
	}
	for i, r := range results {
		if want := 1; i < 30 && (r.Connections != want || r.Execs != want) {
			t.Errorf("%s: %d connections for no change", r.Name, r.Connections)
		}
	}
	total := 0
	for _, r := range results {
		total += r.Connections
	}
	if got := f.Connections() - before; got != total {
		t.Errorf("%d connections are told, and there were %d", total, got)
	}
}
