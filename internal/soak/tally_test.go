package soak

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// tally counts what was seen of all rounds.
type tally struct {
	mu        sync.Mutex
	injected  map[string]int // by class, those that were seen in force
	missed    int            // drawn, and their moment did not come, or they were not felt
	names     map[string]int
	ctl       map[string]int
	outcomes  map[string]int
	late, sad float64 // worst lateness of a revert, and where timers were hurt
}

func newTally() *tally {
	return &tally{injected: map[string]int{}, names: map[string]int{}, ctl: map[string]int{}, outcomes: map[string]int{}}
}

func (t *tally) add(f *fault, felt bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !felt {
		t.missed++
		return
	}
	t.injected[f.class]++
	t.names[f.class+"/"+f.name]++
}

func (t *tally) controller(kind string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.injected["controller"]++
	t.ctl[kind]++
}

func (t *tally) outcome(word string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.outcomes[word]++
}

func (t *tally) lateness(seconds float64, hurt bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if hurt {
		t.sad = max(t.sad, seconds)
	} else {
		t.late = max(t.late, seconds)
	}
}

func (t *tally) total() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, c := range t.injected {
		n += c
	}
	return n
}

func (t *tally) String() string {
	n := t.total()
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%d faults seen in force: %s; %d drawn did not come to it\n%s\ncontroller: %s\noutcomes: %s\nlatest revert %.1f s past its deadline, %.1f s where timers were hurt",
		n, counts(t.injected), t.missed, counts(t.names), counts(t.ctl), counts(t.outcomes), t.late, t.sad)
}

func counts(m map[string]int) string {
	var words []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		words = append(words, fmt.Sprintf("%s %d", k, m[k]))
	}
	return strings.Join(words, ", ")
}
