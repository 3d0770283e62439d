package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The tests called TestRow... are rows of the fault matrix (docs/testing.md), as fwpush and its hosts
// go through them.

// loads makes nft run a piece of shell after each load, before it says that it has loaded: of new
// rules in $new, of old ones otherwise.
func (h *host) loads(t *testing.T, script string) {
	t.Helper()
	h.wrapNFT(t, `case "$*" in
*-c*) ;;
-f*)
	/usr/sbin/nft.real "$@" || exit
	new=yes
	case "$*" in *old.nft*) new= ;; esac
	`+script+`
	exit 0 ;;
esac`)
}

// TestRow35 lets one connection in, and no second one: the proof beforehand does not count on such a
// rule, and who takes that risk finds out by the soak.
func TestRow35RateLimitThatLetsOneIn(t *testing.T) {
	t.Parallel()
	hosts := startLight(t, "rate", 1)
	c := newController(t, webFleet("", hosts).String())
	c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
	before := rulesets(t, hosts)
	f := webFleet("", hosts).lockOut("20s")
	role := func(rate string) {
		f.parts = []string{fmt.Sprintf("[roles.web]\nin = [ { allow = \"http\" }, { allow = \"ssh\", from = [%q, %q]%s } ]\n", world.Addr4(), world.Addr6(), rate)}
		c.write(t, "fleet.toml", f.String())
	}
	role(`, rate = "1/h burst 1"`)
	if e := c.run(t, 2, "apply", "-y"); !strings.Contains(e.stderr, "would lock out") {
		t.Errorf("by the proof: %s", e)
	}
	same(t, hosts, before)
	r := c.runJSON(t, 3, "apply", "-y", "--accept-risk", "lose-ssh", "--soak", "2s")
	r.expect(t, all(hosts, "reverted"))
	// The first, and the one that the limit lets in.
	if got := r.Hosts[0]; got.Connections != 2 || !strings.Contains(got.Error, "no fresh connection got in") {
		t.Errorf("after %d connections: %s", got.Connections, got.Error)
	}
	same(t, hosts, before)
	role("") // the control: it was the rate
	c.runJSON(t, 0, "apply", "-y", "--accept-risk", "lose-ssh", "--soak", "2s").expect(t, all(hosts, "confirmed"))
}

// TestRow37 has IPv6 die when the new rules are loaded. A probe of that family takes them back;
// without one, one way in is as good as the other.
func TestRow37OnlyIPv6IsBroken(t *testing.T) {
	t.Parallel()
	hosts := startLight(t, "family", 1)
	h := hosts[0]
	f := webFleet("20s", hosts)
	c := newController(t, f.String())
	c.run(t, 0, "apply", "-y")
	before := rulesets(t, hosts)
	h.loads(t, `if [ "$new" ]; then
		: >/run/broken
		/usr/sbin/nft.real 'add table ip6 cut; add chain ip6 cut in { type filter hook input priority -300; }; add rule ip6 cut in drop'
	else
		/usr/sbin/nft.real 'add table ip6 cut; delete table ip6 cut'
	fi`)
	f.parts = []string{onePortMore}
	c.write(t, "fleet.toml", f.String())
	r := c.runJSON(t, 3, "apply", "-y", "--probe", `ssh = "ipv6"`)
	r.expect(t, all(hosts, "reverted"))
	if got := r.Hosts[0]; got.Stage != "probe" || !strings.Contains(got.Error, "ipv6") {
		t.Errorf("at %s: %s", got.Stage, got.Error)
	}
	if h.sh(t, "ls /run/broken") == "" {
		t.Error("IPv6 was never broken")
	}
	same(t, hosts, before)
	h.unwrapNFT(t)
	c.runJSON(t, 0, "apply", "-y", "--probe", `ssh = "ipv6"`).expect(t, all(hosts, "confirmed"))
}

// TestRow61 loses two of four hosts for good once they run the new rules. Nothing is said of them that
// is not known.
func TestRow61HostsThatAreNeverHeardOfAgain(t *testing.T) {
	t.Parallel()
	hosts := startLight(t, "lost", 4)
	f := webFleet("6s", hosts)
	c := newController(t, f.String())
	c.run(t, 0, "apply", "-y")
	before := rulesets(t, hosts[2:])
	for _, h := range hosts[2:] {
		h.loads(t, `[ -e /run/cut ] || {
		: >/run/cut
		/usr/sbin/nft.real 'add table inet cut; add chain inet cut in { type filter hook input priority -300; }; add rule inet cut in iifname eth0 drop'
	}`)
	}
	f.parts = []string{onePortMore}
	c.write(t, "fleet.toml", f.String())
	e := c.run(t, 5, "apply", "-y", "--forks", "2", "--max-fail", "4", "-o", "json")
	e.report(t).expect(t, "lost-1 confirmed, lost-2 confirmed, lost-3 unknown, lost-4 unknown")
	if !strings.Contains(e.stderr, "exit 5: 2 hosts unknown: lost-[3-4]") {
		t.Errorf("stderr:\n%s", e.stderr)
	}
	for i, h := range hosts[2:] {
		if h.sh(t, "ls /run/cut") == "" {
			t.Errorf("%s was never cut off", h.Name())
		}
		h.sh(t, "nft delete table inet cut")
		if got := h.ruleset(t); got != before[i] || h.state(t) != "reverted" {
			t.Errorf("%s is %s and enforces\n%s", h.Name(), h.state(t), got)
		}
		h.unwrapNFT(t)
	}
	c.run(t, 0, "apply", "-y")
}

// TestRow62 kills fwpush when twenty hosts run rules that nobody has confirmed.
func TestRow62KilledWithTwentyHostsInFlight(t *testing.T) {
	t.Parallel()
	const window = 15 * time.Second
	hosts := startLight(t, "twenty", 20)
	f := webFleet(window.String(), hosts)
	c := newController(t, f.String())
	c.killedAt(t, "applied", len(hosts), "apply", "-y", "--forks", "20")
	killed := time.Now()
	running := 0
	for _, h := range hosts {
		if h.state(t) == "applied" && h.ruleset(t) != "" {
			running++
		}
	}
	if running < len(hosts)/2 { // the first ones may be through already
		t.Errorf("only %d of %d hosts were in flight", running, len(hosts))
	}
	want := strings.TrimSpace(strings.Repeat("reverted ", len(hosts)))
	until(t, "every host has ended its transaction", window+healing, func() (string, bool) {
		now := states(t, hosts)
		return now, now == want
	})
	t.Logf("%d in flight, ended %s after the kill", running, time.Since(killed).Round(100*time.Millisecond))
	everyone(t, hosts, func(t *testing.T, h *host) {
		h.tidy(t)
		if got := h.ruleset(t); got != "" {
			t.Errorf("%s enforces\n%s", h.Name(), got)
		}
	})
	for _, h := range c.runJSON(t, 0, "apply", "-y", "--forks", "20").Hosts {
		if h.Outcome != "confirmed" {
			t.Errorf("%s is %s at %q: %s", h.Name, h.Outcome, h.Stage, h.Error)
		}
	}
}

// TestRow64 has a host behind a way that loses three of ten packets and takes half a second there and
// back. What a run says of it is so, and in the end it is confirmed.
func TestRow64LossAndDelay(t *testing.T) {
	t.Parallel()
	hosts := startLight(t, "far", 1)
	h := hosts[0]
	c := newController(t, webFleet("", hosts).String())
	quick := c.run(t, 0, "apply", "-y").took
	r := interpose(t, h, 250*time.Millisecond, nil)
	f := fleet{window: "3m", login: "30s", parts: []string{onePortMore}}
	c.write(t, "fleet.toml", throughRelay(t, c, h, r, f, "web"))
	if err := h.Lose(t.Context(), 30); err != nil {
		t.Fatal(err)
	}
	for try := 1; ; try++ {
		e := c.start(t, nil, "apply", "-y", "-o", "json").wait(t)
		got := e.report(t).Hosts[0]
		t.Logf("try %d: exit %d, %s at %q after %s, without the fault %s: %s", try, e.exit, got.Outcome, got.Stage, e.took, quick, got.Error)
		isNew := strings.Contains(h.ruleset(t), "8443")
		if confirmed := got.Outcome == "confirmed" || got.Outcome == "unchanged"; confirmed != isNew || confirmed != (e.exit == 0) {
			t.Fatalf("exit %d, %s, and the new rules run: %t", e.exit, got.Outcome, isNew)
		}
		if e.took < 2*time.Second {
			t.Errorf("it took %s: there is no delay", e.took)
		}
		if isNew {
			break
		}
		switch try {
		case 2: // three logins in a row that are too slow are a lock-out: that may happen for ever
			if err := h.Lose(t.Context(), 10); err != nil {
				t.Fatal(err)
			}
		case 5:
			t.Fatal("it never gets through")
		}
	}
	if err := h.Lose(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	h.tidy(t)
}

// TestRow65 has two hosts change their addresses when the new rules are loaded. Neither confirms for
// the other.
func TestRow65AnotherHostAtTheAddress(t *testing.T) {
	t.Parallel()
	hosts := startLight(t, "swap", 2)
	f := webFleet("6s", hosts)
	c := newController(t, f.String())
	c.run(t, 0, "apply", "-y")
	before := rulesets(t, hosts)
	for i, h := range hosts {
		own, other := h.Addr4(), hosts[1-i].Addr4()
		h.loads(t, fmt.Sprintf(`if [ "$new" ]; then
		from=%[1]s to=%[2]s
	else
		from=%[2]s to=%[1]s
	fi
	p=$(ip -o -4 addr show dev eth0 | sed -n "s|.* inet $from/\([0-9]*\) .*|\1|p")
	[ -z "$p" ] || { ip addr del $from/$p dev eth0; ip addr add $to/$p dev eth0; : >/run/swapped; }`, own, other))
	}
	f.parts = []string{onePortMore}
	c.write(t, "fleet.toml", f.String())
	p := c.start(t, nil, "apply", "-y", "-o", "json")
	swapped := func(h *host) string { return h.sh(t, "ls /run/swapped 2>/dev/null; ip -o -4 addr show dev eth0") }
	until(t, "the addresses are swapped", 20*time.Second, func() (string, bool) {
		a, b := swapped(hosts[0]), swapped(hosts[1])
		return a + b, strings.Contains(a, hosts[1].Addr4().String()+"/") && strings.Contains(b, hosts[0].Addr4().String()+"/")
	})
	// Who looks for an address asks anew who has it, as for one that is handed out anew.
	forget := func() {
		if out, err := exec.CommandContext(t.Context(), "ip", "neigh", "flush", "all").CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
	forget()
	until(t, "both have taken it back", 20*time.Second, func() (string, bool) {
		now := states(t, hosts)
		return now, now == "reverted reverted"
	})
	forget()
	e := p.wait(t)
	r := e.report(t)
	r.expect(t, all(hosts, "reverted"))
	if e.exit != 3 || !strings.Contains(r.Hosts[0].Error+r.Hosts[1].Error, "host key") {
		t.Errorf("%s", e)
	}
	same(t, hosts, before)
}
