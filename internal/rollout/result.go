package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwpush/internal/commit"
	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

// Target is one host and what it shall run. Judge and Gate of the
// Candidate are set by this package.
type Target struct {
	Host      inventory.Host
	Policy    roles.Policy // not looked at where Candidate.Remove is set
	Candidate commit.Candidate
	// Print, if set, gives the rules for the backend that a host is found to need.
	// Without it there are those of the Candidate and no others. It may be called
	// several times for a host, and by several goroutines.
	Print func(commit.Choice) (render.Ruleset, error)
	// Reviewed, if set, is what was shown of the host's change: one that would be another
	// change by now is not made.
	Reviewed *Review
	// Past, if set, says that the host shall go back to what it had confirmed; the
	// Candidate has no rules then, nor a policy.
	Past   *Past
	Probes []Probe
	// Behind are the hosts of the fleet that are reached through this one: that one of
	// them still can be is a probe of its own.
	Behind []inventory.Endpoint

	unproved error // why the Policy is not known
}

// Review is what was shown of a change before somebody said yes to it.
type Review struct {
	State  string // Fingerprint of the host; "" if it may be another one by now
	Digest string // of the rules that it was to get; "" if they may be others
}

// stale is why a change is not the one that was shown, nil if it is.
func (r *Review) stale(f commit.Facts, rules render.Ruleset) error {
	switch {
	case r == nil:
	case r.State != "" && r.State != Fingerprint(f):
		return fmt.Errorf("the host is %w", ErrStale)
	case r.Digest != "" && r.Digest != rules.Digest:
		return fmt.Errorf("what the host would get is %w", ErrStale)
	}
	return nil
}

// Past is a way back to rules that a host keeps.
type Past struct {
	Which string // as for commit.Past
	// Recall reads the policy that the host keeps beside the rules.
	Recall func(kept string) (roles.Policy, error)
	// OrNone takes ours off a host that keeps nothing to go back to.
	OrNone bool
}

// back is the target once the host has told what it keeps. Text from the host goes
// nowhere but back to it.
func (t Target) back(g commit.Generation) Target {
	t.Candidate.Rules, t.Candidate.Policy, t.Candidate.Want = g.Rules, g.Policy, g.Rules.Backend
	t.Print = nil
	policy, err := t.Past.Recall(g.Policy)
	if err != nil {
		t.unproved = fmt.Errorf("generation %d: %w: %w", g.Number, errUnproved, err)
	}
	t.Policy = policy
	return t
}

// errUnproved is a lock-out proof that cannot be made.
var errUnproved = errors.New("whether this machine would be let in cannot be proved")

// Fingerprint is what a change of a host depends on: what runs, what is stored,
// what would boot.
func Fingerprint(f commit.Facts) string {
	sum := sha256.New()
	for _, part := range []string{render.Canonical(f.Running), f.Rules, f.Boot, f.Unit, f.Meta["tx"], f.HomeSum} {
		fmt.Fprintf(sum, "%d\n%s", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Outcomes that only a run of many hosts has.
const (
	// OutcomeSkipped is a host that was left alone. Err says what stopped the
	// run; nil is a host that the run does not concern.
	OutcomeSkipped commit.Outcome = "skipped"
	// OutcomeChanged is a host of a diff that does not run its candidate.
	OutcomeChanged commit.Outcome = "changed"
)

// What can be the Err of a host besides its own trouble.
var (
	// ErrInterrupted is for hosts that an interrupt kept from being started,
	// or that were taken back because of it.
	ErrInterrupted = errors.New("interrupted")
	// ErrStopped is for hosts that are skipped because of how others ended.
	ErrStopped = errors.New("the rollout was stopped")
	// ErrStale is for hosts that are not changed because they, or their rules, are others
	// than somebody has agreed to.
	ErrStale = errors.New("not as it was when the change was shown")
)

// Result is how one host ended.
type Result struct {
	Name string
	commit.Result
	Wave        int
	Digest      string // of the candidate
	Previous    string // of the stored confirmed rules before, "" if none
	Drift       bool   // the rules that ran before were not the confirmed ones
	Connections int    // TCP connections that this run opened to the host
	Execs       int    // executions on them
	Took        time.Duration
	Back        *Target // the target with what the host keeps, where it was to go back to that and Facts are there
}

// learn fills in what follows from the facts.
func (r *Result) learn(t Target) {
	f := r.Facts
	if f == nil {
		return
	}
	if f.Rules != "" {
		sum := sha256.Sum256([]byte(f.Rules))
		r.Previous = "sha256:" + hex.EncodeToString(sum[:])
	}
	if rules, err := t.Fit(*f); err == nil {
		r.Digest = rules.Digest
		if drifted, known := f.Drifted(); r.Outcome == commit.OutcomeConfirmed && r.Hint == "" && known && !drifted && f.Rules == rules.Text && !f.Runs(rules.Text) {
			r.Hint = "boot path repaired"
		}
	}
	if f.Pending == nil { // else the candidate of that one runs, as it should
		r.Drift, _ = f.Drifted()
	}
	r.Notes = append(r.Notes, notes(t, *f)...)
	r.SayOnce()
}

// maxSkew is how far a host's clock may be off before it is worth a note. The
// timers count on clocks that do not jump; the at job is queued by wall time.
const maxSkew = 30 * time.Second

// fullAt is how full connection tracking may be before it is worth a note: a full table
// drops what is new before any rule is asked (nf_conntrack_core.c in the kernel).
const fullAt = 0.8

// SayOnce takes out the note of what the error says.
func (r *Result) SayOnce() {
	if strange := (*StrangerError)(nil); errors.As(r.Err, &strange) {
		r.Notes = slices.DeleteFunc(slices.Clone(r.Notes), func(n string) bool { return n == strange.Note() })
	}
}

func notes(t Target, f commit.Facts) []string {
	var out []string
	if off := f.Skew.Abs(); off > maxSkew {
		way := "ahead of"
		if f.Skew < 0 {
			way = "behind"
		}
		out = append(out, fmt.Sprintf("the host's clock is %s %s this machine's", off, way))
	}
	if f.Trackable > 0 && float64(f.Tracked) >= fullAt*float64(f.Trackable) {
		out = append(out, fmt.Sprintf("the host tracks %d connections of %d at most; once that is full new ones are dropped, whatever the rules say", f.Tracked, f.Trackable))
	}
	if o := f.Owner; o != nil && o.Fleet == t.Candidate.Stamp.Fleet && o.Host != t.Host.Name {
		out = append(out, fmt.Sprintf("this machine was confirmed as host %.64q before", o.Host))
	}
	for _, note := range append([]string{t.timersNote(), t.bootNote(f), t.backendNote(f), t.behindNote(f), t.adoptionNote(f), t.unreadNote(f)}, t.besideNotes(f)...) {
		if note != "" {
			out = append(out, note)
		}
	}
	return out
}

// timersNote is said of a host that is to be changed with one timer, whatever is done
// with it: nobody shall find that out on the day on which it fails.
func (t Target) timersNote() string {
	if t.Host.Timers.V != 1 {
		return ""
	}
	return "1 timer, accepted by " + t.Host.Timers.Place.Short()
}

// unreachable is the outcome of a login that failed. The hint is taken out of
// the message, so that each is said once.
func unreachable(err error) commit.Result {
	r := commit.Result{Outcome: commit.OutcomeUnreachable, Stage: commit.StageConnect, Err: err, Hint: hintOf(err)}
	if r.Hint != "" {
		r.Err = plainError{err, withoutHint(err)}
	}
	return r
}

// hintOf is what an error says to do next, "" if it says nothing of that.
func hintOf(err error) string {
	var hinting interface {
		error
		Hint() string
	}
	if errors.As(err, &hinting) {
		return hinting.Hint()
	}
	return ""
}

// withoutHint is the text of an error that ends with what to do next, without that.
func withoutHint(err error) string { return strings.TrimSuffix(err.Error(), "; "+hintOf(err)) }

type plainError struct {
	error
	text string
}

func (e plainError) Error() string { return e.text }
func (e plainError) Unwrap() error { return e.error }

func skipped(why error, hint string) commit.Result {
	return commit.Result{Outcome: OutcomeSkipped, Err: why, Hint: hint}
}
