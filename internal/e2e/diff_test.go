package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// untouchedBy is everything that a command which only reads leaves as it is.
// Directories tell by their times of what came and went in them; in /run of a
// systemd host pam_motd(8) writes at every login.
const untouchedBy = "nft list ruleset\n" + keptAsItIs

// keptAsItIs is all of that but the rules. A process in parentheses is systemd's, on its way to execute
// something.
const keptAsItIs = `stat -c '%n %y' /var/lib
[ -d /run/systemd/system ] || stat -c '%n %y' /run
find /etc /run/fwpush /var/lib/fwpush /var/spool/cron /var/tmp /tmp -xdev -printf '%p %i %m %U %T@ %s\n' 2>/dev/null | sort
find /etc /run/fwpush /var/lib/fwpush -xdev -type f -exec md5sum {} + 2>/dev/null | sort
atq
find /proc/sys/net -type f ! -name nf_conntrack_count -exec grep -H . {} + 2>/dev/null | sort
processes=$(ps -e -o args=)
printf '%s\n' "$processes" | grep -v -e sshd -e '^ps ' -e '^sh -s$' -e '<defunct>' -e '^(.*)$' -e '/lib/systemd/systemd' | sort
[ ! -d /run/systemd/system ] ||
	systemctl list-units --state=active,failed --plain --no-legend --type=service,timer | grep -v -e user-runtime-dir@ -e user@ | tr -s ' '
exit 0`

// root is the root tree of a Debian release.
func root(t *testing.T, suite string) string {
	t.Helper()
	// The first test that wants a tree makes it, which takes a minute or two.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	dir, err := world.Root(ctx, suite)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestDiffOnThreeDistributions compares, pushes and compares again on hosts with
// nft 0.9.8, 1.0.6 and 1.1.3, two of them booted by systemd.
func TestDiffOnThreeDistributions(t *testing.T) {
	t.Parallel()
	hosts := start(t,
		lab.HostOptions{Name: "bookworm", Root: root(t, "bookworm"), Systemd: true},
		lab.HostOptions{Name: "bullseye", Root: root(t, "bullseye")},
		lab.HostOptions{Name: "trixie", Root: root(t, "trixie"), Systemd: true})
	for i, version := range []string{"v1.0.6", "v0.9.8", "v1.1.3"} {
		if got := hosts[i].sh(t, "nft --version"); !strings.Contains(got, version) {
			t.Errorf("%s has %s, want %s", hosts[i].Name(), got, version)
		}
	}
	f := fleet{login: "20s", parts: []string{`[sets.office]
addresses = ["198.51.100.0/24", "203.0.113.5-203.0.113.9", "2001:db8:1::/48"]

[roles.web]
outbound = "reject"
in = [
  { deny = "all", from = "set:office", comment = "not from there" },
  { allow = ["http", "https", "udp/443"] },
  { allow = "tcp/9100-9110", from = ["192.0.2.7", "2001:db8::7"] },
]
out = [ { allow = ["dns", "ntp", "https"] } ]
`}}
	for _, h := range hosts {
		f.add(h, `"web"`)
	}
	c := newController(t, f.String())

	// readsOnly runs fwpush and compares all of the hosts before and after.
	readsOnly := func(t *testing.T, want int, args ...string) ended {
		t.Helper()
		before := make([]string, len(hosts))
		for i, h := range hosts {
			h.tidy(t)
			before[i] = h.sh(t, untouchedBy)
		}
		e := c.run(t, want, args...)
		for i, h := range hosts {
			until(t, "after fwpush "+strings.Join(args, " ")+" "+h.Name()+" is as before", processTime, func() (string, bool) {
				now := h.sh(t, untouchedBy)
				return difference(before[i], now), now == before[i]
			})
		}
		return e
	}

	t.Run("a diff before the first push changes nothing", func(t *testing.T) {
		r := readsOnly(t, 1, "diff", "-o", "json").report(t)
		r.expect(t, all(hosts, "changed"))
		for _, h := range r.Hosts {
			if !strings.Contains(h.Diff, "+  ") || h.Drift || h.Connections != 1 || h.Execs != 1 {
				t.Errorf("%+v", h)
			}
		}
		e := readsOnly(t, 1, "diff")
		// bullseye is booted by nobody here, which is told of it beside the change.
		if !strings.Contains(e.stdout, "bookworm,trixie (2)") || strings.Count(e.stdout, "@@ chain input @@") != 1 ||
			!strings.Contains(e.stdout, "the same change as above") || !strings.Contains(e.stdout, "fleet.toml:") {
			t.Errorf("one change for all, with its lines of the file:\n%s", e)
		}
		readsOnly(t, 1, "apply", "--dry-run")
		readsOnly(t, 0, "status")
	})
	t.Run("apply confirms on all, and a second run is unchanged", func(t *testing.T) {
		c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
		r := c.runJSON(t, 0, "apply", "-y")
		r.expect(t, all(hosts, "unchanged"))
		for _, h := range r.Hosts {
			if h.Connections != 1 {
				t.Errorf("%s: %d connections", h.Name, h.Connections)
			}
		}
	})
	t.Run("the diff of an unchanged fleet is empty", func(t *testing.T) {
		r := readsOnly(t, 0, "diff", "-o", "json").report(t)
		r.expect(t, all(hosts, "unchanged"))
		for _, h := range r.Hosts {
			if h.Diff != "" || h.Drift || h.Error != "" {
				t.Errorf("%+v", h)
			}
		}
		if e := readsOnly(t, 0, "diff"); strings.ContainsAny(e.stdout, "+-@") && strings.Contains(e.stdout, "\n  ") || !strings.Contains(e.stdout, "no change") {
			t.Errorf("%s", e)
		}
	})
	t.Run("a hand edit shows as drift and is taken back", func(t *testing.T) {
		everyone(t, hosts, func(t *testing.T, h *host) {
			h.sh(t, "nft insert rule inet fwpush input tcp dport 2323 accept")
		})
		r := readsOnly(t, 1, "diff", "-o", "json").report(t)
		r.expect(t, all(hosts, "changed"))
		for _, h := range r.Hosts {
			if !h.Drift || !strings.Contains(h.Diff, "-  tcp dport 2323 accept\n") || strings.Count(h.Diff, "\n-")+strings.Count(h.Diff, "\n+") != 1 {
				t.Errorf("drift %v, diff:\n%s", h.Drift, h.Diff)
			}
		}
		if e := readsOnly(t, 1, "diff"); !strings.Contains(e.stdout, "drift") || !strings.Contains(e.stdout, "2323") {
			t.Errorf("%s", e)
		}
		c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
		everyone(t, hosts, func(t *testing.T, h *host) {
			if got := h.ruleset(t); strings.Contains(got, "2323") {
				t.Errorf("%s still has the hand edit:\n%s", h.Name(), got)
			}
		})
	})
	t.Run("a reboot loads the confirmed rules, also in the middle of a window", func(t *testing.T) {
		booted := []*host{hosts[0], hosts[2]}
		before := rulesets(t, booted)
		f.parts = []string{onePortMore}
		c.write(t, "other.toml", f.String())
		c.killedAt(t, "applied", 1, "apply", "-i", "other.toml", "-y", "-l", booted[1].Name())
		if now := booted[1].ruleset(t); !strings.Contains(now, "8443") {
			t.Errorf("%s does not run what nobody has confirmed:\n%s", booted[1].Name(), now)
		}
		for _, h := range booted {
			if err := h.Reboot(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		same(t, booted, before)
		c.runJSON(t, 0, "diff").expect(t, all(hosts, "unchanged"))
		c.runJSON(t, 0, "apply", "-i", "other.toml", "-y").expect(t, all(hosts, "confirmed"))
		if got := booted[1].sh(t, "ls -A /var/lib/fwpush /var/lib/fwpush/gen | grep -E '^(boot)?\\.[0-9a-f]' || true"); got != "" {
			t.Errorf("left of what the reboot ended: %s", got)
		}
	})
}
