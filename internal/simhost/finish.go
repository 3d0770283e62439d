package simhost

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// finish is scripts/finish.sh: what a second connection may do with a transaction.
func (s *shell) finish(verb, tx string) {
	s.greet()
	if !isHex(tx) {
		s.refuse("protocol bad transaction id")
		return
	}
	switch verb {
	case "confirm":
		s.confirm(tx)
	case "tell":
		s.tellState(tx)
	case "revert":
		s.mu.Lock()
		if s.pending(tx) {
			s.revert(asked)
		}
		s.over(tx)
		s.mu.Unlock()
	}
}

// pending says whether a transaction is still to be decided. One past its deadline is
// taken back by whoever comes first. It needs the lock, as the other parts do.
func (s *shell) pending(tx string) bool {
	if s.tx == nil || s.tx.id != tx {
		return false
	}
	s.revertDue(asked)
	return !s.tx.over()
}

// over says how a transaction ended, by the state file or by history.
func (s *shell) over(tx string) {
	outcome := "none"
	if s.tx != nil && s.tx.id == tx {
		outcome = s.tx.state
	} else {
		for _, line := range s.history {
			if words := strings.Fields(line); words[1] == tx {
				outcome = words[2]
			}
		}
	}
	s.say("over", outcome)
}

// tellState says the state and, since this connection may no longer confirm once it
// has heard them, the secrets.
func (s *shell) tellState(tx string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.pending(tx) {
		s.over(tx)
		return
	}
	t, nonce, seal := s.tx, "-", "-"
	if t.state == applied && t.seal != "" {
		t.seen = append(t.seen, s.connection)
		nonce, seal = t.nonce, t.seal
		s.write()
	}
	s.say("state", t.state, fmt.Sprint(s.left()), nonce, seal)
}

// confirm is a dialogue: the proof, and then one word.
func (s *shell) confirm(tx string) {
	if !s.proved(tx) {
		return
	}
	for {
		word, ok := s.ask(2 * patience)
		if !ok {
			return // the timers go on
		}
		verb, rest, _ := strings.Cut(word, " ")
		more := false
		s.mu.Lock()
		switch {
		case word == "commit":
			s.commit(tx)
		case word == "revert":
			if s.pending(tx) {
				s.revert(asked)
			}
			s.over(tx)
		case verb == "extend":
			more = s.extend(tx, rest)
		default:
			s.refuse("protocol unknown word")
		}
		s.mu.Unlock()
		if !more {
			return
		}
	}
}

// proved asks for the secrets and says whether the connection is one that may confirm.
func (s *shell) proved(tx string) bool {
	s.mu.Lock()
	pending := s.pending(tx)
	switch {
	case !pending:
		s.over(tx)
	case s.tx.state != applied:
		s.refuse(fmt.Sprintf("fresh the rules are not applied yet (%s)", s.tx.state))
		pending = false
	case s.tx.drill:
		s.refuse("fresh this is a drill, which nobody confirms: it reverts at its deadline")
		pending = false
	}
	s.mu.Unlock()
	if !pending {
		return false
	}
	s.say("ask")
	word, ok := s.ask(patience)
	if !ok {
		return false
	}
	secrets := append(strings.Fields(word), "", "")
	s.mu.Lock()
	defer s.mu.Unlock()
	why := ""
	switch t := s.tx; {
	case t == nil || t.id != tx || secrets[0] != t.nonce:
		why = "wrong nonce"
	case t.seal == "" || secrets[1] != t.seal:
		why = "wrong seal"
	default:
		why = s.stale(t)
	}
	if why != "" {
		s.refuse("fresh " + why)
		return false
	}
	s.say("fresh", fmt.Sprint(s.left()), fmt.Sprint(s.tx.timers))
	return true
}

// stale is why this connection proves nothing, "" if it does.
func (s *shell) stale(t *transaction) string {
	words := strings.Fields(s.connection)
	switch {
	case strings.HasPrefix(words[0], "127.") || words[0] == words[2]:
		return "a confirm must come over the network"
	case slices.Contains(t.seen, s.connection):
		return "this connection is not new"
	case s.x.Since.Before(t.born):
		return "this connection is older than the rules"
	}
	return ""
}

func (s *shell) commit(tx string) {
	switch {
	case s.tx == nil || s.tx.id != tx || s.running != s.tx.canon && s.pending(tx):
		s.refuse("commit the running rules are not the ones that were applied: somebody else changed them")
		return
	case s.pending(tx):
		s.persist()
	}
	s.over(tx)
}

// extend moves the deadline; false where that ends the dialogue.
func (s *shell) extend(tx, seconds string) bool {
	n, err := strconv.Atoi(seconds)
	if err != nil || n < 2 || n > 3600 {
		s.refuse("extend bad number of seconds")
		return false
	}
	if !s.pending(tx) {
		s.over(tx)
		return false
	}
	t := s.tx
	now, was := s.up(), t.deadline
	switch {
	case now+n-t.appliedUp > 3600:
		s.refuse("extend a transaction lasts 60 minutes at most")
		return false
	case now+n <= was: // a timer that sleeps until then would miss an earlier one
		s.say("extended", fmt.Sprint(s.left()), "(as it was)")
		return true
	}
	s.arm(now + n)
	t.timers += 2
	s.turn(applied)
	s.say("extended", fmt.Sprint(s.left()), " at watchdog", fmt.Sprintf("(was %d)", was-now))
	return true
}
