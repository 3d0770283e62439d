package transport

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// turnTime is how long a host may wait while others try the password.
	turnTime = 4 * time.Minute
	// maxPreface is how much it may print until the command is reached, in bytes.
	maxPreface = 64 << 10
)

// startAsked starts a command that may have to be paid for with a password: word, nil if
// there is none.
//
// Whoever may not be given the password is not even asked for it: to PAM a question without
// an answer is a wrong one, and counts (pam_faillock).
func (c *Conn) startAsked(ctx context.Context, q question, word *password, command string) (*Exec, error) {
	verdict := undecided
	if word != nil {
		turn, cancel := context.WithTimeoutCause(ctx, turnTime, errors.New("other hosts took too long to say whether the password is right"))
		defer cancel()
		done, err := word.lend(turn, c.target.ep.Name)
		switch {
		case err == nil:
			defer func() { done(verdict) }()
		case q.by == becomeSu:
			return nil, &RootError{Peer: c.peer, By: q.by, Kind: RootWrong, Err: err}
		default:
			x, starting := c.startUnasked(ctx, q.by, command) // it may need none
			if starting == nil {
				x.withheld = err
			}
			return x, starting
		}
	}
	x, err := c.Start(ctx, q.command(command))
	if err != nil {
		return nil, err
	}
	x.by = q.by
	if verdict, err = x.enter(ctx, q, word); err != nil {
		x.Close()
		return nil, err
	}
	return x, nil
}

// enter waits until the command is reached, and answers the question for a password if
// that comes: once. A second question says that the answer was wrong, and nothing but
// hanging up keeps sudo from taking what else is sent for more answers.
func (x *Exec) enter(ctx context.Context, q question, word *password) (verdict, error) {
	asked, err := x.await(ctx, q)
	switch {
	case err != nil || !asked:
		return undecided, err
	case word == nil:
		return undecided, x.refused(RootPassword, nil)
	}
	x.forget(word)
	if err := x.answer(word); err != nil {
		return undecided, err
	}
	if asked, err = x.await(ctx, q); err == nil && asked {
		err = x.refused(RootWrong, nil)
	}
	return x.judge(err), err
}

// judge says what an answer was worth, by what came of it. A command that is refused after
// the answer may be so for other reasons than a wrong one; unless these are known, the
// careful way is not to try it elsewhere.
func (x *Exec) judge(err error) verdict {
	var refused *RootError
	switch {
	case err == nil:
		return right
	case !errors.As(err, &refused) || refused.Kind == RootSilent:
		return undecided
	case refused.Kind == RootRefused && acceptedFirst(x.by, refused.Said):
		return right
	}
	refused.Kind, refused.Err = RootWrong, nil
	return wrong
}

// answer sends the password.
func (x *Exec) answer(word *password) error {
	line := append([]byte(word.text), '\n')
	defer clear(line)
	_, err := x.Write(line)
	return err
}

// await reads what goes before the command until that is reached (false), or the question
// stands there (true).
func (x *Exec) await(ctx context.Context, q question) (asked bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, x.conn.opts.Answer, errSlow)
	defer cancel()
	for {
		switch reached, asked := x.look(q); {
		case reached:
			return false, nil
		case asked:
			return true, nil
		}
		if x.preface() > maxPreface {
			return false, x.refused(RootSilent, fmt.Errorf("it printed more than %d KiB instead", maxPreface>>10))
		}
		select {
		case <-x.more:
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, errSlow) {
				return false, fmt.Errorf("%s: waiting for %s: %w", x.conn.peer, q.by, cause)
			}
			return false, x.refused(RootSilent, fmt.Errorf("neither a question nor an answer within %s", x.conn.opts.Answer))
		case <-x.over:
			var lost *LostError
			if reached, _ := x.look(q); reached {
				return false, nil
			}
			if errors.As(x.result, &lost) {
				return false, lost
			}
			return false, x.refused(RootRefused, x.result)
		}
	}
}

var errSlow = errors.New("too slow")

// look takes out the lines up to that of the command.
func (x *Exec) look(q question) (reached, asked bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		line, ok := x.stdout.next()
		if !ok {
			break
		}
		if q.reached(line) {
			return true, false
		}
	}
	return false, q.asks(string(x.stdout.buf)) || q.asks(x.stderr.String())
}

// preface is how much has come so far.
func (x *Exec) preface() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.total
}

// forget drops what was said before the answer, so that the question is seen when it comes
// again, and has the answer kept out of what is said after it.
func (x *Exec) forget(word *password) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.secret = word.text
	x.stdout.rest()
	x.stderr = tail{}
	x.total = 0
}

// complaint is what the host wrote to stderr, without the password: a host that repeats
// what it is told must not get it into our messages. The caller holds the mutex.
func (x *Exec) complaint() string {
	text := x.stderr.String()
	if x.secret != "" {
		text = strings.ReplaceAll(text, x.secret, "[password]")
	}
	return text
}
