package simhost

import (
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"time"

	"fwpush/internal/commit"
	"fwpush/render"
)

// Versions that hosts tell of their programs.
const (
	nftVersion = "nftables v1.0.6 (Lester Gooch #5)"
	xtVersion  = "iptables v1.8.9 (nf_tables)"
)

// inspect is the program that changes nothing.
func (s *shell) inspect() {
	s.greet()
	s.tell()
	s.say("ask")
}

// greet ends a line that a login script may have left open.
func (s *shell) greet() { io.WriteString(s.x.Stdout, "\n") }

// tell says all facts, as the host is at this moment, in one piece.
func (s *shell) tell() {
	if d := s.fault().SlowFacts; d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.x.Context().Done():
		}
	}
	t := &telling{mark: s.mark, lie: s.lie}
	s.mu.Lock()
	s.facts(t)
	s.mu.Unlock()
	io.WriteString(s.x.Stdout, t.text.String())
}

// telling is facts in the order of scripts/facts.sh.
type telling struct {
	mark string
	lie  func(string) string
	text strings.Builder
}

func (t *telling) say(key, value string) {
	line := key + " " + value
	if t.lie != nil {
		line = t.lie(line)
	}
	t.text.WriteString(t.mark + " " + line + "\n")
}

// section is lines of text, without the newline of the last one.
func (t *telling) section(name, text string) {
	t.say("section", name)
	if text = strings.TrimRight(text, "\n"); text != "" {
		t.text.WriteString(text + "\n")
	}
}

// facts needs the lock.
func (s *shell) facts(t *telling) {
	want, policy := s.args[0], s.args[1]
	uid := "0"
	if !s.root {
		uid = "1000"
	}
	t.say("proto", "1")
	t.say("uid", uid)
	t.say("host", s.name)
	t.say("bootid", s.bootID)
	t.say("connection", s.connection)
	t.say("uptime", fmt.Sprint(s.up()))
	t.say("clock", fmt.Sprint(time.Now().Unix()))
	t.say("tracked", "12")
	t.say("trackable", "65536")
	tools := "nft at setsid unshare "
	if s.fleet.options.Systemd {
		tools += "systemd-run "
	}
	if s.fleet.options.Iptables {
		tools += "iptables-restore iptables-save ip6tables-restore ip6tables-save ipset "
	}
	t.say("tools", tools)
	t.say("systemd", yes(s.fleet.options.Systemd))
	t.say("nft", nftVersion)
	t.say("unit", s.unit)
	if s.owner != "" {
		t.say("owner", s.owner)
	}
	if s.lastRevert != "" {
		t.say("lastrevert", s.lastRevert)
	}
	if s.lastDrill != "" {
		t.say("lastdrill", s.lastDrill)
	}
	if s.tx != nil && !s.tx.over() {
		t.say("pending", s.holder())
	}
	t.say("generation", fmt.Sprint(s.newest))
	if s.exclusive {
		t.say("exclusive", "yes")
		t.say("loader", sum(s.fleet.texts[1].Loader))
	}
	if s.newest == 0 && want == "auto" {
		t.say("probe", "ok")
	}
	if s.fleet.options.Iptables && (want == string(render.BackendIptables) || isIptables(s.running) || isIptables(s.boot)) {
		t.say("iptables", xtVersion)
		t.say("ipv6", "yes")
		t.say("ipset", "ok")
		if isIptables(s.boot) {
			t.say("loader", sum(s.fleet.texts[0].Loader))
		}
	}
	t.section("running", s.running)
	if s.others != "" {
		t.section("foreign", s.others)
	}
	if s.home != "" && s.args[2] == string(commit.ModeExclusive) {
		t.section("home", s.home)
		t.say("homelines", fmt.Sprint(strings.Count(s.home, "\n")))
		t.say("homesum", sum(s.home))
	}
	s.stored(t, policy)
	t.section("chains", s.foreign+baseChains(s.running))
}

// stored is what of the confirmed rules is not said already.
func (s *shell) stored(t *telling, policy string) {
	if s.boot != "" {
		t.section("boot", s.boot)
	}
	if s.newest == 0 {
		return
	}
	g := s.last()
	t.section("meta", g.meta)
	if g.rules == s.boot {
		t.say("rules", "same")
	} else {
		t.section("rules", g.rules)
	}
	if policy != "none" && g.policy != "" {
		if sum(g.policy) == policy {
			t.say("policy", "same")
		} else {
			t.section("policy", g.policy)
		}
	}
	if g.canon == s.running {
		t.say("canon", "same")
	} else {
		t.section("canon", g.canon)
	}
}

// holder is the transaction of the state file, for others.
func (s *shell) holder() string {
	t := s.tx
	left := t.window // not armed yet: it cannot end later than this
	if t.deadline > 0 {
		left = s.left()
	}
	from, _, _ := strings.Cut(t.seen[0], " ")
	return fmt.Sprintf("%s %s %d %s no %s %s", t.id, t.state, left, t.run, from, t.who)
}

// baseChains is what `nft list chains` prints of a table of ours.
func baseChains(listing string) string {
	if listing == "" || isIptables(listing) {
		return ""
	}
	var b strings.Builder
	b.WriteString("table inet fwpush {\n")
	open := false
	for line := range strings.Lines(listing) {
		switch {
		case strings.HasPrefix(line, "\tchain "), open && (line == "\t}\n" || strings.HasPrefix(line, "\t\ttype ")):
			b.WriteString(line)
			open = line != "\t}\n"
		}
	}
	b.WriteString("}\n")
	return b.String()
}

func isIptables(text string) bool { return render.BackendOf(text) == render.BackendIptables }

func sum(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
