package proposal

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fwpush/internal/foreign"
	"fwpush/roles/space"
)

// Line is a rule, and what is to be said of it.
type Line struct {
	Place string // file and line, or the chain where lines have no numbers
	Rule  string // as its engine writes it
	Why   string
}

func (l Line) String() string { return l.Place + ": " + l.Rule + ": " + l.Why }

// piece is packets that a rule decides for good.
type piece struct {
	packets space.Region // those that come as far as to it
	full    space.Region // all it is about
	accept  bool
	rule    *foreign.Rule // nil for a policy
	at      string
	limit   *limit // accepts no more than that
	curbs   []curb // that refuse a part of it before
}

// curb is a limit that refuses what is over it, and lets all else go on.
type curb struct {
	packets space.Region
	limit   *limit
	at      string
	rule    *foreign.Rule
}

// hook is what becomes of packets of a family on a hook.
type hook struct {
	pieces []piece
	curbs  []curb
	policy bool         // what falls off the end is refused
	others string       // whose rules were left out, "" for nobody's
	sentOn space.Region // let through if nat has sent it there
	log    *foreign.Rule
}

// mayEnter is said of rules that refuse, where the role does not.
const mayEnter = "what it refuses may be let in"

// errTooMuch is rules of which more would have to be worked out than is worth waiting for.
var errTooMuch = errors.New("too many rules that cut each other into pieces; take those of a service out into a file of their own, and import that")

const (
	mostBoxes = 2_000 // boxes at one place
	mostSteps = 5_000 // rules that are walked through, in chains as often as they are jumped to
	mostDeep  = 32
	mostCurbs = 300 // limits of what goes on, each of which may cut all boxes behind it
)

// walker leads all first packets of a family through chains.
type walker struct {
	reader *reader
	table  *foreign.Table
	v6     bool
	nat    bool // the chains translate
	out    *hook
	steps  int
	err    error
}

// reader collects what is to be told of rules, each once.
type reader struct {
	files    map[foreign.Family]string
	lines    bool // they have lines that people can look up
	managers map[*foreign.Rule]string
	chains   map[*foreign.Chain]string
	policies map[*foreign.Chain]string
	present  map[string]bool // managers
	builtin  []Line
	lost     []Line
	told     map[string]bool
}

func (r *reader) place(t *foreign.Table, chain string, rule *foreign.Rule) string {
	file := r.files[t.Family]
	if file == "" {
		file = r.files[foreign.Inet]
	}
	if rule != nil && rule.Line > 0 && r.lines {
		return fmt.Sprintf("%s:%d", file, rule.Line)
	}
	return fmt.Sprintf("%s: %s %s", file, t, chain)
}

func (r *reader) tell(list *[]Line, place, rule, why string) {
	l := Line{place, rule, why}
	if key := l.String(); !r.told[key] {
		r.told[key] = true
		*list = append(*list, l)
	}
}

// walk leads packets through a chain and returns what falls off its end. Full is what
// may come here at all.
func (w *walker) walk(c *foreign.Chain, alive, full space.Region, deep int) (falls space.Region) {
	for i := range c.Rules {
		if w.steps++; w.steps > mostSteps || len(alive) > mostBoxes || deep > mostDeep {
			w.err = errTooMuch
		}
		if w.err != nil || len(alive) == 0 {
			return append(falls, alive...)
		}
		r := &c.Rules[i]
		at := w.reader.place(w.table, c.Name, r)
		if who := w.reader.managers[r]; who != "" {
			w.reader.tell(&w.reader.lost, at, r.Text, "is of "+who+", which goes on by itself")
			w.out.others = who
			continue
		}
		m := match(w.table, *r, w.v6)
		if m.empty {
			w.passed(at, r)
			continue
		}
		hit, whole := alive.And(m.box), full.And(m.box)
		if w.loopback(at, r, m) {
			alive = alive.Minus(m.box)
			continue
		}
		alive, falls = w.rule(c.Rules[i+1:], r, at, m, hit, whole, alive, falls, deep)
	}
	return append(falls, alive...)
}

// rule does to packets what a rule does; rest are those behind it in its chain.
func (w *walker) rule(rest []foreign.Rule, r *foreign.Rule, at string, m matched, hit, whole, alive, falls space.Region, deep int) (goOn, off space.Region) {
	lose := func(why string) { w.reader.tell(&w.reader.lost, at, r.Text, why) }
	kind := r.Verdict.Kind
	switch {
	case w.nat && kind != foreign.Continue && (len(m.unsure) > 0 || m.limit != nil):
		lose(m.untranslated(kind))
		return alive, falls
	case kind == foreign.Accept && m.sentOn && len(m.unsure) == 1 && m.limit == nil:
		w.reader.tell(&w.reader.builtin, at, r.Text, "what nat sends on is let through")
		w.out.sentOn = append(w.out.sentOn, hit...)
		return alive, falls
	}
	if len(m.unsure) > 0 && kind != foreign.Continue {
		why := "not understood: " + strings.Join(m.unsure, ", ")
		switch kind {
		case foreign.Accept:
			lose(why + "; it opens nothing")
		case foreign.Drop, foreign.Reject:
			lose(why + "; " + mayEnter)
		default:
			lose(why + "; left out with all behind it")
		}
		return alive, falls
	}
	switch kind {
	case foreign.Continue:
		switch {
		case logs(r) && !w.nat:
			w.out.log = r
			w.reader.tell(&w.reader.builtin, at, r.Text, "what is refused is logged: the key log")
		case m.limit != nil && m.limit.keep:
			w.reader.tell(&w.reader.builtin, at, r.Text, "counts for a limit")
		default:
			lose("changes packets or counts them, which has no key")
		}
	case foreign.Accept, foreign.Drop, foreign.Reject:
		accept := kind == foreign.Accept
		switch l := m.limit; {
		case l == nil || l.keep: // what only counts decides about all that it counts
			w.out.pieces = append(w.out.pieces, piece{packets: hit, full: whole, accept: accept, rule: r, at: at, curbs: slices.Clip(w.out.curbs)})
			return alive.Minus(m.box), falls
		case accept && !l.over:
			w.out.pieces = append(w.out.pieces, piece{packets: hit, full: whole, accept: true, rule: r, at: at, limit: l, curbs: slices.Clip(w.out.curbs)})
		case !accept && l.over:
			w.curb(whole, l, at, r)
		case accept:
			lose("a limit turned round: it opens nothing")
		default:
			lose("a limit turned round; " + mayEnter)
		}
		if m.limit.note != "" {
			w.reader.tell(&w.reader.builtin, at, r.Text, m.limit.note)
		}
	case foreign.Jump, foreign.Goto:
		to := w.table.Chain(r.Verdict.Chain)
		switch l := m.limit; {
		case to == nil:
			lose("jumps to a chain that is not there")
			return alive, falls
		case l == nil || l.keep:
		case l.over && refuseAll(to.Rules):
			w.curb(whole, l, at, r)
			return alive, falls
		default:
			lose("a limit before a chain has no key; left out with all behind it")
			return alive, falls
		}
		back := w.walk(to, hit, whole, deep+1)
		alive = alive.Minus(m.box)
		if kind == foreign.Goto {
			return alive, append(falls, back...)
		}
		return append(alive, back...), falls
	case foreign.Return:
		switch l := m.limit; {
		case l == nil || l.keep:
		case !l.over && refuseAll(rest):
			w.curb(whole, l, at, r)
		default:
			lose("a limit before the end of a chain has no key; left out with all behind it")
			return alive, falls
		}
		return alive.Minus(m.box), append(falls, hit...)
	case foreign.DNAT, foreign.SNAT, foreign.Masquerade, foreign.Redirect:
		if !w.nat {
			lose("translates where rules are that refuse; left out")
			return alive, falls
		}
		if to := r.Verdict.To.Addr(); to.IsValid() && to.Is6() != w.v6 {
			return alive, falls // it sees the other family only
		}
		w.out.pieces = append(w.out.pieces, piece{packets: hit, full: whole, rule: r, at: at})
		return alive.Minus(m.box), falls
	default:
		lose("does what no rule of a fleet file does; left out")
	}
	return alive, falls
}

// curb notes that packets are refused which are over a limit.
func (w *walker) curb(packets space.Region, l *limit, at string, r *foreign.Rule) {
	free, _ := w.out.accepted() // which never get here
	if len(w.out.curbs) == mostCurbs {
		w.err = errTooMuch
		return
	}
	w.out.curbs = append(w.out.curbs, curb{packets: packets.Without(free), limit: l, at: at, rule: r})
}

// refuseAll tells whether rules refuse whatever comes to them.
func refuseAll(rules []foreign.Rule) bool {
	for i := range rules {
		switch r := &rules[i]; r.Verdict.Kind {
		case foreign.Continue:
		case foreign.Drop, foreign.Reject:
			return len(r.Matches)+len(r.Opaque) == 0
		default:
			return false
		}
	}
	return false
}

// logs tells whether a rule writes a log line.
func logs(r *foreign.Rule) bool {
	words := strings.Fields(r.Text)
	if !strings.HasPrefix(r.Text, "-A ") {
		return slices.Contains(words, "log")
	}
	i := slices.Index(words, "-j")
	return i >= 0 && i+1 < len(words) && (words[i+1] == "LOG" || words[i+1] == "NFLOG" || words[i+1] == "ULOG")
}

// passed tells of a rule that is about no first packet.
func (w *walker) passed(at string, r *foreign.Rule) {
	kind := r.Verdict.Kind
	refuses := kind == foreign.Drop || kind == foreign.Reject
	for _, m := range r.Matches {
		switch {
		case m.Field == foreign.CtState && !m.Not && slices.Contains(m.Names, "invalid"):
			w.settled(at, r, kind == foreign.Accept, "invalid packets are dropped")
			return
		case m.Field == foreign.CtState:
			w.settled(at, r, refuses, "replies are let in")
			return
		case m.Field == foreign.TCPSyn && m.Not:
			w.reader.tell(&w.reader.builtin, at, r.Text, "connection tracking says what begins a connection")
			return
		}
	}
}

// loopback tells whether a rule is about what a host sends itself, which is let through.
func (w *walker) loopback(at string, r *foreign.Rule, m matched) bool {
	lo := space.NamesOf("lo")
	if m.box.In.Equal(lo) || m.box.Out.Equal(lo) {
		w.settled(at, r, r.Verdict.Kind == foreign.Drop || r.Verdict.Kind == foreign.Reject, "what a host sends to itself is let in")
		return true
	}
	return false
}

// settled tells of a rule about what no role decides: it is as that is, or it is lost.
func (w *walker) settled(at string, r *foreign.Rule, otherwise bool, how string) {
	list := &w.reader.builtin
	if otherwise {
		list, how = &w.reader.lost, how+", whatever a role says"
	}
	w.reader.tell(list, at, r.Text, how)
}
