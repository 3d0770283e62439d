package probe

import (
	"context"
	"fmt"
	"time"
)

// fate is what became of one attempt at one address.
type fate int

const (
	there    fate = iota // what was looked for is there
	notThere             // it is not
	noRoute              // whoever tried has no route to the address: it says nothing of it
	notTried             // nothing was found out, though it should have been
)

// attempt is how it went at one address.
type attempt struct {
	at   string // address and port
	fate fate
	did  string // if there: what it does, as in "connects"
	why  error  // if not
}

// race makes an attempt at every address at once. The first that finds something decides.
func (p *Probe) race(ctx context.Context, targets []string, try func(ctx context.Context, at string) attempt) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // the others give up
	ended := make(chan attempt, len(targets))
	for _, at := range targets {
		p.prober.group.Go(func() { // Close waits for those that give up, too
			defer func() { // a panic here would end every transaction of this controller
				if p := recover(); p != nil {
					ended <- attempt{at: at, fate: notTried, why: sayf(nil, "a bug in fwpush: %s", safe(fmt.Sprint(p)))}
				}
			}()
			ended <- try(ctx, at)
		})
	}
	var missed []attempt
	for range targets {
		a := <-ended
		switch {
		case a.fate != there:
			missed = append(missed, a)
		case p.want.Fails:
			return sayf(nil, "%s %s, and must not", safe(a.at), a.did)
		default:
			return nil
		}
	}
	return p.judge(missed)
}

// judge says what it means that nothing was found.
func (p *Probe) judge(missed []attempt) error {
	var absent, unreached, broken []attempt
	for _, a := range missed {
		switch a.fate {
		case notThere:
			absent = append(absent, a)
		case noRoute:
			unreached = append(unreached, a)
		default:
			broken = append(broken, a)
		}
	}
	switch {
	case p.want.Fails && len(broken) > 0:
		return &NotTriedError{join(broken)}
	case len(absent) == 0:
		return &NotTriedError{join(append(broken, unreached...))}
	case p.want.Fails:
		return nil
	}
	return join(append(absent, broken...))
}

// silence is what to think of an address that has not answered since a time. If most of
// the timeout went by before anything was sent there, it says nothing.
func silence(at string, since time.Time, limit time.Duration) attempt {
	if took := time.Since(since); took < limit/2 {
		return attempt{at: at, fate: notTried, why: sayf(nil, "only %s of %s were left to wait for an answer; raise timeout", took.Round(time.Millisecond), limit)}
	}
	return attempt{at: at, fate: notThere, why: sayf(nil, "no answer within %s", limit)}
}
