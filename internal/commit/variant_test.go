package commit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// eachSwitch runs a test on hosts that are to go from one variant of iptables to the
// other.
func eachSwitch(t *testing.T, test func(t *testing.T, h *host, from, to string)) {
	for from, to := range map[string]string{"nft": "legacy", "legacy": "nft"} {
		t.Run("from "+from, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			h.variant(from)
			test(t, h, from, to)
		})
	}
}

// of is what one variant has loaded, both families; "" is that of the plain names.
func (h *host) of(variant string) string {
	if variant != "" {
		variant = "-" + variant
	}
	return h.sh(`for f in iptables ip6tables; do $f` + variant + `-save; done | sed -e '/^#/d' -e 's/ \[.*//'`)
}

// chains says whether a variant has chains of ours loaded.
func (h *host) chains(variant string) bool { return strings.Contains(h.of(variant), ":FWPUSH-") }

// The host chooses the other variant of iptables in the window. What is taken back is
// what was loaded, by the variant that loaded it.
func TestVariantSwitchedInTheWindow(t *testing.T) {
	t.Parallel()
	eachSwitch(t, func(t *testing.T, h *host, from, to string) {
		h.sh(foreignRules)
		none := h.of(from)
		lockout := h.xt(xtRules(true, "web", 443))
		lockout.Window = 4 * time.Second
		takenBack := func(before string) {
			t.Helper()
			h.begin(lockout).hangUp()
			h.variant(to)
			h.until("it is taken back", 15*time.Second, func() bool { return h.state() == "reverted" })
			if got := h.of(from); got != before {
				t.Errorf("after the revert:\n%s\nbefore:\n%s", got, before)
			}
			if h.chains(to) {
				t.Errorf("in the other variant:\n%s", h.of(to))
			}
			if got := h.sh("ipset list -n"); strings.Contains(got, "fwp4-web") {
				t.Errorf("sets: %s", got)
			}
			if got := h.sh("tail -n 1 /var/lib/fwpush/history"); !strings.Contains(got, " reverted ") || strings.Contains(got, "differs") {
				t.Errorf("history: %s", got)
			}
			if !h.knocks(h.Port()) {
				t.Error("ssh does not answer")
			}
			h.clean()
		}
		takenBack(none)
		h.variant(from)
		h.mustApply(h.xt(xtRules(false, "ops", 80)))
		takenBack(h.of(from))

		// A candidate that admits us is confirmed all the same, and a start of the boot
		// unit beside it changes nothing.
		h.variant(from)
		p := h.begin(h.xt(xtRules(false, "", 443)))
		h.variant(to)
		h.sh("sh /var/lib/fwpush/load.sh start")
		if h.chains(to) || !h.chains(from) {
			t.Errorf("start beside a candidate:\n%s\n%s", h.of(from), h.of(to))
		}
		if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
			t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
		}
	})
}

// The host chooses the other variant between two pushes: nothing is pushed beside what
// runs, and the loader of the boot moves it.
func TestVariantSwitchedBetweenPushes(t *testing.T) {
	t.Parallel()
	eachSwitch(t, func(t *testing.T, h *host, from, to string) {
		c := h.xt(xtRules(false, "ops", 80))
		h.mustApply(c)
		h.variant(to)
		for _, next := range []Candidate{c, h.candidate(rules(false, 80), time.Minute), h.removal()} {
			r := h.apply(next)
			if r.Outcome != OutcomeFailed || r.Stage != StageInspect || !strings.Contains(fmt.Sprint(r.Err), "does not use any more: ip") ||
				!strings.Contains(r.Hint, "load.sh reload") {
				t.Errorf("%s at %s: %v (%s)", r.Outcome, r.Stage, r.Err, r.Hint)
			}
		}
		h.sh("sh /var/lib/fwpush/load.sh reload")
		if h.chains(from) || !h.chains(to) {
			t.Errorf("after a reload:\n%s\n%s", h.of(from), h.of(to))
		}
		if r := h.apply(c); r.Outcome != OutcomeUnchanged {
			t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
		}
		// On a host of the other backend too.
		h.mustApply(h.candidate(rules(false, 80), time.Minute))
		h.sh("iptables-" + from + " -N FWPUSH-IN")
		r := h.apply(h.candidate(rules(false, 443), time.Minute))
		if r.Outcome != OutcomeFailed || !strings.Contains(fmt.Sprint(r.Err), "does not use any more") || strings.Contains(r.Hint, "load.sh") {
			t.Errorf("%s at %s: %v (%s)", r.Outcome, r.Stage, r.Err, r.Hint)
		}
		h.variant(from)
		h.mustApply(h.candidate(rules(false, 443), time.Minute))
		if h.chains(from) {
			t.Errorf("the chains are still there:\n%s", h.of(from))
		}
	})
}

// The programs that have loaded the candidate are gone when it is to be taken back.
func TestVariantGoneInTheWindow(t *testing.T) {
	t.Parallel()
	const away = `mkdir -p /root/away; for f in iptables ip6tables; do for t in "" -save -restore; do mv $(command -v $f-%[1]s$t) /root/away; done; done`
	eachSwitch(t, func(t *testing.T, h *host, from, to string) {
		h.sh(foreignRules)
		h.mustApply(h.xt(xtRules(false, "ops", 80)))
		before := h.of(from)
		c := h.xt(withNAT(xtRules(true, "web", 443), "-s 192.0.2.0/24 -j MASQUERADE"))
		c.Window = 4 * time.Second
		h.begin(c).hangUp()
		h.variant(to)
		h.sh(fmt.Sprintf(away, from))
		if from == "legacy" {
			// Nobody can tell what is loaded: that is no revert.
			h.until("the last resort", 30*time.Second, func() bool { return h.sh("ls /run/fwpush/tx/*/open 2>/dev/null || true") != "" })
			if got := h.state(); got != "reverting" {
				t.Errorf("state %s", got)
			}
			h.sh("mv /root/away/* /usr/sbin")
			h.until("it is taken back", 90*time.Second, func() bool { return h.state() == "reverted" })
			if got := h.of(from); got != before || h.chains(to) {
				t.Errorf("after the revert:\n%s\n%s\nbefore:\n%s", got, h.of(to), before)
			}
			return
		}
		// nft takes away the chains of the nft variant, and the old rules are in force in
		// the one there is.
		h.until("it is taken back", 20*time.Second, func() bool { return h.state() == "reverted" })
		if got := h.sh("nft list ruleset"); strings.Contains(got, "FWPUSH-") || !strings.Contains(got, "chain f2b-sshd") {
			t.Errorf("nft has\n%s", got)
		}
		if !h.chains(to) || !h.knocks(80) || h.knocks(443) {
			t.Errorf("after the revert:\n%s", h.of(to))
		}
	})
}

// A host has the programs under their plain names alone, as one where a package brings
// the one variant or the other, and gets the other one in the middle of a revert.
func TestPlainNamesOfIptables(t *testing.T) {
	t.Parallel()
	eachSwitch(t, func(t *testing.T, h *host, from, to string) {
		plain := func(variant string) string {
			return `for f in iptables ip6tables; do for t in "" -save -restore; do ln -sf xtables-` + variant + `-multi /usr/sbin/$f$t; done; done`
		}
		h.sh("rm -f /usr/sbin/ip*tables-nft* /usr/sbin/ip*tables-legacy*; " + plain(from))
		h.mustApply(h.xt(xtRules(false, "", 80)))
		before := h.xtables()
		c := h.xt(xtRules(true, "", 443))
		c.Window = 4 * time.Second
		p := h.begin(c)
		h.sh("cat >/run/restore <<'X'\n#!/bin/sh\n" + plain(to) + "\nexec xtables-" + from + `-multi iptables-restore "$@"` + "\nX\n" +
			"chmod 755 /run/restore; ln -sf /run/restore /usr/sbin/iptables-restore")
		p.hangUp()
		if from == "nft" {
			h.until("it is taken back", 20*time.Second, func() bool { return h.state() == "reverted" })
			if got := h.sh("nft list ruleset"); strings.Contains(got, "FWPUSH-") || !h.chains("") {
				t.Errorf("nft has\n%s\niptables is\n%s", got, h.of(""))
			}
			return
		}
		h.until("the last resort", 30*time.Second, func() bool { return h.sh("ls /run/fwpush/tx/*/open 2>/dev/null || true") != "" })
		h.sh(plain(from))
		h.until("it is taken back", 90*time.Second, func() bool { return h.state() == "reverted" })
		if got := h.xtables(); got != before {
			t.Errorf("after the revert:\n%s\nbefore:\n%s", got, before)
		}
	})
}

// Each family has a variant of its own: update-alternatives chooses them apart.
func TestAVariantForEachFamily(t *testing.T) {
	t.Parallel()
	eachSwitch(t, func(t *testing.T, h *host, from, to string) {
		h.sh(`for f in "" -save -restore; do ln -sf /usr/sbin/ip6tables-` + to + `$f $(command -v ip6tables$f); done`)
		c := h.xt(xtRules(false, "ops", 80))
		h.mustApply(c)
		before := h.xtables()
		if r := h.apply(c); r.Outcome != OutcomeUnchanged {
			t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
		}
		lockout := h.xt(xtRules(true, "web", 443))
		lockout.Window = 4 * time.Second
		h.begin(lockout).hangUp()
		h.until("it is taken back", 15*time.Second, func() bool { return h.state() == "reverted" })
		if got := h.xtables(); got != before {
			t.Errorf("after the revert:\n%s\nbefore:\n%s", got, before)
		}
	})
}

// The kernel does not know the variant that the host has chosen: a boot loads the
// confirmed rules by the other one.
func TestBootByTheOtherVariant(t *testing.T) {
	t.Parallel()
	eachSwitch(t, func(t *testing.T, h *host, from, to string) {
		h.mustApply(h.xt(xtRules(false, "ops", 80)))
		before := h.of(from)
		h.variant(to)
		h.wrap("iptables-restore", `case $0 in *-`+to+`-*) echo no such table >&2; exit 1 ;; esac`)
		h.sh("rm -rf /run/fwpush; f=iptables-" + from + "; $f -D INPUT -j FWPUSH-IN; $f -F FWPUSH-IN; $f -X FWPUSH-IN")
		h.sh("sh /var/lib/fwpush/load.sh start")
		if got := h.of(from); got != before || h.chains(to) {
			t.Errorf("after a boot:\n%s\n%s\nconfirmed:\n%s", got, h.of(to), before)
		}
	})
}

// iptables of the nf_tables variant warns of legacy tables that are there, be they empty:
// on stderr, which is no part of what it lists.
func TestAWarningIsNoPartOfAListing(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.variant("nft")
	h.sh("iptables-legacy -L >/dev/null; ip6tables-legacy -L >/dev/null; iptables-save 2>&1 >/dev/null | grep Warning")
	var ports []int
	for p := range 200 { // more than one block of output
		ports = append(ports, 1000+p)
	}
	rs := xtRules(false, "", ports...)
	h.mustApply(h.candidate(rs, time.Minute))
	f, r := Inspect(t.Context(), h.dial(), "iptables", ModeSame, "")
	if r.Err != nil || strings.Contains(f.Running, "Warning") || strings.Count(f.Running, "-j ACCEPT\n") != strings.Count(rs.Text, "-j ACCEPT\n") {
		t.Errorf("%v; it lists\n%s", r.Err, f.Running)
	}
}
