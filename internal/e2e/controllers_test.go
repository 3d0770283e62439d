package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestTwoControllersAtOnce has two people push different rules to one host at
// the same moment.
func TestTwoControllersAtOnce(t *testing.T) {
	t.Parallel()
	const window = 30 * time.Second
	h := startLight(t, "contested", 1)[0]
	fleetWith := func(port string) string {
		f := fleet{window: window.String()}
		f.add(h, `"web"`, `in = [ { allow = "tcp/`+port+`" } ]`)
		return f.String()
	}
	// Loads take a second here, so that the two are there together.
	h.wrapNFT(t, `case "$*" in *-c*) ;; -f*) sleep 1 ;; esac`)

	for round := range 3 {
		opens := map[string]string{"alice": fmt.Sprint(8001 + 10*round), "bob": fmt.Sprint(8002 + 10*round)}
		running := map[string]*process{}
		for who, port := range opens {
			running[who] = newController(t, fleetWith(port), "FWPUSH_ACTOR="+who).start(t, nil, "apply", "-y", "-o", "json")
		}
		ends := map[string]ended{}
		for who, p := range running {
			ends[who] = p.wait(t)
		}
		winner, loser := "alice", "bob"
		if ends[winner].exit != 0 {
			winner, loser = loser, winner
		}
		won, lost := ends[winner], ends[loser]
		if won.exit != 0 || lost.exit != 7 {
			t.Fatalf("want exit 0 and exit 7\n%s\n%s", won, lost)
		}
		r, refused := won.report(t), lost.report(t)
		r.expect(t, all([]*host{h}, "confirmed"))
		refused.expect(t, all([]*host{h}, "locked"))
		for _, text := range []string{refused.Hosts[0].Error, lost.stderr} {
			if !strings.Contains(text, r.Run) || !strings.Contains(text, winner) {
				t.Errorf("it does not name %s and run %s: %s", winner, r.Run, text)
			}
			said := regexp.MustCompile(`until (\S+Z)`).FindStringSubmatch(text)
			if said == nil {
				t.Errorf("it does not say until when: %s", text)
				continue
			}
			when, err := time.Parse(time.RFC3339, said[1])
			if left := time.Until(when); err != nil || left < window-15*time.Second || left > window+time.Second {
				t.Errorf("until %s, in %s, for a window of %s (%v)", said[1], left, window, err)
			}
		}
		if !strings.Contains(lost.stderr, "exit 7: 1 host locked by another run: contested-1") {
			t.Errorf("stderr of the loser:\n%s", lost.stderr)
		}
		if now := h.ruleset(t); !strings.Contains(now, opens[winner]) || strings.Contains(now, opens[loser]) {
			t.Errorf("the host does not run the rules of %s:\n%s", winner, now)
		}
		// The loser's turn comes when the winner is done.
		newController(t, fleetWith(opens[loser])).runJSON(t, 0, "apply", "-y").expect(t, all([]*host{h}, "confirmed"))
	}
	h.tidy(t)
}

// TestWhoHoldsAHostIsToldWhileItIsPending asks about a host that another run has
// applied to and not confirmed.
func TestWhoHoldsAHostIsToldWhileItIsPending(t *testing.T) {
	t.Parallel()
	const window = 8 * time.Second
	h := startLight(t, "pending", 1)[0]
	f := webFleet(window.String(), []*host{h}).String()
	alice, bob := newController(t, f, "FWPUSH_ACTOR=alice"), newController(t, f, "FWPUSH_ACTOR=bob")
	alice.killedAt(t, "applied", 1, "apply", "-y")
	for _, args := range [][]string{{"apply", "-y"}, {"diff"}} {
		e := bob.run(t, 7, args...)
		if said := e.stdout + e.stderr; !strings.Contains(said, "alice") || !strings.Contains(said, "applied") {
			t.Errorf("%s does not tell who holds the host:\n%s", args[0], e)
		}
	}
	if e := bob.run(t, 0, "status"); !strings.Contains(e.stdout, "alice") || !strings.Contains(e.stdout, "pending") {
		t.Errorf("status does not tell who holds the host:\n%s", e)
	}
	until(t, "the host has taken it back", window+healing, func() (string, bool) {
		now := h.state(t)
		return now, now == "reverted"
	})
	bob.runJSON(t, 0, "apply", "-y").expect(t, all([]*host{h}, "confirmed"))
}

// TestARunThatBeginsWhileAnotherLooks has one run apply between the moments when
// another one looks for runs and at the rules. What that one sees is nobody's
// hand edit and no other fleet's table: the host is held.
func TestARunThatBeginsWhileAnotherLooks(t *testing.T) {
	t.Parallel()
	const window = 8 * time.Second
	h := startLight(t, "looked-at", 1)[0]
	f := webFleet(window.String(), []*host{h}).String()
	alice, bob := newController(t, f, "FWPUSH_ACTOR=alice"), newController(t, f, "FWPUSH_ACTOR=bob")
	// The first to list the rules gets its answer when the other has applied.
	h.wrapNFT(t, `case "$*" in *'list table'*) ! mkdir /run/looking 2>/dev/null || {
	n=0
	until ls /run/fwpush/S.*.applied.* >/dev/null 2>&1 || [ "$n" -gt 100 ]; do sleep 0.1; n=$((n+1)); done
} ;; esac`)
	late := bob.start(t, nil, "apply", "-y")
	until(t, "bob looks at the rules", 10*time.Second, func() (string, bool) {
		seen := h.sh(t, "ls -d /run/looking 2>/dev/null || true")
		return seen, seen != ""
	})
	alice.killedAt(t, "applied", 1, "apply", "-y")
	if e := late.wait(t); e.exit != 7 || !strings.Contains(e.stderr, "alice") {
		t.Errorf("exit 7 and alice's name wanted: %s", e)
	}
}
