package commit

import (
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// bootsHome makes the host load its home-made rules at each boot, as Debian's units do:
// an iptables script by netfilter-persistent, tables of nft by nftables.service.
func (h *host) bootsHome() {
	h.t.Helper()
	h.sh("cat >/root/firewall.sh <<'X'\n" + firewallScript + "\nX\ncat >/etc/nftables.conf <<'X'\n#!/usr/sbin/nft -f\nflush ruleset\n" + homeTable + "\nX")
	h.sh(`cat >/etc/systemd/system/netfilter-persistent.service <<'X'
[Unit]
DefaultDependencies=no
After=nftables.service
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /root/firewall.sh
ExecReload=/bin/sh /root/firewall.sh
[Install]
WantedBy=multi-user.target
X
sed -i 's/iif "eth0"/iifname "eth0"/' /etc/nftables.conf
systemctl daemon-reload; systemctl enable nftables.service netfilter-persistent.service`)
}

// A host whose own units load home-made rules before ours at each boot: a reboot inside
// of the window is its own, one after the confirm ours alone. TestChaosAdoptedHostBoots has iptables-legacy too.
func TestAdoptedHostBoots(t *testing.T) { adoptedHostBoots(t, "nft") }

func adoptedHostBoots(t *testing.T, variant string) {
	working(t)
	h := newHost(t, lab.HostOptions{Systemd: true})
	h.variant(variant)
	h.bootsHome()
	h.reboot()
	before := h.everything()
	if !strings.Contains(before, "LOGDROP") || !strings.Contains(before, "table inet fire") {
		t.Fatalf("the host does not load its rules:\n%s", before)
	}
	p := h.begin(h.adopting(rules(false, 443), time.Minute))
	if got := h.everything(); strings.Contains(got, "LOGDROP") || strings.Contains(got, "fire") {
		t.Errorf("in the window:\n%s", got)
	}
	h.reboot()
	if got := h.everything(); got != before || h.table() != "" {
		t.Errorf("after a reboot inside the window:\n%s", diff(before, got))
	}
	if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeReverted {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}

	h.mustApply(h.adopting(rules(false, 443), time.Minute))
	h.reboot()
	alone := func() bool {
		got := h.everything()
		return !strings.Contains(got, "LOGDROP") && !strings.Contains(got, "fire") && h.table() != ""
	}
	if !alone() || !h.knocks(443) || h.knocks(80) {
		t.Errorf("after a reboot:\n%s\n%s\n%s", h.everything(), h.table(), h.sh("systemctl status fwpush.service || true"))
	}
	if r := h.apply(h.adopting(rules(false, 443), time.Minute)); r.Outcome != OutcomeUnchanged {
		t.Errorf("a boot is a change: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	for _, unit := range []string{"nftables.service", "netfilter-persistent.service"} {
		h.sh("systemctl restart " + unit)
		h.until("ours are alone again after a restart of "+unit, 30*time.Second, func() bool {
			return h.sh("systemctl is-active fwpush.service || true") == "active" && alone()
		})
	}

	// Beside the rules before the confirmed ones the host's own stay.
	h.mustApply(h.adopting(rules(false, 443, 444), time.Minute))
	h.sh("cp /var/lib/fwpush/boot.nft /root/kept; echo nonsense >>/var/lib/fwpush/boot.nft")
	h.reboot()
	if got := h.everything(); got != before || h.table() == "" {
		t.Errorf("after a boot by boot.prev:\n%s", diff(before, got))
	}
	h.sh("cp /root/kept /var/lib/fwpush/boot.nft; systemctl restart fwpush.service")
	if !alone() {
		t.Errorf("with the boot file whole again:\n%s", h.everything())
	}

	// In mode coexist the host's own rules come back with the next boot.
	c := h.candidate(rules(false, 80, 443), time.Minute)
	c.Mode = ModeCoexist
	h.mustApply(c)
	h.reboot()
	if got := h.everything(); got != before || h.table() == "" {
		t.Errorf("after the way back to coexist:\n%s", diff(before, got))
	}
	if got := h.sh("ls /var/lib/fwpush/adopted"); got == "" {
		t.Error("what was taken away once is gone")
	}
}

// The power goes at each step of making an adoption last. What boots afterwards is old
// with the home-made rules, or new, with or without them; a run later it is new without.
func TestPowerCutWhileAnAdoptionIsMadeToLast(t *testing.T) {
	t.Parallel()
	for name, fragment := range map[string]map[string]string{
		"before the boot file":           {"mv": `case "$*" in *boot.[0-9a-f]*) touch /run/cut; sleep 60 ;; esac`},
		"before what was taken":          {"mv": `case "$*" in *.adopted.*) touch /run/cut; sleep 60 ;; esac`},
		"when everything is there":       {"sync": `case "$*" in *gen/[0-9]*) "$0.real" "$@"; touch /run/cut; sleep 60 ;; esac`},
		"when the timers are to be gone": {"atrm": `touch /run/cut; sleep 60`},
	} {
		t.Run(name, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{Systemd: true})
			h.bootsHome()
			h.reboot()
			before := h.everything()
			p := h.begin(h.adopting(rules(false, 443), time.Minute))
			h.hide(fragment)
			go p.Confirm(t.Context(), h.dialer)
			h.until("the confirm is there", 20*time.Second, func() bool { return h.sh("ls /run/cut 2>/dev/null || true") != "" })
			if err := h.PowerCycle(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.show("mv", "sync", "atrm")
			got, new := h.everything(), h.table() != ""
			home := strings.Contains(got, "LOGDROP")
			if !home && !new || home && got != before {
				t.Errorf("after the boot, ours %v:\n%s", new, diff(before, got))
			}
			if new && h.sh("ls /var/lib/fwpush/exclusive 2>/dev/null || true") != "" == home {
				t.Errorf("a marker that is not heeded, or none and the rules gone:\n%s", got)
			}
			h.apply(h.adopting(rules(false, 443), time.Minute))
			h.reboot()
			if got := h.everything(); strings.Contains(got, "LOGDROP") || h.table() == "" {
				t.Errorf("after a run more and a boot:\n%s", got)
			}
		})
	}
}

// The programs of other releases print and read the same rules in other words.
func TestAdoptionOnReleases(t *testing.T) {
	t.Parallel()
	for _, release := range []string{"bullseye", "trixie"} {
		for _, variant := range []string{"nft", "legacy"} {
			t.Run(release+" "+variant, func(t *testing.T) {
				working(t)
				h := releaseHost(t, release, variant, lab.HostOptions{})
				h.firewall()
				h.nftables(homeTable)
				h.sh(banning)
				before, others := h.everything(), h.homeless()
				if r := h.apply(h.adopting(rules(true), 8*time.Second)); r.Outcome != OutcomeReverted || r.Stage != StageConfirm {
					t.Fatalf("a lock-out: %s at %s: %v", r.Outcome, r.Stage, r.Err)
				}
				if got := h.everything(); got != before {
					t.Fatalf("after the revert:\n%s", diff(before, got))
				}
				h.mustApply(h.adopting(rules(false, 443), time.Minute))
				if got := h.everything(); strings.Contains(got, "LOGDROP") || strings.Contains(got, "fire") || h.homeless() != others {
					t.Errorf("after the change:\n%s", got)
				}
				if r := h.apply(h.adopting(rules(false, 443), time.Minute)); r.Outcome != OutcomeUnchanged {
					t.Errorf("second run: %s at %s: %v", r.Outcome, r.Stage, r.Err)
				}
				h.clean()
			})
		}
	}
}
