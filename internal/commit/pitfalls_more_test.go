package commit

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// lockHeld has somebody else hold the lock of xtables while the rules are checked and
// loaded, and sees that every load is told to wait.
func lockHeld(t *testing.T, h *host) {
	h.mustApply(h.xt(xtRules(false, "ops", 80)))
	for _, program := range []string{"iptables-restore", "ip6tables-restore"} {
		h.wrap(program, `printf '%s\n' "$*" >>/run/args`)
	}
	h.sh("flock /run/xtables.lock sleep 4 >/dev/null 2>&1 </dev/null &")
	h.mustApply(h.xt(xtRules(false, "web", 443)))
	args := strings.Split(h.sh("cat /run/args"), "\n")
	if len(args) < 4 { // two families, in the check and for real
		t.Errorf("loads: %q", args)
	}
	for _, line := range args {
		if !strings.Contains(line, "-w 10") {
			t.Errorf("a load that does not wait: %q", line)
		}
	}
}

// lockOverRevert has somebody hold the lock for longer than a revert tries to load what
// is refused. The rules of the candidate stay until the old ones load, at a revert as
// at a boot.
func lockOverRevert(t *testing.T, h *host) {
	h.mustApply(h.xt(xtRules(false, "ops", 80)))
	before := h.both()
	p := h.begin(h.candidate(xtRules(true, "web", 443), 3*time.Second))
	for _, program := range []string{"iptables-restore", "ip6tables-restore"} {
		h.wrap(program, `case "$*" in *"-w 10"*) exec $real --noflush -w 1 ;; esac`)
	}
	hold := func() { h.sh("flock /run/xtables.lock sleep 20 >/dev/null 2>&1 </dev/null &") }
	hold()
	p.hangUp()
	h.until("it is taken back", 35*time.Second, func() bool {
		if h.noChains() {
			t.Fatal("nothing of ours runs")
		}
		return h.state() == "reverted"
	})
	if got := h.both(); got != before {
		t.Errorf("after the revert:\n%s\nbefore:\n%s", got, before)
	}
	h.sh("iptables -D INPUT -j FWPUSH-IN; iptables -F FWPUSH-IN; iptables -X FWPUSH-IN; flock /run/xtables.lock sleep 4 >/dev/null 2>&1 </dev/null & sleep 0.2; sh /var/lib/fwpush/load.sh reload")
	if got := h.both(); got != before {
		t.Errorf("after a boot:\n%s\nbefore:\n%s", got, before)
	}
}

// bansBehind has fail2ban forbid the controller a port that our rules open. With
// iptables it stays open, and the host tells of that; with nftables both count.
func bansBehind(t *testing.T, h *host) {
	h.sh(foreignRules + `
iptables -A FORWARD -m comment --comment 'a "word" -j DROP of it' -j ACCEPT
iptables -A INPUT -m comment --comment 'no -j OTHER word' -j LOG --log-prefix '-j DROP '
ip6tables -A INPUT -g DOCKER 2>/dev/null || ip6tables -N six && ip6tables -A INPUT -g six`)
	ban := fmt.Sprintf("iptables -I f2b-sshd -s %s -p tcp --dport 80 -j DROP; iptables -I INPUT -p tcp -m multiport --dports 80 -j f2b-sshd", world.Addr4())
	c := h.xt(xtRules(false, "", 80))
	h.mustApply(c)
	h.sh(ban)
	f, _ := Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
	want := "INPUT f2b-sshd; INPUT REJECT; FORWARD DOCKER-USER; FORWARD DOCKER; INPUT six"
	if got := strings.Join(f.Foreign.Behind(), "; "); got != want {
		t.Errorf("behind ours: %s, want %s", got, want)
	}
	h.mustApply(c) // fail2ban has put its jump above ours
	if !h.knocks(80) {
		t.Error("a ban behind our rules holds")
	}
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	if h.knocks(80) {
		t.Error("a ban beside our table does not hold")
	}
}

func twoEngines(t *testing.T, h *host) {
	other := "nft"
	if strings.Contains(h.sh("iptables --version"), "nf_tables") {
		other = "legacy"
	}
	for _, family := range []string{"iptables", "ip6tables"} {
		h.sh(family + "-" + other + " -A FORWARD -p tcp --dport 7 -j DROP")
		h.refuses(h.xt(xtRules(false, "", 80)), StageInspect, "two rule engines active: "+family+" is the ")
		f, _ := Inspect(t.Context(), h.dial(), "iptables", ModeSame, "")
		if !strings.Contains(f.Engines, "("+family+"-"+other+")") {
			t.Errorf("the engines are called %q", f.Engines)
		}
		h.sh(family + "-" + other + " -F")
	}
	// Empty tables of the other one, which loading its module makes, filter nothing.
	h.mustApply(h.xt(xtRules(false, "", 80)))
	// They are no matter to nftables.
	h.sh("iptables-" + other + " -A FORWARD -p tcp --dport 7 -j DROP")
	h.refuses(h.xt(xtRules(false, "", 80, 81)), StageInspect, "two rule engines active")
}

func setEdited(t *testing.T, h *host) {
	c := h.xt(xtRules(false, "ops", 80))
	h.mustApply(c)
	confirmed := h.both()
	for _, edit := range []string{
		"ipset add fwp4-ops 192.0.2.0/24",
		"ipset del fwp4-ops 203.0.113.9",
		"ipset del fwp4-ops 203.0.113.9; ipset add fwp4-ops 192.0.2.0/24",
		"ipset flush fwp4-ops",
		"ipset flush fwp4-ops; ipset create fwp4-heal hash:net; ipset add fwp4-heal 192.0.2.1",
	} {
		h.sh(edit)
		f, _ := Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
		if drifted, known := f.Drifted(); !drifted || !known {
			t.Errorf("%s: no drift", edit)
		}
		h.mustApply(c)
		if got := h.both(); got != confirmed {
			t.Errorf("%s: after the apply\n%s\nconfirmed was\n%s", edit, got, confirmed)
		}
	}
	h.sh("ipset create others hash:net; ipset add others 192.0.2.7")
	h.mustApply(h.xt(xtRules(false, "web", 80)))
	if got := h.sh("ipset list -n | sort | tr '\\n' ' '"); got != "fwp4-web others " {
		t.Errorf("sets: %s", got)
	}
	h.mustApply(h.xt(xtRules(false, "", 80)))
	if got := h.sh("ipset list -n"); got != "others" {
		t.Errorf("sets: %s", got)
	}
}

// setsOverABoot runs what the unit runs, on a kernel that has nothing loaded yet.
func setsOverABoot(t *testing.T, h *host) {
	h.mustApply(h.xt(xtRules(false, "ops", 80)))
	confirmed := h.both()
	for _, verb := range []string{"start", "reload"} {
		h.sh("rm -rf /run/fwpush; for f in iptables ip6tables; do $f -D INPUT -j FWPUSH-IN; $f -F FWPUSH-IN; $f -X FWPUSH-IN; done; iptables -X FWPUSH-REV-000000000001; ipset destroy")
		h.sh("sh /var/lib/fwpush/load.sh " + verb)
		if got := h.both(); got != confirmed {
			t.Errorf("after %s:\n%s\nconfirmed was\n%s", verb, got, confirmed)
		}
	}
	if r := h.apply(h.xt(xtRules(false, "ops", 80))); r.Outcome != OutcomeUnchanged {
		t.Errorf("a boot is drift: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	// A candidate in its window is not replaced by a unit that is started beside it.
	p := h.begin(h.xt(xtRules(false, "web", 443)))
	h.sh("sh /var/lib/fwpush/load.sh start")
	if !h.knocks(443) || h.knocks(80) {
		t.Errorf("start beside a candidate:\n%s", h.both())
	}
	if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
}

func noIpset(t *testing.T, h *host) {
	h.sh("mv $(command -v ipset) /root/ipset")
	h.refuses(h.xt(xtRules(false, "ops", 80)), StageStage, "new rules refused")
	c := h.xt(xtRules(false, "", 80))
	r := h.mustApply(c)
	if r.Facts.Ipset {
		t.Error("the host is thought to have ipset")
	}
	if r := h.apply(c); r.Outcome != OutcomeUnchanged {
		t.Errorf("second run: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.sh("mv /root/ipset /usr/sbin/ipset")
	if r := h.mustApply(h.xt(xtRules(false, "ops", 80))); !r.Facts.Ipset {
		t.Error("the host is thought to have no ipset")
	}
}

// noNamespace is a container that may not make any: what is left is --test.
func noNamespace(t *testing.T, h *host) {
	h.wrap("unshare", "case $1 in -n) echo 'unshare failed: Operation not permitted' >&2; exit 1 ;; esac")
	h.refuses(h.xt(withNAT(xtRules(false, "", 80), "-s nonsense/99 -j ACCEPT")), StageStage, "new rules refused")
	r := h.mustApply(h.xt(xtRules(false, "", 80)))
	if !strings.Contains(strings.Join(r.Notes, "; "), "--test alone") {
		t.Errorf("notes: %q", r.Notes)
	}
	before := h.both()
	// What passes the test of the nf_tables variant and does not load is taken back.
	text := strings.Replace(xtRules(false, "", 443).Text, "-A FWPUSH-IN -j DROP\n", "-A FWPUSH-IN -j FWPUSH-NOWHERE\n-A FWPUSH-IN -j DROP\n", 1)
	if r := h.apply(h.xt(ruleset(text))); r.Stage != StageStage && (r.Outcome != OutcomeReverted || !strings.Contains(fmt.Sprint(r.Err), "status 2")) {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if got := h.both(); got != before {
		t.Errorf("after the revert:\n%s\nbefore:\n%s", got, before)
	}
}

// dumbNFT has the program and a kernel that does not know what it wants.
func dumbNFT(t *testing.T, h *host) {
	h.sh("cat >/usr/sbin/nft.new <<'X'\n#!/bin/sh\ncase $* in --version) echo 'nftables v1.0.6 (Lester Gooch #5)' ;; *) echo 'netlink: Error: cache initialization failed: Operation not supported' >&2; exit 1 ;; esac\nX\n" +
		"chmod 755 /usr/sbin/nft.new; mv -f /usr/sbin/nft.new /usr/sbin/nft")
	none := h.xtables()
	first := h.candidate(xtRules(false, "ops", 80), time.Minute)
	r := h.mustApply(first)
	if choice, _ := r.Facts.Choose(""); choice.Backend != "iptables" || !strings.Contains(choice.Why, "Operation not supported") {
		t.Errorf("backend %s: %s", choice.Backend, choice.Why)
	}
	if r := h.apply(first); r.Outcome != OutcomeUnchanged {
		t.Errorf("second run: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	before := h.xtables()
	p := h.begin(h.candidate(xtRules(true, "web", 443), 3*time.Second))
	p.hangUp()
	h.until("it is taken back", 8*time.Second, func() bool { return h.state() == "reverted" })
	if got := h.xtables(); got != before {
		t.Errorf("after the revert:\n%s\nbefore:\n%s", got, before)
	}
	c := h.candidate(rules(false, 80), time.Minute)
	c.Want = "nftables"
	if r := h.apply(c); r.Outcome != OutcomeFailed || r.Stage != StageInspect || !strings.Contains(fmt.Sprint(r.Err), "Operation not supported") {
		t.Errorf("nftables on it: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.mustApply(h.removal())
	if got := h.xtables(); got != none {
		t.Errorf("after the removal:\n%s\nbefore:\n%s", got, none)
	}
	if r, ok := h.inspected(); !ok || !r.Absent() {
		t.Errorf("what is left: %+v", r)
	}
}

func (h *host) inspected() (Facts, bool) {
	f, r := Inspect(h.t.Context(), h.dial(), "", ModeSame, "")
	return f, r.Err == nil
}

// sameAgain loads what runs: nothing may be doubled or moved.
func sameAgain(t *testing.T, h *host) {
	h.sh(foreignRules)
	h.mustApply(h.xt(xtRules(false, "ops", 80)))
	before := h.xtables()
	h.sh("for i in 1 2 3; do sh /var/lib/fwpush/load.sh reload || exit 1; done")
	if got := h.xtables(); got != before {
		t.Errorf("after three more loads:\n%s\nbefore:\n%s", got, before)
	}
}
