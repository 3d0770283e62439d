package commit

import (
	"errors"
	"strings"
	"testing"
	"time"

	"fwpush/internal/foreign"
	"fwpush/render"
)

const fuzzMark = "0123456789abcdef"

// said are the lines of a host in which M stands for the mark.
func said(text string) []string {
	return strings.Split(strings.ReplaceAll(text, "M ", fuzzMark+" "), "\n")
}

// FuzzFacts: whatever a host says, the controller neither panics nor keeps more than it was told,
// nothing but our own rules gets into what it is sent, and every refusal has its words.
func FuzzFacts(f *testing.F) {
	f.Add("banner\nM proto 1\nM uid 0\nM section running\ntable inet fwpush {\n}\nM ask\n")
	f.Add("M pending " + strings.Repeat("a", 32) + " applied 20 run no 10.0.0.1 who is it\nM ask")
	f.Add("M owner 1 a b c\nM lastrevert 1 2 3\nM clock 99999999999999999999\nM generation -1\nM held x")
	f.Add("M lastrevert 99999999999999 " + strings.Repeat("a", 32) + " run\nM lastdrill 5 " + strings.Repeat("a", 32) + " run -5 timer\nM uptime 99999999999999\nM ask")
	f.Add("M proto 1\nM uid 0\nM nft nftables v1.0.6 (Lester Gooch #5)\nM probe ok\nM section running\ntable inet fwpush {\n\tset x {\n\t\ttype ipv4_addr\n\t}\n\tchain input {\n" +
		"\t\ttype filter hook input priority filter - 10; policy drop;\n\t}\n}\nM canon same\nM generation 3\nM rules same\nM ask\n")
	f.Add("M tools iptables-restore iptables-save\nM iptables iptables v1.8.9 (nf_tables)\nM probe failed x\nM section foreign\n#: iptables nft\n*filter\n:INPUT DROP [0:0]\n" +
		"-A INPUT -j DROP\nCOMMIT\nM section chains\ntable ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n}\nM ask\n")
	candidate := rules(true, 80)
	f.Fuzz(func(t *testing.T, text string) {
		told := telling{mark: fuzzMark}
		for _, line := range said(text) {
			if done, err := told.hear(line); done || err != nil {
				refusedInWords(t, err)
				break
			}
		}
		facts := told.facts
		if n := len(facts.Running) + len(facts.Boot) + len(facts.Chains); n > 3*len(text)+3*len(fuzzMark)*len(text) {
			t.Errorf("%d bytes kept of %d told", n, len(text))
		}
		if facts.Uptime < 0 || facts.Generation < 0 || facts.Tracked < 0 || facts.Trackable < 0 || facts.HomeLines < 0 {
			t.Errorf("less than nothing: %+v", facts)
		}
		for _, r := range []*Reverted{facts.LastRevert} {
			if r == nil {
				continue
			}
			if _, err := r.When.MarshalJSON(); err != nil {
				t.Errorf("no time that can be told: %v", err)
			}
		}
		if d := facts.LastDrill; d != nil && d.Proved() && d.Late < 0 {
			t.Errorf("proved before its time: %+v", d)
		}
		if facts.Pending != nil && (facts.Pending.Left < 0 || !isHex(facts.Pending.TX, 32)) {
			t.Errorf("a holder that makes no sense: %+v", facts.Pending)
		}
		if r, ok := facts.usable(""); !ok && (r.Err == nil || r.Outcome != OutcomeFailed) {
			t.Errorf("refused as %+v", r)
		}
		for _, want := range []render.Backend{"", render.BackendNftables, render.BackendIptables} {
			c, lack := facts.Choose(want)
			switch {
			case lack != nil && (lack.What == "" || lack.Hint == "" || len(lack.What) > 1000):
				t.Errorf("lacks %q, %q", lack.What, lack.Hint)
			case lack == nil && c.Backend != render.BackendNftables && c.Backend != render.BackendIptables, want != "" && c.Backend != want:
				t.Errorf("chosen: %q", c.Backend)
			}
		}
		if drifted, known := facts.Drifted(); known && drifted && facts.Running == facts.Canon {
			t.Error("it has drifted from what it is")
		}
		if facts.Runs(candidate.Text) && (facts.Boot != candidate.Text || facts.Rules != candidate.Text) {
			t.Error("it is taken to run what it does not store")
		}
		if script := keptForm(candidate, facts); script != "" {
			oursAlone(t, script, candidate.Text)
		}
		facts.Absent()
		if n := len(facts.Foreign.Behind()); n > 20 {
			t.Errorf("%d refusals are told", n)
		}
	})
}

func refusedInWords(t *testing.T, err error) {
	t.Helper()
	var refused *refusedError
	if errors.As(err, &refused) && refused.stage == "" || err != nil && !errors.As(err, &refused) && err.Error() == "" {
		t.Errorf("refused as %#v", err)
	}
}

// oursAlone: a script that keeps base chains says nothing of a host's but names, and then the candidate.
func oursAlone(t *testing.T, script, candidate string) {
	t.Helper()
	_, declared, _ := strings.Cut(candidate, "delete table inet fwpush\n")
	prelude, ok := strings.CutSuffix(script, declared)
	if !ok {
		t.Fatalf("does not end in the candidate:\n%s", script)
	}
	for line := range strings.Lines(prelude) {
		words := strings.Fields(line)
		verb := words[0] == "add" || words[0] == "flush" || words[0] == "delete"
		if !verb || !strings.Contains(line, " inet fwpush") || strings.ContainsAny(line, ";{}\"#\\$*@") {
			t.Fatalf("the host put this into the script: %q", line)
		}
	}
}

// FuzzTold: what a host says of a generation, and of itself when it is examined. What is taken for
// rules of ours is what it told, and every number makes sense.
func FuzzTold(f *testing.F) {
	stored := rules(true, 80).Text
	f.Add("M uid 0\nM proto 1\nM kept 3 4 5\nM generation 4\nM newest 5\nM section rules\n"+stored+"M section meta\nrun x\ntx y\nM ask", Previous)
	f.Add("M generation 0\nM kept\nM ask", "7")
	f.Add("M generation -3\nM kept -1 99999999999999999999\nM section policy\n{}\nM refused past no", Before)
	f.Add("M home failed x\nM timerat ok 12\nM timersystemd failed 99999999999999999 why;\nM timerwatchdog failed -5\nM candidate refused x\nM backnft slow\n"+
		"M run rw /run 100 4096 0 0\nM lib ro /lib 9223372036854775807 9223372036854775807 1 2\nM units rw\nM section sshd\nmaxstartups 10:30:100\n\nM ask", "1")
	f.Fuzz(func(t *testing.T, text, which string) {
		told := newTold()
		for _, line := range said(text) {
			if done, err := told.hear(fuzzMark, line); done || err != nil {
				refusedInWords(t, err)
				break
			}
		}
		g, r := told.generation(which)
		switch {
		case r.Err != nil && r.Outcome != OutcomeFailed:
			t.Errorf("refused as %+v", r)
		case r.Err == nil && (g.Number < 1 || g.Rules.Text != told.sections["rules"] || g.Rules.Digest == "" || g.Rules.Backend == ""):
			t.Errorf("taken for a generation: %+v", g)
		}
		for _, n := range g.Kept {
			if n < 1 {
				t.Errorf("it keeps %v", g.Kept)
			}
		}
		h := told.health()
		if n := h.Proved(); n < 0 || n > 3 {
			t.Errorf("%d timers", n)
		}
		for _, timer := range h.Timers {
			if timer.Took < 0 || timer.Proved && timer.Why != "" {
				t.Errorf("%+v", timer)
			}
		}
		for _, s := range h.Space {
			if s.Bytes < 0 || !s.Known && (s.Bytes > 0 || s.NoInodes || s.FewInodes) {
				t.Errorf("%+v", s)
			}
		}
		if len(h.Home) > 110 || h.Home == "" && told.words["home"] != "ok" {
			t.Errorf("home %q", h.Home)
		}
	})
}

// FuzzOver: only its own word for it makes a host confirmed, or reverted.
func FuzzOver(f *testing.F) {
	for _, word := range []string{"confirmed", "removed", "reverted", "reverted boot", "reverted home", "reverting open", "drilled", "confirmed boot", "confirm", "", "none"} {
		f.Add(word, "persist "+word)
	}
	f.Fuzz(func(t *testing.T, word, refused string) {
		cause := errors.New("the cause")
		p := &Pending{result: Result{Outcome: OutcomePending, Deadline: time.Now()}}
		r := p.over(word, StageApply, cause)
		state, mark, _ := strings.Cut(word, " ")
		switch r.Outcome {
		case OutcomeConfirmed:
			if state != "confirmed" && state != "removed" || r.Err != nil {
				t.Errorf("%q is confirmed: %+v", word, r)
			}
		case OutcomeReverted:
			if state != "reverted" && state != "drilled" || mark == "open" || mark == "boot" || mark == "home" || !errors.Is(r.Err, cause) {
				t.Errorf("%q is reverted: %+v", word, r)
			}
		case OutcomeUnknown:
			if !errors.Is(r.Err, cause) || len(r.Err.Error()) > 600 {
				t.Errorf("%q: %+v", word, r)
			}
		default:
			t.Errorf("%q: %+v", word, r)
		}
		if !r.Deadline.IsZero() {
			t.Errorf("%q is over, with a deadline", word)
		}
		if e := refusal(refused); e.stage == "" || !strings.HasSuffix(refused, e.text) {
			t.Errorf("%q: %+v", refused, e)
		}
		if h, err := parseHolder(word); err == nil && (h.Left < 0 || h.Left > 24*time.Hour) {
			t.Errorf("%q: %+v", word, h)
		}
	})
}

// FuzzForeign: listings of others as a host puts them together. A table that nft knows of, other than
// ours, is not lost.
func FuzzForeign(f *testing.F) {
	const chains = "table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n}\ntable inet other {\n\tchain x {\n\t\ttype filter hook input priority -5; policy accept;\n\t}\n}\n"
	f.Add("#: iptables nft\n*filter\n:INPUT DROP [0:0]\n-A INPUT -j DROP\nCOMMIT\n#: ip6tables legacy\n*filter\nCOMMIT\n", chains, "")
	f.Add("#: nft\n{\"nftables\":[{\"table\":{\"family\":\"inet\",\n\"name\":\"other\",\"handle\":1}},{\"chain\":{\"family\":\"inet\",\"table\":\"other\",\"name\":\"x\",\"type\":\"filter\",\"hook\":\"input\",\"prio\":0,\"policy\":\"drop\"}}]}", chains, "")
	f.Add("#: large\n#: silent\n#: iptables\n", "table inet fwpush {\n", "iptables-save: failed")
	f.Fuzz(func(t *testing.T, section, chains, xtError string) {
		got := readForeign(section, chains, xtError)
		has := map[string]bool{}
		for _, table := range got.Tables {
			has[string(table.Family)+" "+table.Name] = true
			if table.Engine == foreign.Nft && table.Family == "inet" && table.Name == "fwpush" {
				t.Error("our own table is another's")
			}
		}
		for _, table := range foreign.ParseChains(chains).Without(ourTables(), ourChains()).Tables {
			if !has[string(table.Family)+" "+table.Name] {
				t.Errorf("table %s is lost", table)
			}
		}
		if xtError != "" && got.Unread == "" {
			t.Error("it is not said that iptables could not list its rules")
		}
		got.Behind()
		got.By()
	})
}

// TestNumbersThatNoHostHas: a count below zero is none, and a time after the year 9999 would
// keep everything else that is written as JSON from being written.
func TestNumbersThatNoHostHas(t *testing.T) {
	tx := strings.Repeat("a", 32)
	for _, line := range []string{"generation -1", "uptime 99999999999999", "tracked -1", "uid -1", "clock 99999999999999"} {
		told := telling{mark: fuzzMark}
		if _, err := told.hear(fuzzMark + " " + line); err == nil || !strings.Contains(err.Error(), "not a number that makes sense") {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, epoch := range []string{"-1", "253402300800000"} {
		if r, err := parseReverted(epoch + " " + tx + " run"); err == nil {
			t.Errorf("a revert at %s: %v", epoch, r.When)
		}
	}
	for _, words := range []map[string]string{{"generation": "-3"}, {"generation": "0", "kept": "3 -1"}} {
		told := newTold()
		told.words = words
		if _, r := told.generation("3"); r.Err == nil || errors.Is(r.Err, ErrNoGeneration) {
			t.Errorf("%v: %v", words, r.Err)
		}
	}
	if took := trial("at", "ok 9223372036854775807").Took; took != 0 {
		t.Errorf("took %v", took)
	}
}

// TestPendingThatCannotBeRead: a transaction that makes no sense is refused, and nothing is kept of it.
func TestPendingThatCannotBeRead(t *testing.T) {
	tx := strings.Repeat("a", 32)
	for _, rest := range []string{"", "x", tx, tx + " applied", tx + " applied soon run no 10.0.0.1 who", "short applied 20 run no 10.0.0.1 who"} {
		told := telling{mark: fuzzMark}
		if _, err := told.hear(fuzzMark + " pending " + rest); err == nil || told.facts.Pending != nil {
			t.Errorf("%q: %v, and is kept as %+v", rest, err, told.facts.Pending)
		}
	}
}
