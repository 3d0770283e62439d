package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"fwpush/internal/lab"
)

// everything is what remove must leave as it was before the first push. A line
// of history may stay; at counts its jobs in .SEQ.
const everything = `nft list ruleset
find /etc /run /var/lib/fwpush /var/spool/cron -xdev ! -name .SEQ ! -path /var/lib/fwpush ! -path /var/lib/fwpush/history -printf '%p %y %m %U %l\n' 2>/dev/null | sort
find /etc -xdev -type f -exec md5sum {} + | sort
atq
processes=$(ps -e -o args=)
printf '%s\n' "$processes" | grep -v -e '^sshd: ' -e '^ps ' -e '^sh -s$' | sort
[ ! -d /run/systemd/system ] || { systemctl list-unit-files --no-legend; systemctl list-units --all --plain --no-legend '*fwpush*'; }
exit 0`

func TestApplyRoleWeb(t *testing.T) {
	t.Parallel()
	hosts := start(t, lab.HostOptions{Name: "web1"}, lab.HostOptions{Name: "web2"}, lab.HostOptions{Name: "web3"}, lab.HostOptions{Name: "bastion1"})
	webs, bastion := hosts[:3], hosts[3]
	f := webFleet("", webs)
	f.add(bastion, `"bastion"`)
	c := newController(t, f.String())
	bastion.sh(t, "nft -f - <<'X'\ntable inet mine {\n\tchain input {\n\t\ttype filter hook input priority 0;\n\t\ttcp dport 9 drop\n\t}\n}\nX")
	bastionBefore, contacts := bastion.ruleset(t), bastion.contacts(t)
	before := make([]string, len(webs))
	for i, h := range webs {
		before[i] = h.sh(t, everything)
		for _, port := range []int{80, 443, 3306} {
			h.serve(t, port, hangUp)
		}
	}
	// Whoever is silent later is kept silent by the rules.
	ports(t, bastion.net, webs, "22 open, 80 open, 443 open, 3306 open, 8080 refused")

	type visits struct{ logins, execs int }
	seen := map[*host]visits{}
	// visited compares what sshd has seen since the last time with what fwpush
	// says, and both with what a run may need.
	visited := func(t *testing.T, h *host, most int, said hostReport) {
		t.Helper()
		logins, execs := h.visits(t)
		news := visits{logins - seen[h].logins, execs - seen[h].execs}
		seen[h] = visits{logins, execs}
		if told := (visits{said.Connections, said.Execs}); news != told || news.logins > most || news.execs > most {
			t.Errorf("%s: sshd saw %+v, fwpush tells of %+v, want %d each at most", h.Name(), news, told, most)
		}
	}

	t.Run("confirms exactly the web hosts with two connections and executions each", func(t *testing.T) {
		r := c.runJSON(t, 0, "apply", "--role", "web", "-y")
		r.expect(t, all(webs, "confirmed"))
		if r.Command != "apply" || r.Run == "" {
			t.Errorf("command %q, run %q", r.Command, r.Run)
		}
		for _, h := range webs {
			said := r.host(t, h.Name())
			visited(t, h, 2, said)
			if said.Wave != 1 || said.Stage != "" || said.Error != "" || !strings.Contains(said.Diff, "+") {
				t.Errorf("%+v", said)
			}
			if sum, _, _ := strings.Cut(h.sh(t, "sha256sum </var/lib/fwpush/boot.nft"), " "); "sha256:"+sum != said.Digest {
				t.Errorf("the boot file of %s has digest %s, what was pushed %s", h.Name(), sum, said.Digest)
			}
		}
	})
	t.Run("leaves the bastion alone", func(t *testing.T) {
		if got := bastion.ruleset(t); got != bastionBefore {
			t.Errorf("bastion enforces\n%s\nand before\n%s", got, bastionBefore)
		}
		if got := bastion.contacts(t); contacts == 0 || got != contacts {
			t.Errorf("sshd of the bastion had %d connections before and has %d", contacts, got)
		}
	})
	reach := func(t *testing.T) {
		t.Helper()
		ports(t, bastion.net, webs, "22 silent, 80 open, 443 open, 3306 silent, 8080 silent")
		ports(t, network{}, webs, "22 open, 80 open, 443 open, 3306 silent")
		for _, h := range webs {
			for i, to := range bastion.both() {
				h.sh(t, fmt.Sprintf("ping -q -c 1 -W 5 %s", to))
				bastion.sh(t, fmt.Sprintf("ping -q -c 1 -W 5 %s", h.both()[i]))
			}
		}
	}
	t.Run("opens the web ports and closes the others over both families", reach)
	t.Run("no other of the first 1024 ports answers a stranger", func(t *testing.T) {
		var scanning sync.WaitGroup
		defer scanning.Wait()
		for _, a := range webs[0].both() {
			scanning.Go(func() {
				if got, err := bastion.net.scan(a, 1024); err != nil || !slices.Equal(got, []int{80, 443}) {
					t.Errorf("%s answers on %v (%v), want 80 and 443", a, got, err)
				}
			})
		}
	})
	t.Run("the same with the neighbours forgotten at both ends", func(t *testing.T) {
		known := "ip neigh show nud reachable nud stale nud delay nud probe"
		everyone(t, hosts, func(t *testing.T, h *host) {
			if before := h.sh(t, known); !strings.Contains(before, "10.99.") || !strings.Contains(before, "fd99:") {
				t.Fatalf("%s knows no neighbours to forget:\n%s", h.Name(), before)
			}
		})
		everyone(t, hosts, func(t *testing.T, h *host) {
			if left := h.sh(t, "ip neigh flush all; "+known); left != "" {
				t.Fatalf("%s still knows\n%s", h.Name(), left)
			}
		})
		reach(t)
	})
	t.Run("leaves no job, timer, unit, process or lock", func(t *testing.T) {
		everyone(t, webs, func(t *testing.T, h *host) {
			h.tidy(t)
			if got := h.state(t); got != "confirmed" {
				t.Errorf("%s: state %s", h.Name(), got)
			}
		})
	})
	t.Run("a second run is unchanged with one connection each", func(t *testing.T) {
		enforced := rulesets(t, webs)
		r := c.runJSON(t, 0, "apply", "--role", "web", "-y")
		r.expect(t, all(webs, "unchanged"))
		for _, h := range webs {
			said := r.host(t, h.Name())
			visited(t, h, 1, said)
			if said.Diff != "" || said.Drift {
				t.Errorf("%+v", said)
			}
		}
		same(t, webs, enforced)
	})
	t.Run("remove leaves the hosts as before the first push", func(t *testing.T) {
		r := c.runJSON(t, 0, "remove", "web[1-3]", "-y")
		r.expect(t, all(webs, "confirmed"))
		for i, h := range webs {
			visited(t, h, 2, r.host(t, h.Name()))
			until(t, h.Name()+" is as before the first push", processTime, func() (string, bool) {
				now := h.sh(t, everything)
				return difference(before[i], now), now == before[i]
			})
			if got := h.sh(t, "ls -A /var/lib/fwpush; wc -l </var/lib/fwpush/history"); got != "history\n2" {
				t.Errorf("%s keeps %q, want one line of history for the push and one for the removal", h.Name(), got)
			}
		}
		ports(t, bastion.net, webs[:1], "22 open, 80 open, 443 open, 3306 open, 8080 refused")
	})
}
