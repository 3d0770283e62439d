package commit

import (
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/render"
)

// Hosts on which something of what a push writes cannot be written. Each is refused
// before anything is touched, with the remedy, or works.
func TestFileSystemsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		systemd bool
		harm    string
		refused []string // what is said; nothing: it works
	}{
		{"/var/lib/fwpush read-only", false, `mkdir -p /var/lib; mount --bind /var/lib /var/lib; mount -o remount,ro,bind /var/lib`,
			[]string{"/var/lib/fwpush", "read-only", "mount -o remount,rw"}},
		{"root read-only, /var writable", false, `pid=$(cat /run/atd.pid); kill $pid; while kill -0 $pid 2>/dev/null; do :; done; mount --bind /var /var; mount -o remount,ro,bind /; cd /var/spool/cron/atjobs; atd`, nil},
		{"/etc read-only, systemd", true, `mount --bind /etc /etc; mount -o remount,ro,bind /etc`,
			[]string{"/etc/systemd/system/fwpush.service", "read-only", "mount -o remount,rw"}},
		{"programs run nowhere below /tmp, /run and /var", false, `for d in /tmp /run /var; do mount --bind $d $d; mount -o remount,noexec,bind $d; done`, nil},
		{"32 KiB left", false, `mkdir -p /var/lib/fwpush; mount -t tmpfs -o size=64k,mode=700 none /var/lib/fwpush; head -c 30000 /dev/zero >/var/lib/fwpush/other`,
			[]string{"/var/lib/fwpush", "disk full"}},
		{"/run is full", false, `mount -t tmpfs -o size=16k,mode=755 none /run; head -c 100000 /dev/zero >/run/other || true`,
			[]string{"/run/fwpush", "disk full"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{Systemd: tc.systemd})
			conn := h.dial()
			// What is mounted at a place is seen there by those who come later.
			h.sh(tc.harm)
			left := func() string {
				return h.sh("nft list tables; find /var/lib/fwpush /etc/systemd/system/fwpush* /run/fwpush/tx/* ! -name other ! -name history 2>/dev/null | grep -vx /var/lib/fwpush || true")
			}
			p, r := Begin(t.Context(), conn, h.candidate(rules(false, 80), time.Minute))
			if len(tc.refused) == 0 {
				if p == nil {
					t.Fatalf("%s at %s: %v; %s", r.Outcome, r.Stage, r.Err, r.Hint)
				}
				if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
					t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
				}
				p := h.begin(h.candidate(rules(true), 3*time.Second))
				p.hangUp()
				h.until("it reverts", 6*time.Second, func() bool { return h.state() == "reverted" })
				h.clean()
				return
			}
			if p != nil || r.Outcome != OutcomeFailed || r.Stage != StageStage {
				t.Fatalf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			for _, want := range tc.refused {
				if said := r.Err.Error() + "; " + r.Hint; !strings.Contains(strings.ToLower(said), strings.ToLower(want)) {
					t.Errorf("%q lacks %q", said, want)
				}
			}
			if got := left(); got != "" {
				t.Errorf("left behind:\n%s", got)
			}
			h.clean()
		})
	}
}

// What an old distribution has: iptables-legacy and no nft. And what many have: no IPv6.
func TestOldHostsAndHostsWithoutIPv6(t *testing.T) {
	t.Parallel()
	noIPv6 := func(h *host) {
		h.sh("for c in all default lo eth0; do echo 1 >/proc/sys/net/ipv6/conf/$c/disable_ipv6; done")
		if got := h.sh("cat /proc/net/if_inet6"); got != "" {
			h.t.Fatalf("there is IPv6: %s", got)
		}
	}
	for _, tc := range []struct {
		name, release, variant string
		harm                   []func(*host)
		backend                render.Backend
	}{
		{"legacy", "bookworm", "legacy", []func(*host){(*host).noNFT}, render.BackendIptables},
		{"legacy without IPv6", "bullseye", "legacy", []func(*host){(*host).noNFT, noIPv6}, render.BackendIptables},
		{"nft without IPv6", "bullseye", "nft", []func(*host){noIPv6}, render.BackendNftables},
	} {
		t.Run(tc.name, func(t *testing.T) {
			working(t)
			h := releaseHost(t, tc.release, tc.variant, lab.HostOptions{})
			for _, harm := range tc.harm {
				harm(h)
			}
			rs := func(locked bool, port int) render.Ruleset {
				if tc.backend == render.BackendIptables {
					return xtRules(locked, "", port)
				}
				return rules(locked, port)
			}
			listing := func() string {
				f, r := Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
				if r.Err != nil {
					t.Fatal(r.Err)
				}
				if c, err := f.Choose(""); err != nil || c.Backend != tc.backend {
					t.Errorf("backend %s, %v", c.Backend, err)
				}
				return f.Running
			}
			listing()
			h.mustApply(h.candidate(rs(false, 80), time.Minute))
			before := listing()
			if before == "" {
				t.Fatal("nothing runs")
			}
			if r := h.apply(h.candidate(rs(true, 443), 8*time.Second)); r.Outcome != OutcomeReverted {
				t.Errorf("locked out: %s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			if got := listing(); got != before {
				t.Errorf("after the revert:\n%s\nwant\n%s", got, before)
			}
			h.mustApply(h.removal())
			if got := listing(); got != "" {
				t.Errorf("after remove:\n%s", got)
			}
		})
	}
}
