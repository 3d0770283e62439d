package commit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"fwpush/render"
	"fwpush/transport"
)

// examineTime is what a host may take for all that it tries: three timers of 5 s each,
// checks of rules under limits of their own, 60 s at most.
const examineTime = 3 * time.Minute

// Exam is what a host is examined for.
type Exam struct {
	Want   render.Backend
	Mode   Mode
	Policy string // as for Inspect
	// Rules are the candidate, once the facts are known. An error says that there can be
	// none for such a host, and nothing of a candidate is tried then.
	Rules func(Facts) (render.Ruleset, error)
}

// Examine asks a host for its facts and tries what a push would need: both kinds of
// timers by real jobs, whether the candidate would load, and what else the host tells of
// itself. It takes no lock and changes no rules, and works while a transaction is pending.
// What it makes on the host is gone when it returns, or seconds after the connection is.
//
// The Result has the Facts where the host told them, and the Health where it was tried;
// its Err says why that is missing, or what keeps fwpush from working with this host at all.
func Examine(ctx context.Context, conn *transport.Conn, x Exam) Result {
	d, err := start(ctx, conn, doctorProgram(x.Mode), want(x.Want), known(x.Policy), x.Mode.word())
	if err != nil {
		return beginTrouble(StageInspect, err)
	}
	defer d.close()
	f, err := d.facts(ctx)
	if err != nil {
		return beginTrouble(StageInspect, err)
	}
	r, usable := f.usable(x.Want)
	r.Facts = &f
	if f.UID != 0 || f.Protocol != protocol {
		return r // nothing can be tried there
	}
	told, err := d.examine(ctx, f, x)
	switch {
	case err != nil:
		r = beginTrouble(StageInspect, err)
		r.Facts = &f
		return r
	case usable:
		r = Result{Facts: &f}
	}
	r.Health = told.health()
	return r
}

// examine has the host try, and hears what came of it.
func (d *dialogue) examine(ctx context.Context, f Facts, x Exam) (*told, error) {
	candidate, loader := "", ""
	if rules, err := x.Rules(f); err == nil {
		candidate = rules.Text
	}
	if render.BackendOf(candidate) == render.BackendIptables || f.runsIptables() {
		loader = bootProgram(x.Mode.on(f))
	}
	canary := canaryProgram()
	payload := []byte(fmt.Sprintf("examine %d %d %d\n", len(candidate), len(canary), len(loader)) + candidate + canary + loader + "end " + d.mark + "\n")
	limit := uploadTime(len(payload))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		// A host that has no room for it says so, and does not read it.
		_ = d.send(ctx, payload, limit)
	}()
	t, err := d.tell(ctx, time.Now().Add(limit+examineTime))
	d.close()
	<-sent
	return t, err
}

// Health is what a host told of itself when it was examined, beside its Facts. All of it
// is the host's word.
type Health struct {
	Home      string  // why nothing could be written below /run, "" if that went well
	Timers    []Trial // in the order in which a push tries them
	Candidate *Check  // nil where there was none to try
	Back      []Check // of the rules that run, where they are not the confirmed ones
	Lacks     []string
	Space     []Space
	Ifaces    []string
	Addresses string // `ip -o addr show scope global`; HasIP is false where there is no ip
	HasIP     bool
	IPv6      bool
	Forward4  bool
	Forward6  bool
	Leased    string // the client of DHCP that runs, "" if none is known
	Listen    string // lines of `ss -Hltnp` about sshd; HasSS is false where there is no ss
	HasSS     bool
	SSHD      map[string]string // limits of sshd, by keyword in lower case; empty where it does not tell
	Init      string            // what process 1 is called
	Loaders   []string          // services that load rules of their own at boot
}

// Trial is a kind of timer that was tried.
type Trial struct {
	Kind   string // at, which brings a watchdog along; systemd; watchdog
	Proved bool
	Took   time.Duration
	Why    string // it did not; "" where the host has nothing of the kind
}

// Check is whether the host would load rules.
type Check struct {
	State string // ok, refused, slow, unasked: no network namespace to ask in
	Text  string // of a refusal
}

// Space is the room that a file system has.
type Space struct {
	Path      string
	ReadOnly  bool
	Known     bool
	Bytes     int64
	NoInodes  bool // has a fixed number of them, and none is left
	FewInodes bool // fewer than a push makes files
}

// NeededTimers is how many timers must prove themselves before a host applies.
const NeededTimers = 2

// Proved is how many timers a push would have: at comes with a watchdog; without it
// there are those of systemd and the session.
func (h Health) Proved() int {
	n := 0
	for _, t := range h.Timers {
		switch {
		case !t.Proved:
		case t.Kind == "at":
			return NeededTimers
		default:
			n++
		}
	}
	return n
}

func (t *told) health() *Health {
	w, s := t.words, t.sections
	_, hasIP := s["addrs"]
	_, hasSS := s["listen"]
	h := &Health{
		Lacks: strings.Fields(w["lacks"]), Ifaces: strings.Fields(w["ifaces"]), Addresses: s["addrs"], HasIP: hasIP,
		IPv6: w["inet6"] == "yes", Forward4: w["forward4"] == "1", Forward6: w["forward6"] == "1", Leased: w["leased"],
		Listen: s["listen"], HasSS: hasSS, SSHD: map[string]string{}, Init: w["init"], Loaders: strings.Fields(w["loaders"]),
	}
	if why := w["home"]; why != "ok" {
		h.Home = clip(strings.TrimPrefix(why, "failed "))
		if why == "" {
			h.Home = "the host did not say whether it could"
		}
	}
	for _, kind := range []string{"at", "systemd", "watchdog"} {
		if line, ok := w["timer"+kind]; ok {
			h.Timers = append(h.Timers, trial(kind, line))
		}
	}
	if line, ok := w["candidate"]; ok {
		c := check(line)
		h.Candidate = &c
	}
	for _, key := range []string{"backnft", "backipt"} {
		if line, ok := w[key]; ok {
			h.Back = append(h.Back, check(line))
		}
	}
	for _, key := range []string{"run", "lib", "units"} {
		if line, ok := w[key]; ok {
			h.Space = append(h.Space, space(line))
		}
	}
	for line := range strings.Lines(s["sshd"]) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		h.SSHD[key] = value
	}
	return h
}

// trial reads "ok 12 why" or "failed 500 why"; the time is in hundredths of a second.
func trial(kind, line string) Trial {
	t := Trial{Kind: kind}
	how, rest, _ := strings.Cut(line, " ")
	took, why, _ := strings.Cut(rest, " ")
	var n int
	if _, err := fmt.Sscan(took, &n); err == nil && n >= 0 && int64(n) <= mostNumber {
		t.Took = time.Duration(n) * 10 * time.Millisecond
	}
	t.Proved = how == "ok"
	if !t.Proved {
		t.Why = strings.TrimSuffix(strings.TrimSpace(why), ";")
	}
	return t
}

func check(line string) Check {
	state, text, _ := strings.Cut(line, " ")
	switch state {
	case "ok", "slow", "unasked":
		return Check{State: state}
	}
	return Check{State: "refused", Text: strings.TrimSpace(text)}
}

// space reads "rw PATH BLOCKS SIZE INODES ALL"; the numbers are missing where the host
// cannot tell.
func space(line string) Space {
	var how string
	var s Space
	var blocks, size, inodes, all int64
	n, _ := fmt.Sscan(line, &how, &s.Path, &blocks, &size, &inodes, &all) // fewer are fewer known
	s.ReadOnly = how == "ro"
	s.Known = n == 6 && blocks >= 0 && size > 0 && blocks <= 1<<62/size
	if s.Known {
		s.Bytes = blocks * size
		s.NoInodes = all > 0 && inodes <= 0
		s.FewInodes = all > 0 && inodes < 100
	}
	return s
}
