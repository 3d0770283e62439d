package rollout

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fwpush/internal/simhost"
)

// finishing keeps the answer to commit back on a host until it is let go, and tells when there is one.
func finishing(f *simhost.Fleet, i int) (asked, let chan struct{}) {
	asked, let = make(chan struct{}), make(chan struct{})
	f.Host(i).SetFaults(simhost.Faults{Lie: func(line string) string {
		if strings.HasPrefix(line, "over confirmed") {
			close(asked)
			<-let
		}
		return line
	}})
	return asked, let
}

// TestNextGroupIsFilledWhileOneEnds: a host takes the place of one that is through, and waits with
// nothing applied until the last host of the group before has ended.
func TestNextGroupIsFilledWhileOneEnds(t *testing.T) {
	f, targets := simulated(t, 4, 80)
	asked, let := finishing(f, 1)
	o := options(t, targets, Strategy{})
	o.Forks = 2
	var order []string
	ready := make(chan struct{})
	o.Event = func(e Event) {
		switch e.Step {
		case StepReady, StepApplied, StepEnded:
			order = append(order, e.Host+" "+string(e.Step))
			if e.Host == "web03" && e.Step == StepReady {
				close(ready)
			}
		}
	}
	go func() {
		<-asked
		<-ready
		time.AfterFunc(200*time.Millisecond, func() { close(let) }) // for whatever would go on too early
	}()
	expect(t, Apply(t.Context(), targets, o), wholeFleet(4, "confirmed", nil))
	at := func(what string) int { return slices.Index(order, what) }
	ended := at("web02 " + string(StepEnded))
	if at("web03 "+string(StepReady)) > ended || at("web03 "+string(StepApplied)) < ended || at("web04 "+string(StepReady)) < ended {
		t.Errorf("with two at a time, and web02 slow to end: %q", order)
	}
}

// TestGroupThatEndsBadlyStopsTheNext: what waits at the gate meanwhile is left as it was.
func TestGroupThatEndsBadlyStopsTheNext(t *testing.T) {
	f, targets := simulated(t, 3, 80)
	var once sync.Once
	f.Host(0).SetFaults(simhost.Faults{Lie: func(line string) string {
		if strings.HasPrefix(line, "over confirmed") {
			once.Do(func() { line = "refused persist the boot file does not read back" })
		}
		return line
	}})
	o := options(t, targets, Strategy{})
	o.Forks = 1
	results := Apply(t.Context(), targets, o)
	expect(t, results, "web01 unknown, web02 skipped, web03 skipped")
	for i := 1; i < 3; i++ {
		if h := f.Host(i); h.Running() != "" || h.State() == "applied" {
			t.Errorf("%s is %s and runs %q", h.Name(), h.State(), h.Running())
		}
	}
}
