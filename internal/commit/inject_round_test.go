package commit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fwpush/internal/lab"
	"fwpush/render"
	"testing"
)

// scene is a part of a transaction in which one call after the other fails.
type scene struct {
	name string
	// play goes there, calls load when the part begins, and says how the controller saw it end.
	play func(h *playing, load func()) Result
	// normal is the outcome without a fault; the enumeration is over when nothing was hit and
	// this came out.
	normal Outcome
	first  bool // nothing is confirmed before
}

// backend is what the rules of a scene are for, and what of others is there beside them.
type backend struct {
	name        string
	base, next  render.Ruleset
	long, short time.Duration // windows: to be confirmed in, and to be waited for
	prepare     func(*host)
}

func backends() []backend {
	xt := func(variant string) func(*host) {
		return func(h *host) {
			h.variant(variant)
			h.sh(foreignRules)
		}
	}
	const long, short, slower = 6 * time.Second, 2 * time.Second, 4 * time.Second
	return []backend{
		{"nft", rules(false, 80), rules(false, 443), long, short, func(*host) {}},
		{"iptables-nft", xtRules(false, "ops", 80), xtRules(false, "web", 443), 2 * long, slower, xt("nft")},
		{"iptables-legacy", xtRules(false, "ops", 80), xtRules(false, "web", 443), 2 * long, slower, xt("legacy")},
		{"to-iptables", rules(false, 80), xtRules(false, "web", 443), 2 * long, slower, xt("nft")},
		{"to-nft", xtRules(false, "ops", 80), rules(false, 443), 2 * long, slower, xt("legacy")},
	}
}

// playing is a host in the rounds of one scene.
type playing struct {
	*injected
	base, next render.Ruleset
	// What these are on the host: what runs, and what would boot.
	old, new, oldBoot, newBoot string
	runs                       func() string
	nobody                     string        // what runs without any of ours
	long, short                time.Duration // windows: to be confirmed in, and to be waited for
}

// patience is a controller's that looks some seconds past the deadline and not for 150 s: what the
// host does after that is for the oracles.
func (h *playing) patience() context.Context {
	ctx, cancel := context.WithTimeout(h.t.Context(), h.long+8*time.Second)
	h.t.Cleanup(cancel)
	return ctx
}

func (h *playing) begin(rs render.Ruleset, window time.Duration) (*Pending, Result) {
	ctx := h.patience()
	conn, err := h.dialer.Dial(ctx, h.endpoint())
	if err != nil {
		return nil, Result{Outcome: OutcomeUnreachable, Stage: StageConnect, Err: err}
	}
	c := h.candidate(rs, window)
	c.Judge = func(Facts) Verdict { return Verdict{Act: Go} }
	if rs.Text == "" {
		c.Remove = true
	}
	p, r := Begin(ctx, conn, c)
	if p == nil {
		conn.Close()
	}
	return p, r
}

func (h *playing) push(rs render.Ruleset, window time.Duration) Result {
	p, r := h.begin(rs, window)
	if p == nil {
		return r
	}
	return p.Confirm(h.patience(), h.dialer)
}

// pending is a transaction that waits for its decision. On a machine that has other things to do, a
// short window may be over before the rules are loaded: then it gets a longer one.
func (h *playing) pending(window time.Duration) *Pending {
	h.t.Helper()
	for end := 8 * window; ; window *= 2 {
		p, r := h.begin(h.next, window)
		if p != nil {
			return p
		}
		if window >= end || r.Stage != StageArm {
			h.t.Fatalf("without a fault: %s at %s: %v", r.Outcome, r.Stage, r.Err)
		}
	}
}

// leaveStaged leaves a transaction whose owner has died before it was applied.
func (h *playing) leaveStaged(state string) {
	h.t.Helper()
	conn := h.dial()
	c := h.candidate(h.next, h.long)
	c.Judge = func(Facts) Verdict { return Verdict{Act: Go} }
	c.Gate = func(context.Context) error {
		h.sh("kill -9 $(ls /run/fwpush/S.* | cut -d . -f 5)")
		return errors.New("the owner is dead")
	}
	if p, r := Begin(h.t.Context(), conn, c); p != nil {
		h.t.Fatalf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	conn.Close()
	h.sh(`cd /run/fwpush; IFS=.; set -- S.*; f=$1; set -- $f; unset IFS; mv "$f" "S.$2.` + state + `.0.999999.1"`)
}

func scenes() []scene {
	begin := func(h *playing, load func()) Result {
		load()
		p, r := h.begin(h.next, h.long)
		h.gun.unload(false)
		if p == nil {
			return r
		}
		return p.Confirm(h.patience(), h.dialer)
	}
	// over takes over what a dead controller has left in that state.
	over := func(state string) func(*playing, func()) Result {
		return func(h *playing, load func()) Result {
			switch state {
			case "staged", "dropping":
				h.leaveStaged(state)
			default:
				h.abandon(h.pending(h.short), state)
			}
			if state == "applied" {
				for deadline := h.step().deadline; uptime() <= deadline; time.Sleep(50 * time.Millisecond) {
				}
			}
			load()
			ctx := h.patience()
			conn, err := h.dialer.Dial(ctx, h.endpoint())
			if err != nil {
				return Result{Outcome: OutcomeUnreachable, Stage: StageConnect, Err: err}
			}
			defer conn.Close()
			c := h.candidate(h.base, h.long)
			c.Judge = func(Facts) Verdict { return Verdict{Act: Unchanged} }
			_, r := Begin(ctx, conn, c)
			r.Outcome = map[Outcome]Outcome{OutcomeUnchanged: OutcomePending}[r.Outcome]
			return r
		}
	}
	return []scene{
		{name: "first push", play: begin, normal: OutcomeConfirmed, first: true},
		{name: "begin", play: begin, normal: OutcomeConfirmed},
		{name: "confirm", normal: OutcomeConfirmed, play: func(h *playing, load func()) Result {
			p := h.pending(h.long)
			load()
			return p.Confirm(h.patience(), h.dialer)
		}},
		{name: "first confirm", normal: OutcomeConfirmed, first: true, play: func(h *playing, load func()) Result {
			p := h.pending(h.long)
			load()
			return p.Confirm(h.patience(), h.dialer)
		}},
		{name: "timer", normal: OutcomePending, play: func(h *playing, load func()) Result {
			p := h.pending(h.short)
			p.hangUp()
			load()
			return p.result
		}},
		{name: "take back", normal: OutcomeReverted, play: func(h *playing, load func()) Result {
			p := h.pending(h.long)
			load()
			return p.TakeBack(h.patience(), h.dialer, StageProbe, ErrUntried)
		}},
		{name: "extend", normal: OutcomeUnchanged, play: func(h *playing, load func()) Result {
			ctx := h.patience()
			p := h.pending(2 * h.short)
			proof, r := p.Prove(ctx, h.dialer)
			if proof == nil {
				return r
			}
			load()
			err := proof.Extend(ctx, 3*h.short)
			h.gun.unload(false)
			proof.Close()
			p.hangUp()
			if err != nil {
				return p.result
			}
			// It may be told earlier than it is, by less than a second each time.
			for told := p.Deadline(); time.Until(told) > 1500*time.Millisecond; time.Sleep(100 * time.Millisecond) {
				if s := h.step(); s.state != "applied" {
					return Result{Outcome: OutcomeConfirmed, Err: fmt.Errorf("extended, and %s %s before the deadline it told", s.state, time.Until(told))}
				}
			}
			return Result{Outcome: OutcomeUnchanged} // as it was, with more time
		}},
		{name: "over applied", normal: OutcomePending, play: over("applied")},
		{name: "over confirming", normal: OutcomePending, play: over("confirming")},
		{name: "over reverting", normal: OutcomePending, play: over("reverting")},
		{name: "over staged", normal: OutcomePending, play: over("staged")},
		{name: "over dropping", normal: OutcomePending, play: over("dropping")},
		{name: "removal", normal: OutcomeConfirmed, play: func(h *playing, load func()) Result {
			p := h.pending(h.long)
			load()
			return p.Confirm(h.patience(), h.dialer)
		}},
	}
}

// newPlaying is a host for the rounds of a scene, with what its rules look like there.
func newPlaying(t *testing.T, s scene, b backend) *playing {
	t.Helper()
	h := &playing{injected: newInjected(t, lab.HostOptions{}), base: b.base, next: b.next, long: b.long, short: b.short}
	b.prepare(h.host)
	h.runs = h.both
	if b.name == "nft" {
		h.runs = h.table // for the time it takes
	}
	h.nobody = h.runs()
	h.old, h.oldBoot = h.nobody, ""
	// Twice, since boot.prev is there from then on.
	for _, rs := range []render.Ruleset{b.next, b.base} {
		if r := h.push(rs, time.Minute); r.Outcome != OutcomeConfirmed {
			t.Fatalf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
		}
		h.new, h.old = h.old, h.runs()
		h.newBoot, h.oldBoot = h.oldBoot, h.stored()
	}
	if s.removes() {
		h.next, h.new, h.newBoot = ruleset(""), h.nobody, ""
	}
	if s.first {
		h.base, h.old, h.oldBoot = ruleset(""), h.nobody, ""
	}
	if s.first {
		if err := h.reset(s); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// settle makes a host ready for the next round. Where that begins with a Begin without a fault that
// is the next one, which has to work; else there is one here.
func (h *playing) settle(s scene, end step, confirmed, stays bool) error {
	if stays || s.first || s.removes() || s.name == "begin" || !end.final() || end.state == "none" {
		return h.reset(s)
	}
	if h.rest() != "" { // what could not be taken away is for the next run to take away
		return h.reset(s)
	}
	if confirmed {
		h.base, h.next = h.next, h.base
		h.old, h.new = h.new, h.old
		h.oldBoot, h.newBoot = h.newBoot, h.oldBoot
	}
	return nil
}

// rest is what is left of transactions, but for queued jobs: one whose script died before it could
// write down its number stays until it runs, and finds nothing to do.
func (h *playing) rest() string {
	var lines []string
	for line := range strings.Lines(h.leftovers()) {
		if !strings.Contains(line, "\t") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func (s scene) removes() bool { return s.name == "removal" }

// reset is the next Begin, which has to work whatever came before: it goes back to what ran, and
// leaves nothing else.
func (h *playing) reset(s scene) error {
	rs := h.base
	r := h.push(rs, 20*time.Second)
	if r.Outcome != OutcomeConfirmed {
		return fmt.Errorf("the next run: %s at %s: %w", r.Outcome, r.Stage, r.Err)
	}
	var left string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if left = h.rest(); left == "" {
			break
		}
	}
	if left != "" {
		return fmt.Errorf("the next run left behind: %s", left)
	}
	if s.first {
		h.sh("rm -rf /var/lib/fwpush /run/fwpush")
	}
	if runs, boots := h.runs(), h.stored(); runs != h.old || boots != h.oldBoot {
		return fmt.Errorf("after the next run there runs\n%s\nand would boot\n%s", runs, boots)
	}
	return nil
}

// round fires one shot into a scene and lets the timers do their work. It returns what must not be.
func (h *playing) round(s scene, shot *shot) (told Result, wrong []string) {
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	idle := h.step().tx
	told = s.play(h, func() { h.gun.load(shot) })
	if s.name != "timer" {
		h.gun.unload(false)
	}
	before := h.runs()
	stays := shot.stays && shot.call(&h.gun) != ""
	end := h.heal()
	runs, boots := h.runs(), h.stored()
	is := func(text, old, new string) string {
		switch text {
		case old:
			return "old"
		case new:
			return "new"
		}
		return "neither"
	}
	state := fmt.Sprintf("%s, %s rules run, %s would boot", end.state, is(runs, h.old, h.new), is(boots, h.oldBoot, h.newBoot))
	confirmed, reverted := "new rules run, new would boot", "old rules run, old would boot"
	ok := false
	switch end.state {
	case "confirmed", "confirming":
		if end.tx == idle { // the host was not even claimed
			ok = strings.HasSuffix(state, reverted)
			break
		}
		ok = strings.HasSuffix(state, confirmed)
	case "reverted", "reverting", "staged", "armed", "dropping":
		ok = strings.HasSuffix(state, reverted)
	case "none": // of a removal, or of what never began
		ok = strings.HasSuffix(state, confirmed) && s.removes() || strings.HasSuffix(state, reverted)
	}
	// A disk that is read-only from the decision on has the new boot file, and says so: to who decided,
	// or, where that one is dead, to whoever asks about the transaction.
	if stays && strings.HasSuffix(state, "old rules run, new would boot") {
		_, err := os.Stat(filepath.Join(h.root, "run/fwpush/tx", end.tx, "bootbad"))
		ok = told.Outcome == OutcomeUnknown && told.Stage == StagePersist || strings.HasPrefix(s.name, "over ") && err == nil
	}
	// The timers of what is taken over are dead from the start: it waits for the next run.
	ok = ok || !end.final() && end.tx != idle && strings.HasPrefix(s.name, "over ")
	if !ok {
		complain("%s; before the timers fired there ran %s", state, is(before, h.old, h.new))
	}
	switch told.Outcome {
	case OutcomeConfirmed:
		if !strings.HasSuffix(state, confirmed) {
			complain("told it was confirmed")
		}
	case OutcomeFailed, OutcomeReverted, OutcomeUnreachable, OutcomeLocked:
		if !strings.HasSuffix(state, reverted) {
			complain("told it was %s", told.Outcome)
		}
	}
	if !end.final() && h.guards() != "" {
		complain("somebody is still at it: %s", h.guards())
	}
	if both := h.sh(`awk '$3 ~ /^(confirmed|removed)/ { c[$2] } $3 ~ /^reverted/ { r[$2] } END { for (t in c) if (t in r) print t }' /var/lib/fwpush/history 2>/dev/null || true`); both != "" {
		complain("confirmed and reverted: %s", both)
	}
	wrong = append(wrong, h.gun.blamed()...)
	if len(wrong) > 0 {
		complain("told %s at %s: %v\nlog: %s\nfiles: %s", told.Outcome, told.Stage, told.Err,
			h.sh("cat /run/fwpush/tx/*/log 2>/dev/null || true"), h.sh("ls -a /run/fwpush /run/fwpush/tx/* /var/lib/fwpush /var/lib/fwpush/gen 2>/dev/null || true; tail -n 3 /var/lib/fwpush/history 2>/dev/null || true; atq"))
	}
	if conn, err := h.dialer.Dial(h.patience(), h.endpoint()); err != nil {
		complain("LOCKED OUT: %v", err)
	} else {
		conn.Close()
	}
	if err := h.settle(s, end, state == end.state+", "+confirmed, stays); err != nil {
		complain("%v", err)
	}
	return told, wrong
}
