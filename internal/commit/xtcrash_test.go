package commit

import (
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/render"
)

// xtHost is a host that runs confirmed rules for iptables, and what it runs.
func xtHost(t *testing.T) (h *host, before string) {
	t.Helper()
	h = newHost(t, lab.HostOptions{})
	h.sh(foreignRules)
	h.mustApply(h.candidate(xtRules(false, "ops", 80), time.Minute))
	return h, h.both()
}

// once runs a fragment the first time that it comes by.
func once(fragment string) string {
	return `[ -e /run/once ] || { touch /run/once; ` + fragment + `; }`
}

// The shell that loads dies between two transactions of the load, or a transaction
// hangs there. The timers put everything back, and the next run is not held up.
func TestCrashInTheMiddleOfALoad(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		program string
		to      render.Ruleset
	}{
		"before the sets":       {"ipset", xtRules(false, "web", 443)},
		"before IPv4":           {"iptables-restore", xtRules(false, "web", 443)},
		"before IPv6":           {"ip6tables-restore", xtRules(false, "web", 443)},
		"before the other side": {"iptables-restore", rules(false, 443)},
	} {
		for how, fragment := range map[string]string{"dies": "kill -9 $PPID; exit 1", "hangs": "touch /run/hung; kill -STOP $$"} {
			t.Run(name+" "+how, func(t *testing.T) {
				working(t)
				h, before := xtHost(t)
				// Not in the check, which runs in a network namespace of its own.
				h.wrap(tt.program, `case "$*" in *restore*|*--noflush*) [ $(readlink /proc/self/ns/net) != $(cat /run/ns) ] || `+once(fragment)+` ;; esac`)
				h.sh("readlink /proc/self/ns/net >/run/ns")
				p, r := Begin(t.Context(), h.dial(), h.candidate(tt.to, 4*time.Second))
				if p != nil {
					p.hangUp()
				} else if r.Outcome != OutcomeReverted {
					t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
				}
				h.until("it is taken back", 12*time.Second, func() bool { return h.state() == "reverted" })
				h.sh("pkill -CONT -f restore || true")
				h.until("nothing of a hung load is left", 5*time.Second, func() bool { return h.sh("pgrep -f -- '--noflush|ipset restore' || true") == "" })
				if h.sh("ls /run/once") == "" {
					t.Error("nothing happened in the middle of the load")
				}
				if got := h.both(); got != before {
					t.Errorf("after the revert:\n%s\nbefore:\n%s", got, before)
				}
				h.unwrap(tt.program)
				h.mustApply(h.candidate(tt.to, time.Minute))
				h.clean()
			})
		}
	}
}

// The shell that puts the old rules back dies in the middle, or its load hangs.
func TestCrashInTheMiddleOfARevert(t *testing.T) {
	t.Parallel()
	for name, program := range map[string]string{"before IPv4": "iptables-restore", "before IPv6": "ip6tables-restore", "before the sets": "ipset"} {
		t.Run(name, func(t *testing.T) {
			working(t)
			h, _ := xtHost(t)
			p := h.begin(h.candidate(xtRules(false, "web", 443), 4*time.Second))
			h.wrap(program, `case "$*" in *restore*|*--noflush*) `+once("kill -9 $PPID; exit 1")+` ;; esac`)
			p.hangUp()
			h.until("the revert dies", 10*time.Second, func() bool { return h.sh("ls /run/once 2>/dev/null || true") != "" })
			// The job comes up to two minutes later; the next run finishes it at once.
			h.mustApply(h.candidate(xtRules(false, "ops", 80, 81), time.Minute))
			if got := h.sh("tail -n 2 /var/lib/fwpush/history | cut -d ' ' -f 3 | tr '\\n' ' '"); got != "reverted confirmed " {
				t.Errorf("history: %s", got)
			}
			h.clean()
		})
	}
}

// A confirm that changes the backend fails at its last step, or dies at any step on
// its way there or back. Old or new is what runs and what boots, both the same. Every other row
// changes to iptables, the rest to nftables; each does both in TestChaosCrashWhileAChangeOfBackendIsMadeToLast.
func TestCrashWhileAChangeOfBackendIsMadeToLast(t *testing.T) {
	t.Parallel()
	crashes(t, func(row int) []change { return changes(true)[row%2 : row%2+1] })
}

func crashes(t *testing.T, of func(row int) []change) {
	const failing = `case "$*" in *gen/[0-9]*) ` + `[ -e /run/failed ] || { touch /run/failed; echo "sync: Input/output error" >&2; exit 1; }` + ` ;; esac`
	die := func(pattern, before string) string {
		return `case "$*" in ` + pattern + `) ` + once(before+` kill -9 $PPID; exit 1`) + ` ;; esac`
	}
	const then = `"$0.real" "$@";`
	for row, tt := range []struct {
		name         string
		sync, mv, rm string
		want         Outcome
	}{
		{name: "the sync fails", sync: failing, want: OutcomeReverted},
		{name: "dies before the boot file", mv: die("*boot.[0-9a-f]*", ""), want: OutcomeConfirmed},
		{name: "dies after the boot file", mv: die("*boot.[0-9a-f]*", then), want: OutcomeConfirmed},
		{name: "dies after the other boot file", rm: die("*/boot.nft|*/boot.ipt", then), want: OutcomeConfirmed},
		{name: "dies before the boot file is put back", sync: failing, mv: die("*boot.prev*", ""), want: OutcomeReverted},
		{name: "dies when the old boot file is back", sync: failing, mv: die("*boot.prev*", then), want: OutcomeReverted},
		{name: "dies before the generation is thrown away", sync: failing, rm: die("*gen/[0-9]*", ""), want: OutcomeReverted},
		{name: "dies before the unconfirmed boot file is gone", sync: failing, rm: `[ ! -e /run/failed ] || ` + die("*/boot.nft|*/boot.ipt", ""), want: OutcomeReverted},
	} {
		for _, c := range of(row) {
			t.Run(tt.name+" "+c.name, func(t *testing.T) {
				working(t)
				h := newHost(t, lab.HostOptions{})
				h.mustApply(h.candidate(c.from, time.Minute))
				before, boot := h.both(), h.stored()
				h.hide(map[string]string{"sync": tt.sync, "mv": tt.mv, "rm": tt.rm})
				r := h.apply(h.candidate(c.to, 15*time.Second))
				h.sh("rm -f /run/once /run/failed 2>/dev/null; true")
				if r.Outcome != tt.want {
					t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
				}
				h.show("sync", "mv", "rm")
				h.until("it is over", 20*time.Second, func() bool { s := h.state(); return s == "reverted" || s == "confirmed" })
				if got := h.both(); tt.want == OutcomeReverted && got != before {
					t.Errorf("after the revert:\n%s\nbefore:\n%s", got, before)
				}
				want := boot
				if tt.want == OutcomeConfirmed {
					want = c.boot + "\n" + strings.TrimSuffix(c.to.Text, "\n")
				}
				if got := h.stored(); got != want {
					t.Errorf("a boot would load\n%s\nwant\n%s", got, want)
				}
				h.mustApply(h.candidate(c.lockoutButNot(), time.Minute))
				h.clean()
			})
		}
	}
}

// lockoutButNot are third rules, of the backend that the change goes to.
func (c change) lockoutButNot() render.Ruleset {
	if c.boot == "boot.ipt" {
		return xtRules(false, "third", 22)
	}
	return rules(false, 22)
}

// stored is the name and the text of what a boot would load.
func (h *host) stored() string {
	return h.sh("cd /var/lib/fwpush; for f in boot.ipt boot.nft; do [ ! -e $f ] || { echo $f; cat $f; break; }; done")
}

// hide wraps programs, those with a fragment.
func (h *host) hide(fragments map[string]string) {
	for program, fragment := range fragments {
		if fragment == "" {
			continue
		}
		h.sh(`cp /bin/` + program + ` /bin/` + program + `.real`)
		h.sh(`cat >/run/wrapper <<'X'
#!/bin/sh
` + fragment + `
exec "$0.real" "$@"
X
chmod 755 /run/wrapper; cp /run/wrapper /bin/` + program + `.new; /bin/mv` + h.suffix("mv") + ` -f /bin/` + program + `.new /bin/` + program)
	}
}

// suffix is .real where a program is wrapped already.
func (h *host) suffix(program string) string {
	return h.sh(`[ ! -e /bin/` + program + `.real ] || echo .real`)
}

// show undoes hide.
func (h *host) show(programs ...string) {
	for _, program := range programs {
		h.sh(`[ ! -e /bin/` + program + `.real ] || cp -f --remove-destination /bin/` + program + `.real /bin/` + program + `; /bin/rm` + h.suffix("rm") + ` -f /bin/` + program + `.real`)
	}
}
