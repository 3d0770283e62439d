package e2e

import (
	"fmt"
	"strings"
	"testing"

	"fwpush/internal/lab"
)

// TestFewerThanTwoTimersThroughTheCommandLine pushes to a sound host and to
// hosts whose timers do not work. The faults themselves are the business of
// package commit; here it is what a user sees of them.
func TestFewerThanTwoTimersThroughTheCommandLine(t *testing.T) {
	t.Parallel()
	hosts := start(t, lab.HostOptions{Name: "timer-sound"}, lab.HostOptions{Name: "timer-dead"},
		lab.HostOptions{Name: "timer-missing", Without: []string{"/usr/bin/at"}}, lab.HostOptions{Name: "timer-stopped"})
	sound, dead, missing, stopped := hosts[0], hosts[1], hosts[2], hosts[3]
	dead.sh(t, lab.AtdDies)
	stopped.sh(t, "kill -STOP $(cat /run/atd.pid)")
	c := newController(t, webFleet("", hosts).String())
	before := rulesets(t, hosts[1:])

	e := c.run(t, 3, "apply", "-y", "-o", "json", "--max-fail", "100%")
	r := e.report(t)
	if got := r.host(t, sound.Name()); got.Outcome != "confirmed" {
		t.Errorf("the sound host: %+v", got)
	}
	for name, remedy := range map[string]string{
		dead.Name():    "systemctl start atd",
		missing.Name(): "apt install at",
		stopped.Name(): "systemctl start atd",
	} {
		got := r.host(t, name)
		if got.Outcome != "failed" || got.Stage != "arm" || !strings.Contains(got.Error, remedy) {
			t.Errorf("%s %s at %s: %s; want failed at arm with %q", name, got.Outcome, got.Stage, got.Error, remedy)
		}
		if !strings.Contains(e.stderr, remedy) {
			t.Errorf("stderr has no %q:\n%s", remedy, e.stderr)
		}
	}
	if !strings.Contains(e.stderr, "exit 3: 3 hosts failed: timer-dead,timer-missing,timer-stopped") {
		t.Errorf("stderr:\n%s", e.stderr)
	}
	same(t, hosts[1:], before)
	for _, h := range hosts[1:] {
		if got := h.state(t); got != "reverted" {
			t.Errorf("%s: state %s", h.Name(), got)
		}
	}
}

// TestWaysIn reaches a host as a user with sudo, one over IPv6 alone, and one
// whose sshd is on another port, in one run.
func TestWaysIn(t *testing.T) {
	t.Parallel()
	hosts := start(t,
		lab.HostOptions{Name: "way-sudo", Users: []lab.User{{Name: "ops", Sudo: true}, {Name: "weak"}}},
		lab.HostOptions{Name: "way-six"},
		lab.HostOptions{Name: "way-port", Port: 2222})
	sudo, six, port := hosts[0], hosts[1], hosts[2]
	six.sh(t, "ip -4 address flush dev eth0")
	sudo.sh(t, "passwd -l root >/dev/null; rm /root/.ssh/authorized_keys")

	f := fleet{}
	f.add(sudo, `"web"`, `ssh = { user = "ops" }`)
	f.entries = append(f.entries, fmt.Sprintf("[hosts.%s]\nroles = [\"web\"]\naddresses = [%q]\n", six.Name(), six.Addr6()))
	f.add(port, `"web"`, `ssh = { port = 2222 }`)
	c := newController(t, f.String())
	r := c.runJSON(t, 0, "apply", "-y")
	r.expect(t, all(hosts, "confirmed"))
	for _, h := range r.Hosts {
		if h.Connections > 2 || h.Execs > 2 {
			t.Errorf("%s: %d connections, %d executions", h.Name, h.Connections, h.Execs)
		}
	}
	everyone(t, hosts, func(t *testing.T, h *host) {
		h.tidy(t)
		if got := h.ruleset(t); !strings.Contains(got, "tcp dport { 80, 443 } accept") {
			t.Errorf("%s enforces\n%s", h.Name(), got)
		}
	})
	if log := six.console(t); strings.Count(log, "Accepted publickey for root from "+world.Addr6().String()) != 2 {
		t.Errorf("%s was not reached over IPv6:\n%s", six.Name(), log)
	}
	if log := sudo.console(t); strings.Count(log, "Accepted publickey for ops") != 2 {
		t.Errorf("%s was not reached as ops:\n%s", sudo.Name(), log)
	}
	if got := port.ruleset(t); !strings.Contains(got, "tcp dport 2222") || strings.Contains(got, "tcp dport 22 ") {
		t.Errorf("%s admits management to another port than 2222:\n%s", port.Name(), got)
	}
	c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "unchanged"))

	// One who may not become root is told so, and nothing happens.
	weak := fleet{parts: []string{onePortMore}}
	weak.add(sudo, `"web"`, `ssh = { user = "weak" }`)
	c.write(t, "weak.toml", weak.String())
	before := rulesets(t, hosts[:1])
	e := c.run(t, 3, "apply", "-i", "weak.toml", "-y")
	if !strings.Contains(e.stderr, "NOPASSWD") {
		t.Errorf("no remedy in\n%s", e)
	}
	same(t, hosts[:1], before)
}

// TestAtQueueThatChangesWhileItIsRead has at(1) and atrm(1) give up once, as
// they do when any job ends while they read the queue: the one of fwpush must
// still be taken away.
func TestAtQueueThatChangesWhileItIsRead(t *testing.T) {
	t.Parallel()
	hosts := startLight(t, "queue", 1)
	h := hosts[0]
	h.program(t, "/usr/sbin/at", `case $1 in
-c) ! mkdir /run/at-gave-up 2>/dev/null || { echo "Cannot stat in /var/spool/cron/atjobs: No such file or directory" >&2; exit 1; } ;;
esac
exec /usr/bin/at "$@"`)
	h.program(t, "/usr/sbin/atrm", `! mkdir /run/atrm-gave-up 2>/dev/null || { echo "Cannot stat in /var/spool/cron/atjobs: No such file or directory" >&2; exit 1; }
exec /usr/bin/atrm "$@"`)
	newController(t, webFleet("", hosts).String()).runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
	h.sh(t, "ls -d /run/at-gave-up /run/atrm-gave-up")
	h.tidy(t)
}
