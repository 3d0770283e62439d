package commit

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// raceRounds is how often confirm and revert race for one transaction. TestChaosRow51 goes on.
const raceRounds = 60

// The race is run on the real programs: the confirm through its own dialogue,
// the revert as a timer runs it, both let go at once.
func TestRow51ConfirmAndRevertHaveExactlyOneWinner(t *testing.T) {
	working(t)
	race(t, rounds(raceRounds), atomically).haveOneWinner(t)
}

// The control: the same race with a step that looks first and acts then.
func TestRow51IsSeenWithACheckThenActStep(t *testing.T) {
	working(t)
	tally := race(t, rounds(16), func(program string) string {
		return checkThenAct(t, program)
	})
	if len(tally.wrong) == 0 {
		t.Error("a check-then-act step passed: the race test cannot see what it is for")
	}
	t.Logf("check-then-act: %d of %d rounds wrong", len(tally.wrong), tally.rounds)
}

// atomically leaves a program as it is.
func atomically(program string) string { return program }

// rounds says n times that there is one more.
func rounds(n int) func() bool {
	return func() bool { n--; return n >= 0 }
}

// checkThenAct makes the step of a program one that looks first and acts a little later: on a busy
// machine that is what becomes of it.
func checkThenAct(t *testing.T, program string) string {
	const atomic = `mv -f "$R/$NAME" "$R/$next" 2>/dev/null || return 1`
	if !strings.Contains(program, atomic) {
		t.Fatal("the step that this test replaces is written in another way now")
	}
	return strings.ReplaceAll(program, atomic, `[ -e "$R/$NAME" ] || return 1; sleep 0.05; : >"$R/$next"; rm -f "$R/$NAME"`)
}

type tally struct {
	mu                          sync.Mutex
	rounds, confirmed, reverted int
	wrong                       []string
}

func (r *tally) haveOneWinner(t *testing.T) {
	t.Helper()
	t.Logf("%d rounds: %d confirmed, %d reverted", r.rounds, r.confirmed, r.reverted)
	if len(r.wrong) > 0 {
		t.Errorf("%d of %d rounds without exactly one winner, the first: %s", len(r.wrong), r.rounds, r.wrong[0])
	}
	if r.confirmed < r.rounds/20 || r.reverted < r.rounds/20 {
		t.Errorf("one side hardly ever wins (%d confirmed, %d reverted): this is no race", r.confirmed, r.reverted)
	}
}

// race goes on as long as there is one more round.
func race(t *testing.T, more func() bool, variant func(string) string) *tally {
	const hosts = 4
	result := &tally{}
	next := func() (round int, ok bool) {
		result.mu.Lock()
		defer result.mu.Unlock()
		if ok = more(); ok {
			result.rounds++
		}
		return result.rounds % 1000, ok // a port
	}
	var wg sync.WaitGroup
	for n := range hosts {
		h := newHost(t, lab.HostOptions{Name: fmt.Sprintf("%s%d", hostName(t), n)})
		h.mustApply(h.candidate(rules(false, 80), time.Minute))
		wg.Go(func() {
			// Whoever lost gets a head start the next time, by less and less while they
			// take turns, so that the two meet at the decision as often as can be.
			lead, step, before := 10*time.Millisecond, 8*time.Millisecond, false
			for first := true; ; first = false {
				round, ok := next()
				if !ok {
					return
				}
				confirmed := h.raceOnce(result, variant, round, lead)
				if !first && confirmed != before {
					step = max(step/2, time.Millisecond)
				}
				before = confirmed
				if confirmed {
					lead -= step
				} else {
					lead += step
				}
			}
		})
	}
	wg.Wait()
	return result
}

// raceOnce lets a commit and a revert go at once, the commit with a lead, and
// looks who won: the state, the answer, the running rules and the boot file
// must all agree. It returns whether the commit won.
func (h *host) raceOnce(result *tally, variant func(string) string, round int, lead time.Duration) bool {
	ctx := context.WithoutCancel(h.t.Context())
	wrong := func(format string, args ...any) bool {
		result.mu.Lock()
		defer result.mu.Unlock()
		result.wrong = append(result.wrong, fmt.Sprintf("round %d on %s: ", round, h.Name())+fmt.Sprintf(format, args...))
		return false
	}
	marker := fmt.Sprintf("tcp dport %d accept", 8000+round)
	conn, err := h.dialer.Dial(ctx, h.endpoint())
	if err != nil {
		return wrong("%v", err)
	}
	defer conn.Close()
	c := h.candidate(rules(false, 8000+round), time.Minute)
	c.Judge = func(Facts) Verdict { return Verdict{Act: Go} }
	p, r := Begin(ctx, conn, c)
	if p == nil {
		return wrong("not applied: %v", r.Err)
	}
	d, fire, wait, err := h.rivals(ctx, p, variant, "revert now")
	if err != nil {
		return wrong("%v", err)
	}
	if lead < 0 {
		fire()
		time.Sleep(-lead)
	}
	d.say(ctx, "commit")
	if lead >= 0 {
		time.Sleep(lead)
		fire()
	}
	word, rest, err := d.hear(ctx, stageTime)
	wait()
	answer := word + " " + rest
	after := h.sh(`cd /run/fwpush; echo S.*; grep -c '` + marker + `' /var/lib/fwpush/boot.nft; nft list table inet fwpush | grep -c '` + marker + `'; true`)
	switch after {
	case fmt.Sprintf("%s\n1\n1", stateFile(after, p.tx, "confirmed")):
		if answer != "over confirmed" {
			return wrong("confirmed, but the answer was %q (%v)", answer, err)
		}
		result.mu.Lock()
		defer result.mu.Unlock()
		result.confirmed++
		return true
	case fmt.Sprintf("%s\n0\n0", stateFile(after, p.tx, "reverted")):
		if answer == "over confirmed" {
			return wrong("reverted, but the answer was %q", answer)
		}
		result.mu.Lock()
		defer result.mu.Unlock()
		result.reverted++
		return false
	}
	// Put the host right for the next round.
	h.sh("cd /run/fwpush && rm -f S.* && : >S." + p.tx + ".reverted.0.1.1")
	return wrong("answer %q (%v); state files, new boot file, new rules: %q", answer, err, after)
}

// rivals are two that both stand ready to take p's next step: a confirm that was
// found fresh, and a timer that will run the line of script. fire lets the timer
// go, wait waits until it is done and closes the confirm's connection.
func (h *host) rivals(ctx context.Context, p *Pending, variant func(string) string, line string) (d *dialogue, fire, wait func(), err error) {
	conn, err := h.dialer.Dial(ctx, h.endpoint())
	if err != nil {
		return nil, nil, nil, err
	}
	if d, err = start(ctx, conn, variant(finishProgram()), "confirm", p.tx); err != nil {
		conn.Close()
		return nil, nil, nil, err
	}
	d.hear(ctx, wordTime)
	d.say(ctx, p.nonce, p.seal)
	if word, rest, err := d.hear(ctx, wordTime); word != "fresh" {
		conn.Close()
		return nil, nil, nil, fmt.Errorf("%q %q %w", word, rest, err)
	}
	timer := h.Command(ctx, "sh", "-c", `echo ready; read -r go; eval "$1"`, "sh",
		variant(program("", "base", "list", "load", "watcher", "timer", "persist"))+"\nmyself\nT="+p.tx+"\nD=$R/tx/$T\nlook\n"+line+"\n")
	stdin, err := timer.StdinPipe()
	if err != nil {
		conn.Close()
		return nil, nil, nil, err
	}
	ready, err := timer.StdoutPipe()
	if err != nil || timer.Start() != nil {
		conn.Close()
		return nil, nil, nil, fmt.Errorf("the timer did not start: %w", err)
	}
	ready.Read(make([]byte, 6))
	fire = func() { stdin.Write([]byte("go\n")) }
	wait = func() {
		timer.Wait()
		conn.Close()
	}
	return d, fire, wait, nil
}

// stateFile is the first line of text if it names that one state file.
func stateFile(text, tx, state string) string {
	line, _, _ := strings.Cut(text, "\n")
	if strings.HasPrefix(line, "S."+tx+"."+state+".") && !strings.Contains(line, " ") {
		return line
	}
	return "none"
}
