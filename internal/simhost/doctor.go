package simhost

import (
	"fmt"
	"strconv"
	"strings"
)

// doctor is scripts/doctor.sh: facts, and then what was tried. Nothing is kept of it.
func (s *shell) doctor() {
	s.greet()
	s.tell()
	s.say("ask")
	line, _ := s.ask(patience)
	var lengths [3]int
	words := strings.Fields(line)
	if len(words) != 1+len(lengths) || words[0] != "examine" {
		return
	}
	for i := range lengths {
		n, err := strconv.Atoi(words[1+i])
		if err != nil || n < 0 || len(words[1+i]) > 9 {
			return
		}
		lengths[i] = n
	}
	var files [3]string
	for i, n := range lengths {
		var whole bool
		if files[i], whole = s.receive(n); !whole {
			return
		}
	}
	if end, _ := s.ask(patience); end != "end "+s.mark {
		return
	}
	candidate, canary, loader := files[0], files[1], files[2]
	if texts := s.texts(); canary != texts.Canary || loader != "" && loader != texts.Loader {
		s.fleet.tb.Errorf("simhost: %s was sent a canary or loader that is not this version's", s.name)
	}
	s.say("home ok")
	if candidate != "" {
		answer := "candidate ok"
		if why := s.check(&transaction{rules: candidate}, "", loader); why != "" {
			answer = "candidate refused " + why
		}
		s.say(answer)
	}
	if back := s.back(); back != "" {
		s.say(back)
	}
	s.health()
	s.say("ask")
}

// back tells that what runs could be put back, where it is not what was confirmed.
func (s *shell) back() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.running == s.last().canon || s.running == "":
		return ""
	case isIptables(s.running):
		return "backipt ok"
	}
	return "backnft ok"
}

// health is what does not depend on what was sent.
func (s *shell) health() {
	f := s.fault()
	timers := []string{"at ok 3", "systemd failed 0 there is no systemd;", "watchdog ok 2"}
	if s.fleet.options.Systemd {
		timers[1] = "systemd ok 5"
	}
	if f.NoAt {
		timers[0] = "at failed 500 atd does not run jobs (systemctl start atd; chage -l root);"
	}
	for _, t := range timers {
		s.say("timer" + t)
	}
	s.say("lacks")
	s.say("ifaces eth0 lo")
	s.say("forward4 0")
	s.say("forward6 0")
	s.say("inet6 yes")
	s.say("section addrs")
	fmt.Fprintf(s.x.Stdout, "2: eth0    inet %s/24 scope global eth0\\       valid_lft forever preferred_lft forever\n", s.address())
	s.say("leased")
	s.say("section listen")
	fmt.Fprintf(s.x.Stdout, "LISTEN 0      128    0.0.0.0:%d 0.0.0.0:* users:((\"sshd\",pid=32,fd=3))\n", s.addr.Port())
	s.say("section sshd")
	fmt.Fprintf(s.x.Stdout, "maxstartups 10:30:100\n")
	init := "sh"
	if s.fleet.options.Systemd {
		init = "systemd"
	}
	s.say("init", init)
	s.say("loaders")
	s.say("run rw /run 100000 4096 100000 100000")
	s.say("lib rw /var/lib 100000 4096 100000 100000")
}

// address is that by which the fleet file knows the host: Options.Address, or else where
// its sshd listens.
func (s *shell) address() string {
	if a := s.fleet.options.Address; a != nil {
		return a(s.name)
	}
	return s.addr.Addr().String()
}
