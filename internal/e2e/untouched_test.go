package e2e

import (
	"regexp"
	"strings"
	"testing"

	"fwpush/internal/lab"
)

// rulesOfAll is what every program that knows of firewall rules tells, counters aside.
// Of tables of the legacy variant only those are asked for that are there: to ask for
// another would make it.
const rulesOfAll = `still() { sed -e 's/\[[0-9]*:[0-9]*\]$//' -e '/^# \(Generated\|Completed\)/d'; }
nft -s list ruleset
for ipt in iptables ip6tables; do
	$ipt-nft-save 2>&1 | still
	case $ipt in iptables) names=/proc/net/ip_tables_names ;; *) names=/proc/net/ip6_tables_names ;; esac
	cat $names 2>/dev/null | sort | while read -r table; do echo "$ipt legacy $table"; $ipt-legacy-save -t "$table" 2>&1 | still; done
done
ipset save 2>/dev/null | sort
`

// queues is what at and systemd have to do later. A login by itself makes a session and a
// slice of its user.
const queues = `
ls -laR --time-style=full-iso /var/spool/cron 2>/dev/null | grep -v '^total'
cat /var/spool/cron/atjobs/.SEQ 2>/dev/null
if [ -d /run/systemd/system ]; then
	systemctl list-unit-files --no-legend --plain
	systemctl list-timers --all --no-legend --plain | grep -o '[^ ]*\.timer' | sort
	find /run/systemd/system /run/systemd/transient -mindepth 1 -printf '%p %m %U %T@ %s\n' 2>/dev/null | grep -v -e 'user-' -e 'session-' | sort
fi
`

// TestReadersLeaveHostsAlone takes the digest of hosts of every kind before and after
// the verbs that only read: rules, files with owner, mode and times, queues, units,
// settings of the kernel. It holds on hosts that were never pushed to, on those that
// were, and on those that somebody edited since.
func TestReadersLeaveHostsAlone(t *testing.T) {
	t.Parallel()
	hosts := start(t, lab.HostOptions{Name: "plain"}, lab.HostOptions{Name: "dockered"}, lab.HostOptions{Name: "legacy"},
		lab.HostOptions{Name: "byiptables"}, lab.HostOptions{Name: "booted", Root: root(t, "bookworm"), Systemd: true})
	hosts[1].sh(t, "set -e\n"+dockerLike+"\n"+fail2banLike+"\n"+adminLike)
	hosts[2].sh(t, "set -e\niptables-legacy -A INPUT -p tcp --dport 8443 -j ACCEPT\nip6tables-legacy -N OURS\niptables-legacy -t nat -N KEPT")
	f := fleet{}
	for _, h := range hosts {
		f.add(h, `"web"`, map[string]string{
			"byiptables": `backend = "iptables"`,
			"dockered":   `coexist = ["docker", "fail2ban", "iptables"]`,
			"legacy":     `coexist = ["iptables"]`,
		}[h.Name()])
	}
	c := newController(t, f.String())

	readers := func(t *testing.T, differs int) {
		t.Helper()
		for _, args := range []struct {
			words string
			code  int // -1: 0 or 1
		}{{"diff", differs}, {"diff --stat", differs}, {"diff --between", -1}, {"status", 0}, {"status -o json", 0}} {
			before := make([]string, len(hosts))
			for i, h := range hosts {
				h.tidy(t)
				before[i] = h.sh(t, rulesOfAll+queues+keptAsItIs)
			}
			e := c.start(t, nil, strings.Fields(args.words)...).wait(t)
			if args.code >= 0 && e.exit != args.code || args.code < 0 && e.exit > 1 {
				t.Errorf("fwpush %s: exit %d, want %d\n%s", args.words, e.exit, args.code, e)
			}
			for i, h := range hosts {
				until(t, "after fwpush "+args.words+" "+h.Name()+" is as before", processTime, func() (string, bool) {
					now := h.sh(t, rulesOfAll+queues+keptAsItIs)
					return difference(before[i], now), now == before[i]
				})
			}
		}
	}
	t.Run("never pushed to", func(t *testing.T) { readers(t, 1) })
	t.Run("confirmed", func(t *testing.T) {
		c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
		readers(t, 0)
	})
	t.Run("examined", func(t *testing.T) {
		// A doctor has jobs of at and a unit of systemd run, and a directory made below
		// /run: what is left is the number of at's next job, and times of directories.
		passing := regexp.MustCompile(`(?m)^(.*\.SEQ.*|[0-9a-f]+|/var/spool/cron.*|d[rwxTt-]{9} .*|/run 20.*)\n`)
		look := func(h *host) string { return passing.ReplaceAllString(h.sh(t, rulesOfAll+queues+keptAsItIs)+"\n", "") }
		for _, args := range []string{"doctor", "doctor -o json"} {
			before := make([]string, len(hosts))
			for i, h := range hosts {
				h.tidy(t)
				before[i] = look(h)
			}
			if e := c.start(t, nil, strings.Fields(args)...).wait(t); e.exit != 0 {
				t.Errorf("fwpush %s: %s", args, e)
			}
			for i, h := range hosts {
				until(t, "after fwpush "+args+" "+h.Name()+" is as before", processTime, func() (string, bool) {
					now := look(h)
					return difference(before[i], now), now == before[i]
				})
				if left := h.leftovers(t); left != "" {
					t.Errorf("left on %s: %s", h.Name(), left)
				}
			}
		}
	})
	t.Run("edited by hand", func(t *testing.T) {
		hosts[0].sh(t, "nft insert rule inet fwpush input tcp dport 2323 accept")
		hosts[3].sh(t, "iptables -I FWPUSH-IN 3 -p tcp --dport 2323 -j ACCEPT")
		hosts[4].sh(t, "nft insert rule inet fwpush input tcp dport 2323 accept")
		readers(t, 1)
		e := c.run(t, 1, "diff", "--between", "--color", "never")
		if !strings.Contains(e.stdout, "edited by hand (drift)") || !strings.Contains(e.stdout, "iptables, the others nftables") {
			t.Errorf("--between:\n%s", e)
		}
		foreign := c.run(t, 1, "diff", "--color", "never").stdout
		if !strings.Contains(foreign, "not fwpush's: dockered (1): table ip filter (docker)") || !strings.Contains(foreign, "table inet f2b-table (fail2ban) chain f2b-chain hook input priority filter - 1 policy accept") {
			t.Errorf("what is not ours:\n%s", foreign)
		}
	})
}
