package commit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"fwpush/internal/stop"
	"fwpush/render"
	"fwpush/transport"
)

// Pending is a host that runs a candidate and will take it back by itself.
type Pending struct {
	tx     string
	nonce  string
	seal   string // "" while the host's answer to apply is not known
	target transport.Target
	first  *listener     // Begin's connection, "" once it is lost
	result Result        // outcome pending, until something better is known
	most   time.Duration // that may be left until the deadline, whatever the host says
	told   bool          // the host was told to commit, or a person asked for its confirm
}

// Deadline is when the host reverts, on the controller's clock: no earlier than
// this.
func (p *Pending) Deadline() time.Time { return p.result.Deadline }

// listener is the first connection after the new rules are in force. It proves
// nothing any more, but the host may still hear through it.
type listener struct {
	conn     *transport.Conn
	dialogue *dialogue
}

// Begin stages the candidate, has two timers proved on the host, and applies
// it: one execution on conn. A nil Pending means that nothing of the candidate
// runs, and the Result says why; conn is then free to be closed. Otherwise conn
// belongs to the Pending.
func Begin(ctx context.Context, conn *transport.Conn, c Candidate) (*Pending, Result) {
	d, err := start(ctx, conn, beginProgram(c.Mode), want(c.Want), known(c.Policy), c.Mode.word())
	if err != nil {
		return nil, beginTrouble(StageInspect, err)
	}
	b := &beginning{Candidate: c, conn: conn, d: d}
	p, r := b.run(ctx)
	if p == nil {
		d.close()
	}
	if b.facts != nil && r.Facts == nil {
		r.Facts = b.facts
	}
	return p, r
}

// beginning is one Begin under way.
type beginning struct {
	Candidate
	conn  *transport.Conn
	d     *dialogue
	facts *Facts

	rules     render.Ruleset // to load, as judged
	tx, nonce string
	notes     []string
}

func (b *beginning) run(ctx context.Context) (*Pending, Result) {
	if r, ok := b.inspect(ctx); !ok {
		return nil, r
	}
	switch v := b.Judge(*b.facts); v.Act {
	case Go:
		if b.rules = b.Rules; v.Rules.Text != "" {
			b.rules = v.Rules
		}
	case Unchanged:
		b.d.say(ctx, "stop")
		return nil, Result{Outcome: OutcomeUnchanged}
	default:
		b.d.say(ctx, "stop")
		if v.Stage == "" {
			v.Stage = StageInspect
		}
		return nil, failed(v.Stage, v.Err, v.Hint)
	}
	stop.At("stage")
	if r, ok := b.stage(ctx); !ok {
		return nil, r
	}
	if b.Gate != nil {
		if err := b.hold(ctx); err != nil {
			b.d.say(ctx, "stop")
			b.d.hear(ctx, wordTime)
			return nil, failed(StageStage, err, "nothing was applied")
		}
	}
	stop.At("arm")
	return b.apply(ctx)
}

// inspect hears the facts, after whatever an earlier run left was finished.
func (b *beginning) inspect(ctx context.Context) (Result, bool) {
	f, err := b.d.facts(ctx)
	b.facts = &f
	if errors.Is(err, errStuck) {
		if !b.AcceptStuckRevert {
			return Result{Outcome: OutcomeUnknown, Stage: StageRevert, Err: err,
				Hint: "mend what nft complains about, or take the running rules as they are with --accept-risk stuck-revert"}, false
		}
		if err = b.d.say(ctx, "accept"); err == nil {
			f, err = b.d.facts(ctx)
		}
	}
	switch {
	case errors.Is(err, errHeld):
		return Result{Outcome: OutcomeLocked, Stage: StageInspect, Holder: f.Pending,
			Err: heldBy(*f.Pending), Hint: "wait, or look at it with fwpush status"}, false
	case err != nil:
		return beginTrouble(StageInspect, err), false
	}
	return f.usable(b.Want)
}

// heldBy names the holder and until when, on the controller's clock.
func heldBy(h Holder) error {
	return fmt.Errorf("locked by run %s of %s (%s) until %s", h.Run, h.Who, h.State,
		time.Now().Add(h.Left).UTC().Format(time.RFC3339))
}

// ErrVersion is a host with something stored that this version cannot read. It is
// looked at and never changed.
var ErrVersion = errors.New("what is stored on the host is of another version of fwpush")

// usable says whether fwpush can work with such a host at all.
func (f Facts) usable(want render.Backend) (Result, bool) {
	fail := func(text, hint string) (Result, bool) {
		return failed(StageInspect, errors.New(text), hint), false
	}
	switch {
	case f.Protocol != protocol:
		return fail(fmt.Sprintf("the host speaks protocol %d, this fwpush %d", f.Protocol, protocol), "use the same version of fwpush everywhere")
	case f.UID != 0:
		return fail(fmt.Sprintf("logged in with uid %d: only root may change the firewall", f.UID),
			`log in as root, or say how to be root there: ssh = { become = "sudo" }`)
	case f.Owner != nil && f.Owner.Protocol != protocol:
		return failed(StageInspect, fmt.Errorf("%w: protocol %d, this one has %d", ErrVersion, f.Owner.Protocol, protocol), "upgrade fwpush"), false
	case f.Unaged:
		return fail("the host cannot tell how old a connection is, so none would confirm: no process of OpenSSH or dropbear serves this one",
			"let OpenSSH or dropbear serve it; fwpush asks the parents of its shell")
	case f.Pending != nil:
		return Result{}, true // which backend it would be now does not matter to the one that is decided
	}
	if _, err := f.Choose(want); err != nil {
		return failed(StageInspect, err, err.Hint), false
	}
	return Result{}, true
}

// stage sends the candidate and waits until the host has checked it.
func (b *beginning) stage(ctx context.Context) (Result, bool) {
	payload, err := b.payload()
	if err != nil {
		return failed(StageStage, err, ""), false
	}
	sent := make(chan error, 1)
	limit := uploadTime(len(payload))
	go func() { sent <- b.d.send(ctx, payload, limit) }()
	// One limit for all it says: a host that keeps talking is no host that answers.
	patience := limit + 3*b.Window/4
	if b.Mode == ModeExclusive && len(b.facts.Home) > 0 {
		patience += 40 * time.Second // for the rehearsal of what is taken away
	}
	for end := time.Now().Add(patience); ; {
		word, rest, err := b.d.hear(ctx, time.Until(end))
		if err != nil {
			if serr := <-sent; serr != nil && errors.Is(err, errSilent) {
				err = serr
			}
			return beginTrouble(StageStage, err), false
		}
		switch word {
		case "checked":
			switch rest {
			case "shallow":
				b.notes = append(b.notes, "the host allows no network namespace: the rules were checked by iptables-restore --test alone")
			case "blind":
				b.notes = append(b.notes, "how the rules are listed cannot be told beforehand, in a network namespace of their own (they need interfaces of the host, or give their numbers): what somebody else changed at the moment of the load passes for ours")
			}
			return Result{}, true
		case "held":
			h, err := parseHolder(rest)
			if err != nil {
				return failed(StageStage, err, ""), false
			}
			return Result{Outcome: OutcomeLocked, Stage: StageStage, Holder: &h,
				Err: heldBy(h), Hint: "wait, or look at it with fwpush status"}, false
		case "dropped", "refused":
			e := refusal(rest)
			return failed(e.stage, e, e.hint()), false
		default:
			return failed(StageStage, fmt.Errorf("the host said %q while it was to check the rules", clip(word)), "nothing was applied"), false
		}
	}
}

// payload is the go line, who it is for, and the files.
func (b *beginning) payload() ([]byte, error) {
	var err error
	if b.tx, err = secret(); err != nil {
		return nil, err
	}
	if b.nonce, err = secret(); err != nil {
		return nil, err
	}
	owner, err := b.Stamp.owner(*b.facts)
	if err != nil {
		return nil, err
	}
	mode, text, kept, loader, policy := "remove", "", "", "", ""
	if !b.Remove {
		text, policy = b.rules.Text, b.Policy
		mode = string(render.BackendOf(text))
		if text == "" {
			return nil, errors.New("a bug in fwpush: there are no rules to load, and to remove them was not asked for")
		}
	}
	if mode == string(render.BackendNftables) {
		kept = keptForm(b.rules, *b.facts)
	}
	future := b.Mode.on(*b.facts)
	if mode == string(render.BackendIptables) || b.facts.runsIptables() || future == ModeExclusive && !b.Remove {
		loader = bootProgram(future)
	}
	revert := revertProgram(b.Mode)
	files := [...]string{text, kept, revert, loader, policy}
	var s bytes.Buffer
	s.Grow(len(text) + len(kept) + len(revert) + len(loader) + len(policy) + 1024)
	fmt.Fprintf(&s, "go %s %s %d %s %d %d %d %d %d %d", b.tx, b.nonce, int(b.Window/time.Second), mode,
		len(text), len(kept), len(revert), len(loader), len(policy), cmp.Or(b.Timers, 2))
	if b.Drill {
		s.WriteString(" drill")
	}
	s.WriteByte('\n')
	fmt.Fprintf(&s, "%s\n%s\n%s\n", b.Stamp.Run, owner, b.Stamp.who())
	for _, file := range files {
		s.WriteString(file)
	}
	fmt.Fprintf(&s, "end %s\n", b.tx)
	return s.Bytes(), nil
}

// errGone is a host that was to wait for its group.
var errGone = errors.New("the host did not wait for its group")

// hold keeps the host waiting until the gate opens. When the host does not wait any more
// it has the gate given up, and returns once nobody stands there.
func (b *beginning) hold(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	opened, ended := make(chan error, 1), make(chan error, 1)
	go func() { ended <- b.d.exec.Wait(ctx) }()
	go func() {
		defer func() { // a panic here would end every transaction of this controller
			if p := recover(); p != nil {
				opened <- fmt.Errorf("a bug in fwpush: %v", p)
			}
		}()
		opened <- b.Gate(ctx)
	}()
	beat := time.NewTicker(20 * time.Second) // the host waits 60 s for a word
	defer beat.Stop()
	for gone := error(nil); ; {
		select {
		case err := <-opened:
			return cmp.Or(gone, err)
		case err := <-ended:
			gone = errGone
			if err != nil {
				gone = fmt.Errorf("%w: %w", errGone, err)
			}
			cancel(gone)
			ended, beat.C = nil, nil
		case <-beat.C:
			if err := b.d.say(ctx, "hold"); err != nil {
				b.d.close() // and so it has ended
			}
		}
	}
}

// apply sends the word and hears how it went. From here on a host that falls
// silent is not one where nothing happened: it is Pending, and Confirm finds
// out.
func (b *beginning) apply(ctx context.Context) (*Pending, Result) {
	if err := b.d.say(ctx, "apply"); err != nil {
		return nil, beginTrouble(StageArm, err)
	}
	p := &Pending{
		tx: b.tx, nonce: b.nonce, target: b.conn.Pinned(),
		first:  &listener{conn: b.conn, dialogue: b.d},
		result: Result{Outcome: OutcomePending, Facts: b.facts, Notes: b.notes, Deadline: time.Now().Add(b.Window)},
		most:   b.Window,
	}
	applying := false
	end := time.Now().Add(stageTime)
	for {
		word, rest, err := b.d.hear(ctx, time.Until(end))
		if err != nil {
			// The word may have been lost on its way there or the answer on its
			// way back. Only the host can tell, over another connection.
			if !errors.Is(err, errSilent) {
				p.hangUp()
			}
			if applying {
				stop.At("applied")
			}
			return p, p.result
		}
		switch word {
		case "armed":
			words := strings.Fields(rest)
			if len(words) < 2 {
				return p, p.result // it applies all the same: Confirm finds out
			}
			p.result.Timers = words[1:]
			p.setLeft(words[0])
			stop.At("apply")
		case "applying":
			if !applying { // once: who says it again and again would be waited for as long
				applying = true
				// A load takes milliseconds; 100,000 set elements a second. Nothing
				// heard for longer means that the answer may not come at all.
				end = time.Now().Add(b.loadTime())
			}
		case "applied":
			words := strings.Fields(rest)
			if len(words) != 2 {
				return p, p.result
			}
			p.setLeft(words[0])
			p.seal = words[1]
			stop.At("applied")
			return p, p.result
		case "reverted":
			return nil, Result{Outcome: OutcomeReverted, Stage: StageApply, Err: errors.New(rest), Facts: b.facts}
		case "open":
			return nil, Result{Outcome: OutcomeUnknown, Stage: StageRevert, Err: errors.New(rest), Facts: b.facts,
				Hint: "the old rules could not be loaded and ours are gone: the host is open; run fwpush apply again"}
		case "homeless":
			return nil, Result{Outcome: OutcomeUnknown, Stage: StageRevert, Err: errors.New(rest), Facts: b.facts, Hint: hintHomeless}
		case "dropped", "refused":
			e := refusal(rest)
			return nil, failed(e.stage, e, e.hint())
		default:
			return p, p.result // whatever that means: Confirm finds out
		}
	}
}

// loadTime is how long a load takes at the most before its answer is thought lost.
// iptables is a dozen processes, and may wait 10 s for its lock.
func (b *beginning) loadTime() time.Duration {
	limit := 3*time.Second + time.Duration(len(b.rules.Text)/20)*time.Microsecond
	if render.BackendOf(b.rules.Text) == render.BackendIptables || b.facts.runsIptables() {
		limit += 12 * time.Second
	}
	if b.Mode == ModeExclusive && len(b.facts.Home) > 0 {
		limit += 12 * time.Second // and so are the rules that go
	}
	return limit
}

// beginTrouble turns an error before apply into an outcome: nothing changed.
func beginTrouble(stage Stage, err error) Result {
	var lost *transport.LostError
	var refused *refusedError
	var remote *RemoteError
	var root *transport.RootError
	switch {
	case errors.As(err, &root):
		return failed(stage, err, root.Hint())
	case errors.As(err, &lost) && stage == StageInspect && !errors.Is(err, transport.ErrTooMuch):
		return Result{Outcome: OutcomeUnreachable, Stage: stage, Err: err}
	case errors.As(err, &lost), errors.Is(err, errSilent):
		if stage == StageInspect { // it let us in, and the network is fine
			return failed(stage, err, "look at the login shell and the load of the host; nothing was sent to it")
		}
		return failed(stage, err, "nothing was applied: the host drops what was staged by itself")
	case errors.As(err, &refused):
		return failed(refused.stage, err, "")
	case errors.As(err, &remote):
		return failed(stage, err, remote.Hint)
	}
	return failed(stage, err, "")
}
