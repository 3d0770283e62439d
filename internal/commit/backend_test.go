package commit

import (
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/render"
)

// both is all that may be of ours on a host of any backend.
func (h *host) both() string { return h.table() + "\n" + h.xtables() }

// noChains says whether no chain of ours is in iptables. The tables themselves stay.
func (h *host) noChains() bool { return !strings.Contains(h.xtables(), ":FWPUSH-") }

// change is a candidate of another backend, with its boot file's name.
type change struct {
	name, boot, gone  string
	from, to, lockout render.Ruleset
}

// changes are both ways. With sets only where the host has ipset.
func changes(sets bool) []change {
	ops, web := "", ""
	if sets {
		ops, web = "ops", "web"
	}
	return []change{
		{"to iptables", "boot.ipt", "boot.nft", rules(false, 80), xtRules(false, ops, 443, 444), xtRules(true, web, 1)},
		{"to nftables", "boot.nft", "boot.ipt", xtRules(false, ops, 80), rules(false, 443), rules(true)},
	}
}

// A change of backend: taken back it leaves exactly the old one, confirmed it leaves
// nothing of the old one, and a removal afterwards leaves nothing at all.
func TestChangeOfBackend(t *testing.T) {
	t.Parallel()
	for _, c := range changes(true) {
		for _, variant := range []string{"nft", "legacy"} {
			t.Run(c.name+" "+variant, func(t *testing.T) {
				working(t)
				h := newHost(t, lab.HostOptions{})
				h.variant(variant)
				h.sh(foreignRules)
				foreign := h.foreign()
				h.mustApply(h.candidate(c.from, time.Minute))
				before := h.both()

				if r := h.apply(h.candidate(c.lockout, 8*time.Second)); r.Outcome != OutcomeReverted || r.Stage != StageConfirm {
					t.Errorf("a lock-out: %s at %s: %v", r.Outcome, r.Stage, r.Err)
				}
				if got := h.both(); got != before {
					t.Errorf("after the revert:\n%s\nbefore:\n%s", got, before)
				}
				h.clean()

				h.mustApply(h.candidate(c.to, time.Minute))
				if got := h.both(); (h.table() == "") == (c.boot == "boot.nft") || h.noChains() != (c.boot == "boot.nft") {
					t.Errorf("after the change:\n%s", got)
				}
				if !h.knocks(443) || h.knocks(80) {
					t.Error("the change does not hold")
				}
				if got := h.sh("cd /var/lib/fwpush; cat " + c.boot + "; ls " + c.gone + " 2>/dev/null || true"); got+"\n" != c.to.Text {
					t.Errorf("boot file:\n%s", got)
				}
				if got := h.sh("cat /var/lib/fwpush/boot.prev"); got+"\n" != c.from.Text {
					t.Errorf("boot.prev:\n%s", got)
				}
				if r := h.apply(h.candidate(c.to, time.Minute)); r.Outcome != OutcomeUnchanged {
					t.Errorf("second run: %s at %s: %v", r.Outcome, r.Stage, r.Err)
				}
				h.clean()
				h.mustApply(h.removal())
				if got := h.both(); h.table() != "" || !h.noChains() || strings.Contains(got, "fwp4-") {
					t.Errorf("after the removal:\n%s", got)
				}
				if got := h.foreign(); got != foreign {
					t.Errorf("the rules of others are\n%s\nand were\n%s", got, foreign)
				}
				if got := h.sh("ls -A /var/lib/fwpush"); got != "history" {
					t.Errorf("kept: %s", got)
				}
			})
		}
	}
}

// Somebody has loaded rules of ours in the other backend by hand: both are the old
// rules, and a revert puts both back.
func TestOldRulesOfBothBackends(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	h.sh("iptables -N FWPUSH-IN; iptables -A FWPUSH-IN -p tcp --dport 9 -j DROP; iptables -A INPUT -j FWPUSH-IN")
	before := h.both()
	for _, rs := range []render.Ruleset{rules(false, 443), xtRules(false, "ops", 443)} {
		p := h.begin(h.candidate(rs, 3*time.Second))
		p.hangUp()
		h.until("it is taken back", 8*time.Second, func() bool { return h.state() == "reverted" })
		if got := h.both(); got != before {
			t.Errorf("after the revert:\n%s\nbefore:\n%s", got, before)
		}
		if got := h.sh("tail -n 1 /var/lib/fwpush/history"); strings.Contains(got, "differs") {
			t.Errorf("history: %s", got)
		}
	}
	f, _ := Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
	if drifted, known := f.Drifted(); !drifted || !known {
		t.Error("chains that somebody added are no drift")
	}
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	if !h.noChains() {
		t.Errorf("left beside the table:\n%s", h.xtables())
	}
}

// The boot unit loads what was confirmed, whichever backend it is for, and the
// candidate of another one is gone after a reboot inside its window.
//
// Here each release boots with one variant of iptables; TestChaosBootLoadsEitherBackend has them all.
func TestBootLoadsEitherBackend(t *testing.T) {
	t.Parallel()
	for release, b := range map[string]struct{ variant, change string }{
		"bullseye": {"legacy", "to nftables"}, "bookworm": {"nft", "to iptables"}, "trixie": {"legacy", "to iptables"},
	} {
		for _, c := range changes(false) {
			if c.name == b.change {
				t.Run(release, func(t *testing.T) { bootsEither(t, release, b.variant, c) })
			}
		}
	}
}

// bootsEither boots a host of a release, which has no ipset, before, in and after a change.
func bootsEither(t *testing.T, release, variant string, c change) {
	working(t)
	h := releaseHost(t, release, variant, lab.HostOptions{Systemd: true})
	h.mustApply(h.candidate(c.from, time.Minute))
	h.reboot()
	p := h.begin(h.candidate(c.to, time.Minute))
	h.reboot()
	if h.knocks(443) || !h.knocks(80) {
		t.Errorf("after a reboot inside the window:\n%s", h.both())
	}
	if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeReverted {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.mustApply(h.candidate(c.to, time.Minute))
	h.reboot()
	if !h.knocks(443) || h.knocks(80) {
		t.Errorf("after a reboot:\n%s", h.both())
	}
	if r := h.apply(h.candidate(c.to, time.Minute)); r.Outcome != OutcomeUnchanged {
		t.Errorf("a boot is drift: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	// A boot file that does not load: the one before, of the other backend.
	h.sh("echo nonsense >>/var/lib/fwpush/" + c.boot)
	if c.boot == "boot.ipt" {
		h.sh("sed -i 's/ACCEPT$/NONSENSE/' /var/lib/fwpush/boot.ipt")
	}
	h.reboot()
	if h.knocks(443) || !h.knocks(80) {
		t.Errorf("boot.prev does not stand in:\n%s", h.both())
	}
}

func (h *host) reboot() {
	h.t.Helper()
	if err := h.Reboot(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// Debian's netfilter-persistent loads a saved copy of everything when it is
// restarted: the boot unit comes after it, and ours are whole and first again.
func TestNetfilterPersistentDoesNotWin(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Systemd: true})
	h.sh(`cat >/etc/systemd/system/netfilter-persistent.service <<'X'
[Unit]
DefaultDependencies=no
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c "iptables-restore </etc/rules.v4; ip6tables-restore </etc/rules.v6"
ExecReload=/bin/sh -c "iptables-restore </etc/rules.v4; ip6tables-restore </etc/rules.v6"
[Install]
WantedBy=multi-user.target
X
printf '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 9 -j ACCEPT\nCOMMIT\n' | tee /etc/rules.v4 >/etc/rules.v6
systemctl daemon-reload; systemctl enable --now netfilter-persistent.service`)
	h.mustApply(h.candidate(xtRules(false, "", 80), time.Minute))
	confirmed := h.xtables()
	h.sh("rm -rf /run/fwpush") // as after a boot: beside a transaction the unit keeps still
	for _, verb := range []string{"restart", "reload"} {
		h.sh("systemctl " + verb + " netfilter-persistent.service")
		// A unit that is not active yet takes no reload: ours has to be done with the first.
		h.until("ours are back after a "+verb, 30*time.Second, func() bool {
			return h.xtables() == confirmed && h.sh("systemctl is-active fwpush.service || true") == "active"
		})
	}
}
