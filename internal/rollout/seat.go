package rollout

import (
	"context"
	"errors"
)

// seat is a host's place in its group.
type seat struct {
	inbox chan<- message
	index int
	words chan word       // at most one is under way
	going context.Context // done once the host shall not go on; its cause says why
	leave context.CancelCauseFunc
	// Of the group's goroutine:
	at       place
	proof    Decided // of one that is in
	accepted bool    // let through the gate
}

// errSurplus is for a host that is one canary more than were wanted: it is left as it is
// and has its turn in a later wave.
var errSurplus = errors.New("not a canary")

// place is how far a host has come, as its group knows it.
type place int

const (
	underWay place  = iota
	atGate          // checked, and nothing applied
	isIn            // a fresh connection is in, and every probe as it must be
	failing         // not confirmed any more, how it ends is still looked at
	places   = iota // how many there are
)

// word is what a host is told that waits.
type word int

const (
	goOn         word = iota // apply
	proveAgain               // the soak is over
	makeItLast               // commit
	leavePending             // somebody will confirm by hand
)

// message is what a host tells its group. One with a Result is its last.
type message struct {
	index int
	at    place
	err   error   // of failing
	proof Decided // of one that is in
	ended *Result
}

// arrive tells the group that a host has come to a place, and waits for its word. The
// pulse, if there is one, beats meanwhile, so that the host goes on waiting too; an error
// of it ends the wait. So does the end of ctx, and a group that is given up, with the
// reason.
func (s *seat) arrive(ctx context.Context, at place, proof Decided, p *pulse) (word, error) {
	select {
	case s.inbox <- message{index: s.index, at: at, proof: proof}:
	case <-ctx.Done(): // nobody reads any more from a host that has ended
		return 0, context.Cause(ctx)
	}
	for {
		select {
		case w := <-s.words:
			return w, nil
		case <-s.going.Done():
			return 0, context.Cause(s.going)
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-p.due():
			if err := p.beat(ctx); err != nil {
				return 0, err
			}
		}
	}
}

// fail tells the group that this host will not be confirmed, before it is known how it
// ends: the others need not wait for that.
func (s *seat) fail(why error) { s.inbox <- message{index: s.index, at: failing, err: why} }

// given is why the group was given up, nil if it was not.
func (s *seat) given() error {
	if s.going.Err() == nil {
		return nil
	}
	return context.Cause(s.going)
}
