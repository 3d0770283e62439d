package commit

import (
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/render"
)

// drill begins a drill of what the host runs, on as many timers as its file asks for.
func (h *host) drill(window time.Duration, timers int) (*Pending, string) {
	h.t.Helper()
	marker := ""
	c := h.candidate(render.Ruleset{}, window)
	c.Drill, c.Timers, c.Mode = true, timers, ModeSame
	c.Judge = func(f Facts) Verdict {
		rules, m, err := f.Marked()
		marker = m
		if err != nil {
			return Verdict{Err: err}
		}
		return Verdict{Act: Go, Rules: rules}
	}
	return h.begin(c), marker
}

// watch sees a drill through.
func (h *host) watch(p *Pending, marker string) Result {
	h.t.Helper()
	return p.Drill(h.t.Context(), h.t.Context(), h.dialer, marker)
}

// kept is all that a host stores and runs, but what a drill is to leave there.
func (h *host) kept() string {
	return h.sh(`cd /var/lib/fwpush && find . -type f ! -name history ! -name last_drill -exec sha256sum {} + | sort
find /etc -name '*fwpush*' | sort
atq 2>/dev/null; nft -s list table inet fwpush; nft -s list table ip other 2>/dev/null; { iptables-save | grep -v '^#'; ipset save; } 2>/dev/null || true`)
}

// A drill runs, is seen, is taken back by a timer in time, and leaves nothing but its
// own record: not even that a revert ever fired. What a host with mode = "exclusive" has
// put away stays so, and what was made by hand since stays where it is.
func TestDrill(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		o      lab.HostOptions
		rules  render.Ruleset
		mode   Mode
		timers int
	}{
		{"light", lab.HostOptions{}, rules(false, 80), ModeCoexist, 2},
		{"systemd", lab.HostOptions{Systemd: true}, rules(false, 80), ModeCoexist, 2},
		{"iptables", lab.HostOptions{}, xtRules(false, "one", 80), ModeCoexist, 2},
		{"exclusive", lab.HostOptions{}, rules(false, 80), ModeExclusive, 2},
		{"exclusive, iptables", lab.HostOptions{}, xtRules(false, "one", 80), ModeExclusive, 2},
		{"busybox", lab.HostOptions{Root: root(t, "busybox")}, rules(false, 80), ModeCoexist, 1},
		{"openrc", lab.HostOptions{OpenRC: true}, rules(false, 80), ModeCoexist, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			working(t)
			h := newHost(t, tc.o)
			c := h.candidate(tc.rules, time.Minute)
			if c.Timers = tc.timers; tc.mode == ModeExclusive {
				h.nftables(homeTable)
				c = h.adopting(tc.rules, time.Minute)
			}
			h.mustApply(c)
			h.sh("nft add table ip other; nft 'add chain ip other in { type filter hook input priority 5; }'; nft add rule ip other in tcp dport 9 drop")
			before := h.kept()
			p, marker := h.drill(4*time.Second, tc.timers)
			if all := h.kept(); !strings.Contains(all, marker) {
				t.Errorf("no %s in force:\n%s", marker, all)
			}
			r := h.watch(p, marker)
			if r.Outcome != OutcomeReverted || r.Stage != "" || r.Err != nil {
				t.Fatalf("%s at %q: %v", r.Outcome, r.Stage, r.Err)
			}
			if d := r.Drilled; d == nil || !d.Proved() || d.TX != p.tx || d.Run != "20260102T030405Z-00000001" {
				t.Errorf("drilled %+v", d)
			}
			if got := h.kept(); got != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, got)
			}
			if got := h.sh("tail -n 1 /var/lib/fwpush/history; ls /var/lib/fwpush"); !strings.Contains(got, " "+p.tx+" drilled ") || strings.Contains(got, "last_revert") {
				t.Errorf("history: %s", got)
			}
			f, _ := Inspect(t.Context(), h.dial(), "", ModeSame, "")
			if f.Exclusive != (tc.mode == ModeExclusive) {
				t.Errorf("exclusive: %t", f.Exclusive)
			}
			if f.LastRevert != nil || f.LastDrill == nil || f.LastDrill.TX != p.tx || f.Pending != nil {
				t.Errorf("last revert %+v, last drill %+v, pending %+v", f.LastRevert, f.LastDrill, f.Pending)
			}
			h.clean()
		})
	}
}

// What is no proof is not told as one.
func TestDrillNotProven(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, harm, says, hint string
		outcome                Outcome
		stage                  Stage
	}{
		{"nft is gone", "mv $(command -v nft) /nft.away", "could not load the old rules", "cannot be listed", OutcomeUnknown, StageRevert},
		{"somebody asks", "sh /run/fwpush/tx/*/revert.sh now $(ls /run/fwpush/tx)", "", "", OutcomeReverted, StageRevert},
		{"the watchdog is killed", "kill -9 $(sed -n 's/^process \\([0-9]*\\) .*/\\1/p' /run/fwpush/tx/*/timers)", "the first timer failed", "doctor", OutcomeReverted, StageRevert},
		{"all timers are killed", "kill -9 $(sed -n 's/^process \\([0-9]*\\) .*/\\1/p' /run/fwpush/tx/*/timers); for job in $(atq | cut -f 1); do atrm $job || ! at -c $job; done", // one may just have ended
			"no timer has taken the rules back", "still runs the marked rules: fwpush revert 20260102T030405Z-00000001", OutcomeUnknown, StageRevert},
		{"the boot file changes", "echo '# more' >>/var/lib/fwpush/boot.nft", "boot file", "", OutcomeReverted, StageRevert},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			h := newHost(t, lab.HostOptions{})
			h.mustApply(h.candidate(rules(false, 80), time.Minute))
			p, marker := h.drill(4*time.Second, 2)
			h.sh(tc.harm)
			r := h.watch(p, marker)
			if r.Outcome != tc.outcome || r.Stage != tc.stage || r.Err == nil || !strings.Contains(r.Err.Error(), tc.says) || !strings.Contains(r.Hint, tc.hint) {
				t.Errorf("%s at %q: %v; %s", r.Outcome, r.Stage, r.Err, r.Hint)
			}
			if r.Drilled != nil && r.Err == nil {
				t.Errorf("told as proven: %+v", r.Drilled)
			}
			h.sh("[ ! -e /nft.away ] || mv /nft.away /usr/sbin/nft")
		})
	}
}

// Only what was confirmed and runs is a place to come back to.
func TestDrillRefusesOtherHosts(t *testing.T) {
	working(t)
	confirmed := Facts{Generation: 3, Rules: "table inet fwpush {\n\tchain a {\n\t}\n}\n", CanonKnown: true}
	confirmed.Boot, confirmed.Running, confirmed.Canon = confirmed.Rules, confirmed.Rules, confirmed.Rules
	if rules, marker, err := confirmed.Marked(); err != nil || !strings.HasSuffix(rules.Text, "\n\t}\n\tchain "+marker+" {\n\t}\n}\n") {
		t.Errorf("%v: %s", err, rules.Text)
	}
	for _, tc := range []struct {
		says   string
		change func(*Facts)
	}{
		{"nothing was ever confirmed", func(f *Facts) { f.Generation = 0 }},
		{"would boot other rules", func(f *Facts) { f.Boot = "" }},
		{"cannot be told", func(f *Facts) { f.CanonKnown = false }},
		{"(drift)", func(f *Facts) { f.Running = "" }},
		{"no place for a marker", func(f *Facts) { f.Rules, f.Boot = "what", "what" }},
		{"no place for a marker", func(f *Facts) { f.Rules, f.Boot = "# fwpush iptables\n", "# fwpush iptables\n" }},
	} {
		f := confirmed
		tc.change(&f)
		if rules, _, err := f.Marked(); err == nil || !strings.Contains(err.Error(), tc.says) || rules.Text != "" {
			t.Errorf("%v, want %s", err, tc.says)
		}
	}
}
