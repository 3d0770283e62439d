package e2e

import (
	"strings"
	"testing"
	"time"
)

// states are those of the latest transactions of all hosts.
func states(t *testing.T, hosts []*host) string {
	t.Helper()
	words := make([]string, len(hosts))
	for i, h := range hosts {
		words[i] = h.state(t)
	}
	return strings.Join(words, " ")
}

// onePortMore is a role web with a port that tells it from the standard one.
const onePortMore = `[roles.web]
in = [ { allow = ["http", "https", "tcp/8443"] } ]
`

// TestKilledAtEachStep ends fwpush by kill -9 when the last of three hosts
// reaches a step. Each host must end on its old rules by itself, admit SSH, and
// take the next push.
func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	const window = 5 * time.Second
	for _, step := range []struct {
		name    string
		state   string // in which every host ends
		history string // what the hosts remember of it
	}{
		{"stage", "confirmed", "confirmed"}, // nothing was sent yet: all is as after the push before
		{"arm", "reverted", "confirmed"},    // what is dropped before it was armed is no event
		{"apply", "reverted", "reverted"},   // armed, and the host goes on by itself
		{"applied", "reverted", "reverted"},
		{"confirm", "reverted", "reverted"},
		{"commit", "reverted", "reverted"},
	} {
		t.Run(step.name, func(t *testing.T) {
			t.Parallel()
			hosts := startLight(t, "kill-"+step.name, 3)
			f := webFleet(window.String(), hosts)
			c := newController(t, f.String())
			c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
			before := rulesets(t, hosts)
			f.parts = []string{onePortMore}
			c.write(t, "fleet.toml", f.String())

			c.killedAt(t, step.name, len(hosts), "apply", "-y")
			killed := time.Now()
			want := strings.Join([]string{step.state, step.state, step.state}, " ")
			until(t, "every host has ended its transaction", window+healing, func() (string, bool) {
				now := states(t, hosts)
				return now, now == want
			})
			t.Logf("ended %s after the kill", time.Since(killed).Round(100*time.Millisecond))
			same(t, hosts, before)
			if n := answering(hosts); n != len(hosts) {
				t.Errorf("%d of %d hosts admit SSH", n, len(hosts))
			}
			everyone(t, hosts, func(t *testing.T, h *host) {
				h.tidy(t)
				got := h.lastEntry(t)
				if rest, ok := strings.CutPrefix(got, step.history+" "); !ok || strings.HasPrefix(rest, "(") {
					t.Errorf("%s: history ends with %q, want %q", h.Name(), got, step.history)
				}
			})
			c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
			everyone(t, hosts, func(t *testing.T, h *host) {
				if got := h.ruleset(t); !strings.Contains(got, "8443") {
					t.Errorf("%s does not run what was pushed:\n%s", h.Name(), got)
				}
			})
		})
	}
}

// TestKilledWhileHostsConfirm ends fwpush when one host has decided to confirm
// but has not finished: it must end confirmed, by itself, and no host in
// between.
func TestKilledWhileHostsConfirm(t *testing.T) {
	t.Parallel()
	const window = 6 * time.Second
	hosts := startLight(t, "confirming", 3)
	f := webFleet(window.String(), hosts)
	c := newController(t, f.String())
	c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
	before := rulesets(t, hosts)
	// The second host takes its time to write its decision to the disk.
	slow := hosts[1]
	slow.program(t, "/usr/sbin/sync", `for f in /run/fwpush/S.*.confirming.*; do [ ! -e "$f" ] || sleep 1; done
exec /usr/bin/sync "$@"`)
	f.parts = []string{onePortMore}
	c.write(t, "fleet.toml", f.String())

	p := c.start(t, nil, "apply", "-y")
	until(t, "the slow host is about to confirm", window, func() (string, bool) {
		now := slow.state(t)
		return now, now == "confirming"
	})
	p.kill(t)
	if e := p.wait(t); !e.killed {
		t.Fatalf("fwpush had ended before: %s", e)
	}
	until(t, "every host has ended its transaction", window+healing, func() (string, bool) {
		now := states(t, hosts)
		return now, strings.Trim(strings.NewReplacer("confirmed", "", "reverted", "").Replace(now), " ") == ""
	})
	for i, h := range hosts {
		h.tidy(t)
		got, state := h.ruleset(t), h.state(t)
		isNew := strings.Contains(got, "8443")
		if (state == "confirmed") != isNew || !isNew && got != before[i] {
			t.Errorf("%s is %s and enforces\n%s", h.Name(), state, got)
		}
		if h == slow && state != "confirmed" {
			t.Errorf("%s had decided and is %s", h.Name(), state)
		}
		if stored := strings.Contains(h.sh(t, "cat /var/lib/fwpush/boot.nft"), "8443"); stored != isNew {
			t.Errorf("%s: the boot file and the kernel differ", h.Name())
		}
	}
	if n := answering(hosts); n != len(hosts) {
		t.Errorf("%d of %d hosts admit SSH", n, len(hosts))
	}
	c.run(t, 0, "apply", "-y")
	c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "unchanged"))
}
