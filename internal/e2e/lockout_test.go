package e2e

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// healing is what a revert may take beyond its deadline on a busy machine.
const healing = 4 * time.Second

// answering counts the hosts whose sshd the controller can connect to.
func answering(hosts []*host) int {
	var n atomic.Int32
	var probing sync.WaitGroup
	for _, h := range hosts {
		probing.Go(func() {
			if (network{}).probe(at(h.Addr4(), h.Port())) == "open" {
				n.Add(1)
			}
		})
	}
	probing.Wait()
	return int(n.Load())
}

// TestLockOut pushes rules without the controller in them.
func TestLockOut(t *testing.T) {
	t.Parallel()
	const window = 6 * time.Second
	hosts := startLight(t, "lockout", 3)
	f := webFleet("", hosts)
	c := newController(t, f.String())
	c.write(t, "lockout.toml", f.lockOut(window.String()).String())
	c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
	before := rulesets(t, hosts)
	for i, h := range hosts {
		if !strings.Contains(before[i], world.Addr4().String()) {
			t.Fatalf("%s does not name the controller, so a lock-out would not show:\n%s", h.Name(), before[i])
		}
	}

	t.Run("is refused before any host is touched", func(t *testing.T) {
		contacts := make([]int, len(hosts))
		for i, h := range hosts {
			contacts[i] = h.contacts(t)
		}
		for _, verb := range []string{"apply", "diff"} {
			args := []string{verb, "-i", "lockout.toml"}
			if verb == "apply" {
				args = append(args, "-y")
			}
			e := c.run(t, 2, args...)
			if !strings.Contains(e.stderr, world.Addr4().String()) || !strings.Contains(e.stderr, "lockout.toml:") {
				t.Errorf("%s names neither the address nor the place:\n%s", verb, e)
			}
		}
		// With other risks named it is still refused.
		c.run(t, 2, "apply", "-i", "lockout.toml", "-y", "--accept-risk", "take-over,stuck-revert")
		for i, h := range hosts {
			if now := h.contacts(t); contacts[i] == 0 || now != contacts[i] {
				t.Errorf("sshd of %s had %d connections before and has %d", h.Name(), contacts[i], now)
			}
		}
		same(t, hosts, before)
	})

	t.Run("with the risk accepted every host is back within the window", func(t *testing.T) {
		p := c.start(t, nil, "apply", "-i", "lockout.toml", "-y", "-o", "json", "--accept-risk", "lose-ssh")
		until(t, "no host admits the controller", window, func() (string, bool) { return "", answering(hosts) == 0 })
		closed := time.Now()
		until(t, "all hosts admit the controller again", window+healing, func() (string, bool) { return "", answering(hosts) == len(hosts) })
		took := time.Since(closed)
		e := p.wait(t)
		if e.exit != 3 {
			t.Fatalf("exit 3 wanted: %s", e)
		}
		r := e.report(t)
		r.expect(t, all(hosts, "reverted"))
		for _, h := range r.Hosts {
			if h.Stage != "confirm" || !strings.Contains(h.Error, "no fresh connection got in") {
				t.Errorf("%s at %s: %s", h.Name, h.Stage, h.Error)
			}
		}
		if !strings.Contains(e.stderr, "exit 3: 3 hosts reverted: lockout-[1-3]") {
			t.Errorf("stderr:\n%s", e.stderr)
		}
		same(t, hosts, before)
		t.Logf("locked out for %s of a window of %s", took.Round(100*time.Millisecond), window)
	})

	t.Run("with the risk accepted and fwpush killed the hosts heal themselves", func(t *testing.T) {
		c.killedAt(t, "applied", len(hosts), "apply", "-i", "lockout.toml", "-y", "--accept-risk", "lose-ssh")
		killed := time.Now()
		for i, h := range hosts {
			if now := h.ruleset(t); now == before[i] {
				t.Errorf("%s: the lock-out was never in force", h.Name())
			}
		}
		if n := answering(hosts); n != 0 {
			t.Errorf("%d hosts are not locked out", n)
		}
		until(t, "the old rules are back", window+healing-time.Since(killed), func() (string, bool) {
			now := rulesets(t, hosts)
			return difference(strings.Join(before, "\n"), strings.Join(now, "\n")), strings.Join(now, "") == strings.Join(before, "")
		})
		if n := answering(hosts); n != len(hosts) {
			t.Errorf("%d of %d hosts admit SSH", n, len(hosts))
		}
		everyone(t, hosts, func(t *testing.T, h *host) {
			h.tidy(t)
			if got := h.lastEntry(t); !strings.HasPrefix(got, "reverted ") || strings.Contains(got, "(") {
				t.Errorf("%s: history says %q, want reverted", h.Name(), got)
			}
		})
		c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "unchanged"))
	})

	t.Run("the window of the command line counts too", func(t *testing.T) {
		began := time.Now()
		e := c.run(t, 3, "apply", "-i", "lockout.toml", "-l", "lockout-1", "-y", "--accept-risk", "lose-ssh", "--window", "15s")
		if took := time.Since(began); took < window || took > 15*time.Second+healing {
			t.Errorf("it took %s\n%s", took, e)
		}
		same(t, hosts, before)
	})
}
