package commit

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"fwpush/internal/foreign"
	"fwpush/render"
)

// drillGrace is how long after the deadline the old rules may be back and the first
// timer still counts as on time: it wakes within a second, and a load may be slow.
const drillGrace = 10 * time.Second

// Marked are the rules that a host runs, with a marker that no packet ever meets: a
// chain without a rule that nothing jumps to. An error says why there are none: nothing
// was confirmed on the host, or something else runs there.
func (f Facts) Marked() (rules render.Ruleset, marker string, err error) {
	drifted, known := f.Drifted()
	switch {
	case f.Generation == 0 || f.Rules == "":
		return rules, "", errors.New("nothing was ever confirmed here")
	case !f.Stored():
		return rules, "", errors.New("the host would boot other rules than it has confirmed")
	case !known:
		return rules, "", errors.New("whether the host runs what was confirmed cannot be told")
	case drifted:
		return rules, "", errors.New("the host does not run what was confirmed (drift)")
	}
	text := ""
	switch rules.Backend = render.BackendOf(f.Rules); rules.Backend {
	case render.BackendIptables:
		const head = "#: iptables filter\n*filter\n"
		marker = "FWPUSH-DRILL"
		if before, after, found := strings.Cut(f.Rules, head); found {
			text = before + head + ":" + marker + " - [0:0]\n" + after
		}
	default:
		var b [4]byte
		if _, err := rand.Read(b[:]); err != nil {
			return rules, "", fmt.Errorf("drawing random bits: %w", err)
		}
		marker = "drill_" + hex.EncodeToString(b[:])
		if body, whole := strings.CutSuffix(f.Rules, "\n}\n"); whole {
			text = body + "\n\tchain " + marker + " {\n\t}\n}\n"
		}
	}
	if text == "" || strings.Contains(f.Running, marker) {
		return rules, "", errors.New("the confirmed rules leave no place for a marker")
	}
	rules.Text = text
	return rules, marker, nil
}

// Drill watches a candidate that Begin has applied, which must be Marked with Drill set,
// until the host takes it back by itself, and compares the host with what it was. It
// asks the host to take back only when going is done. Its connections are all new.
//
// A drill that is proved is OutcomeReverted without a Stage or an Err.
func (p *Pending) Drill(ctx, going context.Context, dial Dialer, marker string) Result {
	p.hangUp() // nobody shall be heard any more
	cause := p.sight(ctx, dial, marker)
	sleep(going, time.Until(p.Deadline()))
	for pause := 500 * time.Millisecond; ; pause = min(2*pause, 4*time.Second) {
		if going.Err() != nil {
			return p.TakeBack(ctx, dial, StageConfirm, context.Cause(going))
		}
		f, err := p.glance(ctx, dial)
		if err == nil && (f.Pending == nil || f.Pending.TX != p.tx || f.Pending.Open) {
			return p.drilled(f, cause)
		}
		if time.Since(p.Deadline()) > afterDeadline {
			return p.undrilled(f, err)
		}
		sleep(going, pause)
	}
}

// sight is why the marker was not seen in force over a new connection, nil if it was.
func (p *Pending) sight(ctx context.Context, dial Dialer, marker string) error {
	var err error
	for ctx.Err() == nil && time.Now().Before(p.Deadline()) {
		var f Facts
		f, err = p.glance(ctx, dial)
		switch {
		case err != nil:
			err = fmt.Errorf("no fresh connection got in: %w", err)
		case f.Pending == nil || f.Pending.TX != p.tx:
			return errors.New("the host did not wait for its deadline")
		case !strings.Contains(f.Running, marker):
			err = errors.New("the marker was not seen in the running rules")
		default:
			p.result.Deadline = time.Now().Add(min(f.Pending.Left, p.most))
			return nil
		}
		sleep(ctx, min(time.Second, time.Until(p.Deadline())))
	}
	return cmp.Or(err, ErrUntried)
}

// glance is the facts of now, over a connection that is closed again. It only reads: what
// asks for the end of a transaction would bring it about.
func (p *Pending) glance(ctx context.Context, dial Dialer) (Facts, error) {
	conn, err := p.dial(ctx, dial, maxAttempt*8)
	if err != nil {
		return Facts{}, err
	}
	defer conn.Close()
	f, r := Inspect(ctx, conn, "", ModeSame, "")
	return f, r.Err
}

// drilled judges a host whose transaction has ended, or is open.
func (p *Pending) drilled(f Facts, cause error) Result {
	r := p.result
	r.Deadline = time.Time{}
	r.Outcome, r.Stage = OutcomeReverted, StageRevert
	if f.Pending != nil && f.Pending.TX == p.tx {
		r.Outcome = OutcomeUnknown
		r.Err = errors.New("the revert could not load the old rules, nor any others of ours")
		r.Hint = "the host goes on trying once a minute; it now runs " + p.ours(f) + ": look at nft there, and at fwpush status"
		return r
	}
	changed := append(p.result.Facts.differs(f), p.result.Facts.runsOther(f)...)
	switch d := f.LastDrill; {
	case p.result.Facts.BootID != f.BootID:
		r.Err = errors.New("the host was rebooted inside the window: its timers were not seen to work")
	case d == nil || d.TX != p.tx:
		r.Err = errors.New("the host keeps no record of how the drill ended: is the disk of /var/lib/fwpush full?")
	default:
		r.Drilled = d
		switch {
		case d.By == "asked" || d.Late < 0:
			r.Err = errors.New("somebody took the rules back before a timer did")
		case d.Late > drillGrace:
			r.Err = fmt.Errorf("the first timer failed: the old rules were back %s after the deadline", d.Late)
			r.Hint = "look at what timers there are: fwpush doctor"
		}
	}
	switch {
	case len(changed) > 0:
		text := fmt.Errorf("the host is not as it was before: %s", strings.Join(changed, ", "))
		r.Err = cmp.Or(r.Err, text)
		if r.Err != text {
			r.Err = fmt.Errorf("%w; %w", r.Err, text)
		}
		r.Hint = "look at the difference: fwpush diff"
		if len(p.result.Facts.runsOther(f)) > 0 {
			r.Outcome = OutcomeUnknown
		}
	case r.Drilled != nil && r.Drilled.By == "differs" && r.Err == nil:
		r.Err = errors.New("right after the revert the running rules were others than before, and now they are the same")
	case r.Err == nil && cause != nil:
		r.Stage, r.Err = StageConfirm, cause
	}
	if r.Err == nil {
		r.Stage, r.Hint = "", fmt.Sprintf("its timer took the marker back %s after the deadline, and it is as it was before", r.Drilled.Late)
	}
	if !reflect.DeepEqual(others(p.result.Facts.Foreign), others(f.Foreign)) {
		r.Notes = append(r.Notes, "rules of others changed meanwhile, which a drill does not touch")
	}
	return r
}

// undrilled is a host that no timer has taken back, or that cannot be asked any more.
func (p *Pending) undrilled(f Facts, err error) Result {
	r := p.result
	r.Outcome, r.Stage, r.Deadline = OutcomeUnknown, StageRevert, time.Time{}
	if err != nil {
		r.Err = fmt.Errorf("the host did not say how it ended: %w", err)
		r.Hint = "it takes the marker back by itself: fwpush status"
		return r
	}
	r.Err = fmt.Errorf("no timer has taken the rules back within %s of the deadline (state %s)", afterDeadline, f.Pending.State)
	r.Hint = "the host still runs " + p.ours(f) + ": fwpush revert " + f.Pending.Run + " takes it back, then look at fwpush doctor"
	return r
}

// ours says what of ours a host runs.
func (p *Pending) ours(f Facts) string {
	tool := "nft"
	if p.result.Facts.runsIptables() {
		tool = "iptables-save"
	}
	switch before := p.result.Facts.Running; {
	case f.NFTError != "" || f.XTError != "", !slices.Contains(f.Tools, tool):
		return "rules that cannot be listed, so nobody can tell which"
	case f.Running == "":
		return "no rules of fwpush: it is open"
	case f.Running == before:
		return "what it ran before"
	}
	return "the marked rules"
}

// runsOther says if a host runs other rules of ours than before, to the byte.
func (f Facts) runsOther(after Facts) []string {
	if f.Running == after.Running && f.NFTError == after.NFTError && f.XTError == after.XTError {
		return nil
	}
	return []string{"running rules"}
}

// differs names what else of ours is not as it was.
func (f Facts) differs(after Facts) (list []string) {
	for _, c := range []struct {
		same bool
		name string
	}{
		{f.Rules == after.Rules, "stored rules"},
		{f.Boot == after.Boot, "boot file"},
		{f.Loader == after.Loader, "boot loader"},
		{f.Generation == after.Generation && maps.Equal(f.Meta, after.Meta), "generation"},
		{f.Canon == after.Canon && f.CanonKnown == after.CanonKnown, "stored listing"},
		{f.Unit == after.Unit, "boot unit"},
		{reflect.DeepEqual(f.Owner, after.Owner), "owner"},
		{f.Exclusive == after.Exclusive, "mode"},
		{f.Stray == after.Stray && f.Engines == after.Engines, "variants of iptables"},
		{reflect.DeepEqual(f.LastRevert, after.LastRevert), "last revert"},
		{tables(f.Chains) == tables(after.Chains), "chains"},
	} {
		if !c.same {
			list = append(list, c.name)
		}
	}
	return list
}

// tables are chains by table, in an order that does not depend on which was made last.
func tables(chains string) string {
	blocks := strings.Split("\n"+strings.TrimSpace(chains), "\ntable ")
	slices.Sort(blocks)
	return strings.Join(blocks, "\ntable ")
}

// others is rules of others as their engine writes them, by table and chain.
func others(f Foreign) map[string][]string {
	rules := map[string][]string{}
	for _, t := range f.Tables {
		for _, c := range t.Chains {
			name := fmt.Sprint(t.Engine, t.Legacy, t.Family, t.Name, " ", c.Name)
			rules[name] = append(rules[name], base(c)...)
			for _, rule := range c.Rules {
				rules[name] = append(rules[name], rule.Text)
			}
		}
	}
	return rules
}

func base(c *foreign.Chain) []string {
	if c.Base == nil {
		return nil
	}
	return []string{fmt.Sprint(*c.Base)}
}
