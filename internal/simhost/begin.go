package simhost

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"fwpush/internal/commit"
	"fwpush/render"
)

// patience is how long a host waits for a word.
const patience = 60 * time.Second

// begin is scripts/begin.sh: facts, then on the controller's word stage, check, arm
// and apply.
func (s *shell) begin() {
	s.greet()
	if !s.settle() {
		return
	}
	s.mu.Lock()
	base := s.step
	s.mu.Unlock()
	s.tell()
	s.say("ask")
	t, lengths, ok := s.goLine()
	if !ok {
		return
	}
	if why := s.claim(t, base); why != "" {
		s.say(why)
		return
	}
	if !s.stage(t, lengths) {
		return
	}
	s.say("checked ")
	for {
		word, _ := s.ask(patience)
		switch word {
		case "hold":
			continue
		case "apply":
			s.apply(t)
		case "":
			s.dropped(t, "stop the controller did not answer")
		default:
			s.dropped(t, "stop asked by the controller")
		}
		return
	}
}

// settle finishes what an earlier run left; false where another one holds the host.
func (s *shell) settle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.tx == nil || s.tx.over():
	case s.due():
		s.say("settling")
		s.revert(asked)
	case s.tx.state != applied && !s.tx.beginsHere:
		s.record("reverted (its owner died before apply)")
		s.drop()
	default:
		s.say("held", s.holder())
		return false
	}
	return true
}

// goLine hears what is to be done; a line that is no go line ends the program.
func (s *shell) goLine() (t *transaction, lengths []int, ok bool) {
	line, _ := s.ask(patience)
	words := strings.Fields(strings.TrimSuffix(line, " drill"))
	if len(words) != 11 || words[0] != "go" {
		return nil, nil, false
	}
	numbers := make([]int, 0, 7)
	for i, w := range words[1:] {
		n, err := strconv.Atoi(w)
		switch {
		case i < 2 && !isHex(w), i >= 2 && i != 3 && (err != nil || n < 0 || len(w) > 9):
			s.refuse("protocol bad go line")
			return nil, nil, false
		case i >= 2 && i != 3:
			numbers = append(numbers, n)
		}
	}
	t = &transaction{id: words[1], nonce: words[2], window: numbers[0], remove: words[4] == "remove", drill: strings.HasSuffix(line, " drill"), beginsHere: true,
		exclusive: s.args[2] == string(commit.ModeExclusive)}
	for _, field := range []*string{&t.run, &t.stamp, &t.who} {
		if *field, ok = s.ask(patience); !ok {
			return nil, nil, false
		}
	}
	return t, numbers[1:6], true
}

// claim makes the host this transaction's, or says who was faster.
func (s *shell) claim(t *transaction, base int) (why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.step == base:
	case s.tx != nil && !s.tx.over():
		return "held " + s.holder()
	default:
		return "refused claim another run changed this host at the same moment; try again"
	}
	t.seen, t.before, t.unit = []string{s.connection}, s.running, s.Host.unit
	s.tx = t
	s.turn(staged)
	return ""
}

// stage hears the files and checks them.
func (s *shell) stage(t *transaction, lengths []int) bool {
	files := make([]string, len(lengths))
	whole := true
	for i, n := range lengths {
		if whole {
			files[i], whole = s.receive(n)
		}
	}
	end := ""
	if whole {
		end, _ = s.ask(patience)
	}
	if end != "end "+t.id {
		return s.dropped(t, "stage the upload was cut short")
	}
	revert, loader := files[2], files[3]
	if texts := s.texts(); revert != texts.Revert || loader != "" && loader != texts.Loader {
		s.fleet.tb.Errorf("simhost: %s was sent a revert program or loader that is not this version's", s.name)
	}
	t.rules, t.policy = files[0], files[4]
	if why := s.check(t, files[1], loader); why != "" {
		return s.dropped(t, "check new rules refused: "+why)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !t.remove && !t.drill && (s.unit == "absent" || s.unit == "differs" || s.unit == "disabled") {
		s.unit = "ok"
	}
	s.write()
	return true
}

// check is what nft and iptables-restore say of the new rules, as far as text tells.
func (s *shell) check(t *transaction, kept, loader string) string {
	switch why := s.fault().Refuse; {
	case why != "":
		return why
	case t.remove && (t.rules != "" || kept != ""):
		return "rules were sent to be removed"
	case t.remove:
	case isIptables(t.rules) && (!s.fleet.options.Iptables || loader == ""):
		return "iptables-restore: not found"
	case isIptables(t.rules):
	case !strings.HasPrefix(t.rules, header+"table inet fwpush {\n") || !strings.HasSuffix(t.rules, "\n}\n"):
		return "/dev/stdin:1:1-1: Error: syntax error"
	default:
		if _, err := render.ParseLayout(listing(t.rules)); err != nil {
			return err.Error()
		}
	}
	return ""
}

// dropped says why a transaction ends before anything was applied. It is always
// false.
func (s *shell) dropped(t *transaction, why string) bool {
	s.mu.Lock()
	if s.tx == t && !t.over() {
		s.drop()
	}
	s.mu.Unlock()
	s.say("dropped", why)
	return false
}

// apply arms two timers, loads the rules, draws the seal, and then still listens for
// the word of a controller that nobody lets in any more.
func (s *shell) apply(t *transaction) {
	s.mu.Lock()
	if s.tx != t || t.state != staged {
		s.mu.Unlock()
		s.say("dropped", "arm lost the host to another run")
		return
	}
	s.arm(s.up() + t.window)
	t.timers = 2
	s.turn(armed)
	s.say("armed", fmt.Sprint(s.left()), "at watchdog")
	s.turn(applied)
	s.say("applying")
	if why := s.faults.Fail; why != "" {
		s.revert(asked)
		s.mu.Unlock()
		s.say("reverted", "load failed (status 1): "+why)
		return
	}
	s.running = listing(t.rules)
	t.canon, t.born, t.appliedUp, t.seal, t.beginsHere = s.running, time.Now(), s.up(), draw(), false
	s.write()
	s.say("applied", fmt.Sprint(s.left()), t.seal)
	s.mu.Unlock()

	if word, _ := s.ask(time.Duration(t.window) * time.Second); word != "revert" {
		return
	}
	s.mu.Lock()
	if s.tx == t {
		s.revert(asked)
	}
	taken := t.state == reverted
	s.mu.Unlock()
	if taken { // and not confirmed by somebody else before
		s.say("reverted", "asked by the controller")
	}
}
