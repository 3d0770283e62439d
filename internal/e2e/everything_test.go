package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// everyKind is a fleet with a host of each kind that fwpush is for, and what a run of each
// verb made of it.
type everyKind struct {
	*controller
	kinds   []kind
	hosts   []*host
	fleet   fleet
	foreign []string // of each host, before the first push
	table   outcomeTable
}

// TestOneFleetHoldingAllOfIt pushes to hosts of all kinds at once, as one does who has them
// in one file: first push, lock-out, change, rollback. What others have on the hosts is the
// same to the byte after each step.
func TestOneFleetHoldingAllOfIt(t *testing.T) {
	e := newEveryKind(t)
	first := []string{}
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"doctor", e.doctor},
		{"diff", func(t *testing.T) { e.push(t, 1, "diff", "changed") }},
		{"apply", func(t *testing.T) { e.push(t, 0, "apply", "confirmed", "-y"); e.timersAsDeclared(t) }},
		{"apply again", func(t *testing.T) { e.push(t, 0, "apply again", "unchanged", "-y"); first = e.enforced(t) }},
		{"ways in", e.waysIn},
		{"locked out", e.lockedOut},
		{"change", func(t *testing.T) { e.change(t, first) }},
		{"rollback", func(t *testing.T) { e.rollBack(t, first) }},
		{"drill", e.drill},
		{"status", e.status},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t); e.othersUntouched(t) }) {
			break // what follows builds on it
		}
	}
	t.Logf("seconds are those of a host, all of them being worked at together\n%s", e.table.String())
}

// args are those of a verb, with what the ways to these hosts need.
func (e *everyKind) args(verb string, more ...string) []string {
	return append([]string{strings.Fields(verb)[0], "--ssh-config", "ssh_config", "--become-pass-command", "cat password"}, more...)
}

// push runs a verb that must end the same way on every host.
func (e *everyKind) push(t *testing.T, exit int, verb, outcome string, more ...string) report {
	t.Helper()
	r := e.runJSON(t, exit, e.args(verb, more...)...)
	r.expect(t, all(e.hosts, outcome))
	for _, h := range r.Hosts {
		e.table.set(h.Name, verb, fmt.Sprintf("%s %.1f s", h.Outcome, h.Seconds))
		if len(h.Timers) > 0 {
			e.table.set(h.Name, "timers", strings.Join(h.Timers, " "))
		}
	}
	return r
}

// doctor is asked before the first push: every host is healthy, and what is worth a
// warning is said of the hosts that deserve it, and of no other.
func (e *everyKind) doctor(t *testing.T) {
	var said struct {
		Exit  int
		Hosts []struct {
			Name    string
			Healthy bool
			Checks  []struct{ ID, State, Text, Remedy, Detail string }
		}
	}
	ended := e.run(t, 0, e.args("doctor", "-o", "json")...)
	if err := json.Unmarshal([]byte(ended.stdout), &said); err != nil || len(said.Hosts) != len(e.hosts) {
		t.Fatalf("%v: %d hosts of %d\n%s", err, len(said.Hosts), len(e.hosts), ended)
	}
	for _, h := range said.Hosts {
		var findings, ids []string
		for _, c := range h.Checks {
			if c.State != "ok" {
				findings = append(findings, fmt.Sprintf("%s %s: %s; %s (%s)", c.State, c.ID, c.Text, c.Remedy, c.Detail))
				ids = append(ids, c.ID)
			}
		}
		want := e.kind(h.Name).warnings
		same := h.Healthy && len(findings) == len(want)
		for i := 0; same && i < len(want); i++ {
			same = strings.HasPrefix(findings[i], want[i])
		}
		if !same {
			t.Errorf("%s: healthy %v\n%s\nwant\n%s", h.Name, h.Healthy, strings.Join(findings, "\n"), strings.Join(want, "\n"))
		}
		e.table.set(h.Name, "doctor", strings.Join(append([]string{"healthy"}, ids...), ", "))
	}
}

// timersAsDeclared compares the timers that were proved with those of the kind, and has
// nothing of them left.
func (e *everyKind) timersAsDeclared(t *testing.T) {
	t.Helper()
	for i, h := range e.hosts {
		if got, want := e.table.get(h.Name(), "timers"), e.kinds[i].timers; got != want {
			t.Errorf("%s was changed on timers %s, want %s", h.Name(), got, want)
		}
		h.tidy(t)
	}
}

// waysIn reads at hosts with a way in of their own how they were reached: through their
// jumps alone, and as the user who needs a password.
func (e *everyKind) waysIn(t *testing.T) {
	for i, h := range e.hosts {
		k := e.kinds[i]
		if k.through == "" && len(k.options.Users) == 0 {
			continue
		}
		way := " for root from "
		if len(k.options.Users) > 0 {
			way = " for " + k.options.Users[0].Name + " from "
		}
		if k.through != "" {
			way += e.host(k.through).Addr4().String() + " "
		} else {
			way += world.Addr4().String() + " "
		}
		log := h.console(t)
		// Of apply, two; of doctor, diff and the second apply, one each.
		if all, so := strings.Count(log, "Accepted publickey"), strings.Count(log, "Accepted publickey"+way); so < 5 || all != so {
			t.Errorf("%s: %d logins, %d of them%s", h.Name(), all, so, way)
		}
	}
}

// lockedOut pushes rules that admit strangers only, to all hosts, their jumps included.
func (e *everyKind) lockedOut(t *testing.T) {
	const window = 12 * time.Second // through two jumps a connection may take 9
	before := e.enforced(t)
	e.write(t, "lockout.toml", e.fleet.lockOut(window.String()).String())
	r := e.push(t, 3, "apply locked out", "reverted", "-i", "lockout.toml", "-y", "--accept-risk", "lose-ssh", "--max-fail", "100%")
	for _, h := range r.Hosts {
		if h.Stage != "confirm" {
			t.Errorf("%s ended at %s: %s", h.Name, h.Stage, h.Error)
		}
	}
	e.sameAs(t, before)
	everyone(t, e.hosts, func(t *testing.T, h *host) { h.tidy(t) })
}

// change is a good one.
func (e *everyKind) change(t *testing.T, first []string) {
	e.fleet.parts = []string{onePortMore}
	e.write(t, "fleet.toml", e.fleet.String())
	e.push(t, 0, "apply a change", "confirmed", "-y")
	for i, text := range e.enforced(t) {
		if text == first[i] || !strings.Contains(text, "8443") {
			t.Errorf("%s does not enforce the change:\n%s", e.hosts[i].Name(), text)
		}
	}
}

// rollBack goes back to what the hosts confirmed first.
func (e *everyKind) rollBack(t *testing.T, first []string) {
	e.push(t, 0, "rollback", "confirmed", "-y")
	for i, now := range e.enforced(t) {
		if now, want := markLast(now), markLast(first[i]); now != want {
			t.Errorf("%s does not enforce what it confirmed first:\n%s\nbut\n%s", e.hosts[i].Name(), want, now)
		}
	}
	everyone(t, e.hosts, func(t *testing.T, h *host) { h.tidy(t) })
}

// drill has every host take back by itself, and finds it as it was.
func (e *everyKind) drill(t *testing.T) {
	before := e.enforced(t)
	e.push(t, 0, "drill", "reverted", "-y")
	e.sameAs(t, before)
	everyone(t, e.hosts, func(t *testing.T, h *host) { h.tidy(t) })
}

// status tells of each host what loads its rules, and whether a boot will.
func (e *everyKind) status(t *testing.T) {
	var said struct {
		Hosts []struct{ Name, Outcome, Boot, Backend, Error string }
	}
	ended := e.run(t, 0, e.args("status", "--exit-code", "-o", "json")...)
	if err := json.Unmarshal([]byte(ended.stdout), &said); err != nil || len(said.Hosts) != len(e.hosts) {
		t.Fatalf("%v\n%s", err, ended)
	}
	for _, h := range said.Hosts {
		k := e.kind(h.Name)
		backend, _, _ := strings.Cut(h.Backend, " ") // its version follows
		got := fmt.Sprintf("%s, %s, boot %s", h.Outcome, backend, h.Boot)
		if want := fmt.Sprintf("ok, %s, boot %s", k.backend, k.boot); got != want {
			t.Errorf("%s is %s, want %s: %s", h.Name, got, want, h.Error)
		}
		e.table.set(h.Name, "status", h.Outcome)
		e.table.set(h.Name, "backend", h.Backend)
		e.table.set(h.Name, "boot", h.Boot)
	}
}

// enforced is all that each host enforces, counters aside.
func (e *everyKind) enforced(t *testing.T) []string {
	t.Helper()
	texts := make([]string, len(e.hosts))
	for i, h := range e.hosts {
		texts[i] = h.enforced(t)
	}
	return texts
}

func (e *everyKind) sameAs(t *testing.T, before []string) {
	t.Helper()
	for i, now := range e.enforced(t) {
		if now != before[i] {
			t.Errorf("%s enforces other rules than before:\n%s", e.hosts[i].Name(), difference(before[i], now))
		}
	}
}

// othersUntouched compares what is not ours with what it was.
func (e *everyKind) othersUntouched(t *testing.T) {
	t.Helper()
	for i, h := range e.hosts {
		if now := notOurs(h.enforced(t)); now != e.foreign[i] {
			t.Errorf("%s: the rules of others are not as before:\n%s", h.Name(), difference(e.foreign[i], now))
		}
	}
}

func (e *everyKind) kind(name string) kind {
	return e.kinds[slices.IndexFunc(e.kinds, func(k kind) bool { return k.options.Name == name })]
}

func (e *everyKind) host(name string) *host {
	return e.hosts[slices.IndexFunc(e.hosts, func(h *host) bool { return h.Name() == name })]
}
