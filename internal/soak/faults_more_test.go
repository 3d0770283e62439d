package soak

import (
	"strconv"
	"strings"
)

// programFaults are those of the programs that the scripts on a host are made of.
func programFaults() []*fault {
	var all []*fault
	add := func(name string, weight int, label, mode, arg, pattern string) {
		all = append(all, &fault{class: "programs", name: label, weight: weight, key: name, when: ever, strike: shimmed(name, mode, arg, pattern)})
	}
	for _, m := range []struct{ label, mode, arg, pattern string }{
		{"nft load fails", "fail", "0", "-f*"},
		{"nft load fails once", "once", "0", "-f*"},
		{"nft load dies", "dies", "0", "-f*"},
		{"nft load dies afterwards", "undone", "0", "-f*"},
		{"nft load hangs", "hangs", "0", "-f*"},
		{"nft load is slow", "slow", "1.5", "-f*"},
		{"nft check fails", "fail", "0", "-c*"},
		{"nft list fails", "fail", "0", "*list*"},
		{"nft list hangs", "hangs", "0", "*list*"},
		{"nft of a revert fails once", "once", "0", "*old.nft*"},
		{"nft of a revert hangs", "hangs", "0", "*old.nft*"},
		{"nft of a revert dies", "dies", "0", "*old.nft*"},
	} {
		add("nft", 4, m.label, m.mode, m.arg, m.pattern)
	}
	all = append(all, &fault{class: "programs", name: "nft missing", weight: 6, key: "nft", when: ever, strike: nftMissing})
	for _, name := range []string{"mv", "sync"} {
		for _, mode := range []string{"fail", "once", "dies", "undone", "hangs", "slow"} {
			add(name, 3, name+" "+mode, mode, "0.7", "*")
		}
	}
	// Whatever else the scripts run.
	for _, name := range []string{"date", "awk", "sed", "grep", "cat", "rm", "mkdir", "cp", "ln", "cmp", "dd", "mkfifo", "rmdir", "tail", "head", "env", "atq", "atrm", "logger", "wall"} {
		for _, mode := range []string{"fail", "once", "hangs"} {
			add(name, 1, name+" "+mode, mode, "0", "*")
		}
	}
	all = append(all, &fault{class: "clock", name: "clock stepped", weight: 14, key: "date", when: ever, strike: clockStepped})
	return all
}

func nftMissing(s *subject, _ drawn) (wound, error) {
	_, err := s.console("rm /usr/sbin/nft")
	return wound{felt: now(!s.exists("/usr/sbin/nft")), heal: func() error {
		_, err := s.console("ln -f /usr/sbin/nft.real /usr/sbin/nft")
		return err
	}}, err
}

// clockStepped has date tell another time, as it does after a step.
func clockStepped(s *subject, d drawn) (wound, error) {
	by := []int{-7200, -3600, -45, 45, 3600, 86400}[d.n%6]
	return shimmed("date", "shift", strconv.Itoa(by), "*")(s, d)
}

// strangerFaults are what other tools and administrators do.
func strangerFaults() []*fault {
	f := func(name string, weight int, script string) *fault {
		return &fault{class: "strangers", name: name, weight: weight, key: "rules", when: midway, strike: stranger(script)}
	}
	return []*fault{
		f("ruleset flushed", 8, "nft.real flush ruleset"),
		f("table deleted", 6, "nft.real delete table inet fwpush"),
		f("rule added", 6, "nft.real add rule inet fwpush input tcp dport 31337 accept"),
		{class: "strangers", name: "foreign table drops all", weight: 8, key: "rules", when: ever, strike: foreignDrop},
	}
}

// stranger changes our table. Where no transaction is applied then, or where it is confirmed at
// that moment, nobody puts that right before the next push.
func stranger(script string) func(*subject, drawn) (wound, error) {
	return func(s *subject, _ drawn) (wound, error) {
		before, err := s.rules()
		if err != nil {
			return wound{}, err
		}
		first := s.state()
		_, err = s.console(script)
		last := s.state()
		after, _ := s.rules()
		return wound{felt: now(after != before), drift: first != last || first.word != "applied"}, err
	}
}

func foreignDrop(s *subject, _ drawn) (wound, error) {
	_, err := s.console(`printf '%s\n' "$1" | nft.real -f -`, "table inet stranger { chain in { type filter hook input priority -300; policy drop; counter drop; }\n }")
	shown, _ := s.console("nft.real list table inet stranger")
	return wound{felt: now(strings.Contains(shown, "policy drop")), heal: func() error {
		_, err := s.console("nft.real delete table inet stranger")
		return err
	}}, err
}

// ruleFaults are rules that lock everybody out, whatever the fleet file says.
func ruleFaults() []*fault {
	f := func(name, text string) *fault {
		return &fault{class: "rules", name: name, weight: 9, key: "nft", when: []string{"before"},
			strike: shimmed("nft", "evil", "0", "-f*", "/dev/shm/soak.evil", text)}
	}
	const flush = "flush chain inet fwpush input\n"
	return []*fault{
		f("total drop", flush+"add rule inet fwpush input counter drop\n"),
		f("no SSH", flush+"add rule inet fwpush input ct state established accept\nadd rule inet fwpush input tcp dport 22 counter drop\nadd rule inet fwpush input accept\n"),
		f("established only", flush+"add rule inet fwpush input ct state established accept\nadd rule inet fwpush input counter drop\n"),
		f("output closed", "add chain inet fwpush soak { type filter hook output priority 0; policy drop; }\n"),
	}
}
