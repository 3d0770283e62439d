package commit

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/render"
)

// examine examines a host for rules.
func (h *host) examine(rs render.Ruleset) Result {
	h.t.Helper()
	return Examine(h.t.Context(), h.dial(), h.exam(rs))
}

func (h *host) exam(rs render.Ruleset) Exam {
	return Exam{Rules: func(Facts) (render.Ruleset, error) { return rs, nil }}
}

// health is that of a host that can be examined.
func (h *host) health(rs render.Ruleset) Health {
	h.t.Helper()
	r := h.examine(rs)
	if r.Health == nil {
		h.t.Fatalf("not examined: %v", r.Err)
	}
	return *r.Health
}

func (h Health) timers() string {
	var words []string
	for _, t := range h.Timers {
		word := t.Kind
		if !t.Proved {
			word += "(" + t.Why + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// footprint is all that an examination could leave on a host: rules, files with their
// times, jobs, units, processes, control groups. At counts its jobs.
const footprint = `nft list ruleset
find /etc /var /srv /home /usr/local -xdev -path /var/log -prune -o -path /var/cache -prune -o -type f -printf '%p %m %U %T@ %s\n' 2>/dev/null |
	grep -v -e /atjobs -e '^/etc/ld' | sort
ls -A /tmp | grep -v -e '^sort' -e '^go-'
find /run /var/lib/fwpush /var/spool/cron -printf '%p %m %U %y\n' 2>/dev/null |
	grep -v -e /run/systemd -e /run/user -e /run/log -e /run/udev -e /run/utmp -e /run/motd | sort
find /run/systemd/transient 2>/dev/null | grep fwpush
atq
ps -e -o args= | grep -E '[c]anary|[s]leep [0-9]{1,4}$'
find /sys/fs/cgroup -name 'fwpush*' 2>/dev/null
[ ! -d /run/systemd/system ] || systemctl list-units --all --plain --no-legend 'fwpush*'
exit 0`

func TestDoctorProvesTimersAndLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		o      lab.HostOptions
		timers string
	}{
		{"light", lab.HostOptions{}, "at systemd(there is no systemd) watchdog"},
		{"systemd", lab.HostOptions{Systemd: true}, "at systemd watchdog"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			working(t)
			h := newHost(t, tc.o)
			before := h.sh(footprint)
			got := h.health(rules(false, 80))
			if after := h.sh(footprint); after != before {
				t.Errorf("the host is not as before:\n%s", lineDiff(before, after))
			}
			if got.timers() != tc.timers || got.Proved() != 2 {
				t.Errorf("timers %s, %d proved", got.timers(), got.Proved())
			}
			if got.Candidate == nil || got.Candidate.State != "ok" || got.Home != "" || len(got.Lacks) > 0 || got.Back != nil {
				t.Errorf("%+v", got)
			}
			if !got.HasIP || !strings.Contains(got.Addresses, h.Addr4().String()) || !got.HasSS || !strings.Contains(got.Listen, ":22 ") {
				t.Errorf("network: %+v", got)
			}
			for _, s := range got.Space {
				if !s.Known || s.ReadOnly || s.Bytes < 1<<20 || s.NoInodes {
					t.Errorf("space: %+v", s)
				}
			}
		})
	}
}

// What a doctor runs, it runs under any /bin/sh, and on hosts that have other tools.
func TestDoctorUnderOtherShellsAndTools(t *testing.T) {
	t.Parallel()
	type kind struct {
		name, root, install, timers string
	}
	kinds := []kind{
		{"busybox tools", "busybox", "", "at(at is not installed (apt install at)) systemd(there is no systemd) watchdog"},
		{"openrc", "openrc", "", "at systemd(there is no systemd) watchdog"},
	}
	for shell, install := range shells {
		kinds = append(kinds, kind{shell, "", install, "at systemd(there is no systemd) watchdog"})
	}
	for _, tc := range kinds {
		t.Run(tc.name, func(t *testing.T) {
			working(t)
			o := lab.HostOptions{}
			if tc.root != "" {
				o.Root = root(t, tc.root)
			}
			h := newHost(t, o)
			h.sh(tc.install)
			h.sh("nft add table inet fwpush") // of nobody: a revert has to put it back
			got := h.health(rules(false, 80))
			if got.timers() != tc.timers || got.Home != "" || len(got.Lacks) > 0 || got.Candidate == nil || got.Candidate.State != "ok" || len(got.Back) != 1 {
				t.Errorf("%s\n%+v", got.timers(), got)
			}
			for _, s := range got.Space {
				if !s.Known || s.ReadOnly || s.Bytes < 1<<20 {
					t.Errorf("space: %+v", s)
				}
			}
			if left := h.sh("ls -d /run/fwpush* 2>/dev/null || true; ps -o args | grep '[c]anary' || true"); left != "" {
				t.Errorf("left: %s", left)
			}
			h.sh("mkdir -p /var/lib; mount -t tmpfs -o ro none /var/lib")
			if got := h.health(rules(false, 80)); !slices.ContainsFunc(got.Space, func(s Space) bool { return s.Path == "/var/lib" && s.ReadOnly }) {
				t.Errorf("read-only: %+v", got.Space)
			}
		})
	}
}

// lineDiff is the lines of one that the other has not.
func lineDiff(before, after string) string {
	var b strings.Builder
	for _, side := range []struct{ sign, text, other string }{{"-", before, after}, {"+", after, before}} {
		other := map[string]bool{}
		for line := range strings.SplitSeq(side.other, "\n") {
			other[line] = true
		}
		for line := range strings.SplitSeq(side.text, "\n") {
			if !other[line] {
				b.WriteString(side.sign + line + "\n")
			}
		}
	}
	return b.String()
}

// Whatever ends an examination in the middle, the host is soon as it was before.
func TestDoctorCutShortLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, wait string
		o          lab.HostOptions
		end        func(h *host, end context.CancelFunc)
	}{
		{"connection closed before the first timer", "mkfifo", lab.HostOptions{}, func(_ *host, end context.CancelFunc) { end() }},
		{"connection closed between timers", "systemd-run", lab.HostOptions{Systemd: true}, func(_ *host, end context.CancelFunc) { end() }},
		{"killed behind at", "setsid", lab.HostOptions{}, func(h *host, _ context.CancelFunc) { h.killDoctor() }},
		{"killed behind systemd", "setsid", lab.HostOptions{Systemd: true}, func(h *host, _ context.CancelFunc) { h.killDoctor() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			working(t)
			h := newHost(t, tc.o)
			h.wrap(tc.wait, "echo >/tmp/there; sleep 3.5")
			h.sh("echo >/tmp/there")
			before := h.sh(footprint)
			h.sh("rm /tmp/there")
			ctx, end := context.WithCancel(t.Context())
			defer end()
			done := make(chan Result, 1)
			conn := h.dial()
			go func() { done <- Examine(ctx, conn, h.exam(rules(false, 80))) }()
			h.until("the timers are tried", 20*time.Second, func() bool { return h.sh("ls /tmp/there 2>/dev/null || true") != "" })
			if h.sh("ls -d /run/fwpush.*") == "" {
				t.Error("nothing to take away was there")
			}
			tc.end(h, end)
			if r := <-done; r.Err == nil {
				t.Error("an examination that was cut short has told all")
			}
			conn.Close()
			after := ""
			defer func() { // also where it never came to that
				if t.Failed() {
					t.Logf("left:\n%s", lineDiff(before, after))
				}
			}()
			h.until("the host is as before", 15*time.Second, func() bool {
				after = h.sh(footprint)
				d := lineDiff(before, after)
				return !strings.Contains(d, "+") || strings.Count(d, "\n") == strings.Count(d, "/tmp/there")
			})
		})
	}
}

// killDoctor ends the shell of the program at once.
func (h *host) killDoctor() {
	h.t.Helper()
	h.sh(`for d in /run/fwpush.*; do read -r pid _ <$d/owner; kill -9 "$pid"; done`)
}

// What a doctor that died has left is taken away by whoever comes next.
func TestSweepTakesWhatADeadDoctorLeft(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.sh("mkdir /run/fwpush.1.1 /run/fwpush.99999.7; touch /run/fwpush.99999.7/owner")
	h.health(rules(false, 80))
	if got := h.sh("ls -d /run/fwpush* 2>/dev/null || true"); got != "" {
		t.Errorf("left: %s", got)
	}
}

// While a transaction waits for its confirm a doctor finds a healthy host, and the
// transaction is as it was.
func TestDoctorBesideATransaction(t *testing.T) {
	t.Parallel()
	for _, o := range []lab.HostOptions{{}, {Systemd: true}} {
		t.Run(map[bool]string{false: "light", true: "systemd"}[o.Systemd], func(t *testing.T) {
			working(t)
			h := newHost(t, o)
			p := h.begin(h.candidate(rules(false, 80), time.Minute))
			state := "ls /run/fwpush/S.*; cat /run/fwpush/tx/*/timers; find /sys/fs/cgroup/fwpush -name cgroup.procs -exec cat {} + 2>/dev/null || true"
			before := h.sh(state)
			r := h.examine(rules(false, 443))
			if r.Err != nil || r.Health == nil || r.Health.Proved() != NeededTimers || r.Facts.Pending == nil {
				t.Fatalf("%+v %v", r.Health, r.Err)
			}
			if after := h.sh(state); after != before {
				t.Errorf("the transaction is another one:\n%s", lineDiff(before, after))
			}
			if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
				t.Errorf("%s: %v", r.Outcome, r.Err)
			}
			h.clean()
		})
	}
}

// What keeps a timer from working is told with what to do, the same as in a push.
func TestDoctorSeesTimersThatDoNotWork(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, harm, timers string
		proved             int
	}{
		{"atd dead", lab.AtdDies, "at(atd does not run jobs (systemctl start atd; chage -l root)) systemd(there is no systemd) watchdog", 1},
		{"atd stopped", "kill -STOP $(cat /run/atd.pid)", "at(atd does not run jobs (systemctl start atd; chage -l root)) systemd(there is no systemd) watchdog", 1},
		{"at missing", "rm /usr/bin/at", "at(at is not installed (apt install at)) systemd(there is no systemd) watchdog", 1},
		{"account expired", "chage -E 1 root", "at(atd does not run jobs (systemctl start atd; chage -l root)) systemd(there is no systemd) watchdog", 1},
		{"no setsid", "rm /usr/bin/setsid; chmod 644 /usr/bin/at", "at(at is not installed (apt install at)) systemd(there is no systemd) watchdog(setsid is not installed (apt install util-linux))", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			conn := h.dial() // an expired account cannot log in any more
			h.sh(tc.harm)
			r := Examine(t.Context(), conn, h.exam(rules(false, 80)))
			if r.Health == nil {
				t.Fatal(r.Err)
			}
			if r.Health.timers() != tc.timers || r.Health.Proved() != tc.proved {
				t.Errorf("%s, %d proved", r.Health.timers(), r.Health.Proved())
			}
			if left := h.sh("atq | grep -v = || true; ls -d /run/fwpush.* 2>/dev/null || true"); left != "" && tc.name != "account expired" {
				t.Errorf("left: %s", left)
			}
		})
	}
}

// Rules that the host would not load are found without a push, in both backends and in
// both directions.
func TestDoctorTriesRules(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	bad := ruleset(strings.Replace(rules(false, 80).Text, "counter drop", "counter drip", 1))
	if got := h.health(bad); got.Candidate == nil || got.Candidate.State != "refused" || !strings.Contains(got.Candidate.Text, "drip") {
		t.Errorf("%+v", got.Candidate)
	}
	if got := h.health(render.Ruleset{}); got.Candidate != nil {
		t.Errorf("%+v of no rules", got.Candidate)
	}
	before := h.sh("nft list ruleset; iptables-save; ip6tables-save")
	if got := h.health(xtRules(false, "", 80)); got.Candidate == nil || got.Candidate.State != "ok" {
		t.Errorf("iptables: %+v", got.Candidate)
	}
	if after := h.sh("nft list ruleset; iptables-save; ip6tables-save"); after != before {
		t.Errorf("rules were loaded:\n%s", lineDiff(before, after))
	}
	// Loaded by hand and never confirmed: a revert would have to load it.
	h.sh("nft add table inet fwpush")
	if got := h.health(rules(false, 80)); len(got.Back) != 1 || got.Back[0].State != "ok" {
		t.Errorf("back: %+v", got.Back)
	}
}
