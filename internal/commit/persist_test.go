package commit

import (
	"errors"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// syncFails makes the last sync of a confirm fail, after a fragment.
func (h *host) syncFails(fragment string) {
	h.wrap("sync", `case "$*" in *boot.nft*) `+fragment+` echo "sync: error syncing: Input/output error" >&2; exit 1 ;; esac`)
}

// A confirm that fails at its last step leaves no generation behind by which the
// run would later count as confirmed.
func TestConfirmThatCannotBeMadeToLastLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]bool{"first push": true, "over confirmed rules": false} {
		t.Run(name, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			if !first {
				h.mustApply(h.candidate(rules(false, 80), time.Minute))
			}
			before, stored := h.table(), h.sh("cat /var/lib/fwpush/boot.nft /var/lib/fwpush/owner 2>/dev/null; ls /var/lib/fwpush/gen 2>/dev/null || true")
			h.syncFails("")
			c := h.candidate(rules(false, 443), time.Minute)
			c.Stamp.Run = "20260102T030405Z-0000000f"
			if r := h.apply(c); r.Outcome != OutcomeReverted || r.Stage != StagePersist {
				t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			h.unwrap("sync")
			if got := h.table(); got != before {
				t.Errorf("rules:\n%s", got)
			}
			if got := h.sh("cat /var/lib/fwpush/boot.nft /var/lib/fwpush/owner 2>/dev/null; ls /var/lib/fwpush/gen 2>/dev/null || true"); got != stored {
				t.Errorf("stored:\n%s\nbefore:\n%s", got, stored)
			}
			f, r := Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
			if r.Err != nil || f.Meta["run"] == c.Stamp.Run {
				t.Errorf("the host tells of the run as confirmed: %v, %v", f.Meta, r.Err)
			}
			h.mustApply(h.candidate(rules(false, 443), time.Minute))
			h.clean()
		})
	}
}

// A disk that turns read-only in the middle of a confirm keeps the new boot file.
// The old rules run, but "reverted" would be only half of the truth.
func TestBootFileThatCannotBePutBackIsUnknown(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.sh("mkdir -p /var/lib/fwpush; mount -t tmpfs -o mode=700 none /var/lib/fwpush")
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	before := h.table()
	h.syncFails("mount -o remount,ro /var/lib/fwpush;")
	r := h.apply(h.candidate(rules(false, 443), time.Minute))
	if r.Outcome != OutcomeUnknown || r.Stage != StagePersist || !strings.Contains(r.Hint, "boot file") {
		t.Errorf("%s at %s: %v; %s", r.Outcome, r.Stage, r.Err, r.Hint)
	}
	if got := h.table(); got != before {
		t.Errorf("rules:\n%s", got)
	}
	h.unwrap("sync")
	// The generation that could not be taken away does not count.
	f, _ := Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
	if r := ConfirmedBefore(f); r.Err == nil {
		t.Error("the host is said to run the new generation")
	}
	h.sh("mount -o remount,rw /var/lib/fwpush")
	h.mustApply(h.candidate(rules(false, 443), time.Minute))
}

// A take-over that fails at its last step leaves the host to its old fleet.
func TestTakeOverThatCannotBeMadeToLastLeavesTheOwner(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	h.syncFails("")
	c := h.candidate(rules(false, 443), time.Minute)
	c.Stamp.Fleet = "other"
	if r := h.apply(c); r.Outcome != OutcomeReverted {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if f, _ := Inspect(t.Context(), h.dial(), "", ModeCoexist, ""); f.Owner == nil || f.Owner.Fleet != "lab" {
		t.Errorf("owner %+v", f.Owner)
	}
}

// A disk that fills up inside the window is no reason to go back: the room that a confirm
// needs was taken at the stage. Nothing of that is left.
func TestFullDiskAtTheConfirm(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{DiskMB: 16})
	c := h.candidate(rules(false, 80), 20*time.Second)
	p := h.begin(c)
	h.sh("cat /dev/zero >/var/full 2>/dev/null || true")
	if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if boot := h.sh("cat /var/lib/fwpush/boot.nft"); boot != strings.TrimSuffix(c.Rules.Text, "\n") {
		t.Errorf("the boot file is\n%s", boot)
	}
	h.sh("rm /var/full")
	if got := h.sh("ls -A /var/lib/fwpush | grep '^[.]' || true"); got != "" {
		t.Errorf("left behind: %s", got)
	}
	// A note about a revert that a full disk has cut short keeps nobody from the host.
	h.sh("printf '1795574083 e2a9' >/var/lib/fwpush/last_revert")
	h.mustApply(h.removal())
	if got := h.sh("ls -A /var/lib/fwpush"); got != "history" {
		t.Errorf("kept: %s", got)
	}
}

// After a reboot with a boot file that does not load nothing of ours runs. That is
// not "the old rules", although their listing by the nft of then is not known.
func TestRebootIntoNoRulesIsUnknown(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Systemd: true})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	h.sh("echo older >/var/lib/fwpush/gen/1/nft; echo nonsense >/var/lib/fwpush/gen/1/rules")
	p := h.begin(h.candidate(rules(false, 443), time.Minute))
	h.sh("echo nonsense >/var/lib/fwpush/boot.nft; rm -f /var/lib/fwpush/boot.prev")
	if err := h.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := h.table(); got != "" {
		t.Fatalf("rules after the reboot:\n%s", got)
	}
	if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeUnknown {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
}

// Where the kernel's rules outlive the processes and /run, as in a container, the
// boot unit must not take a candidate for the confirmed rules.
func TestBootUnitLoadsOverRulesOfNobody(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{Systemd: true})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	confirmed := h.table()
	p := h.begin(h.candidate(rules(false, 443), time.Minute))
	p.hangUp()
	h.sh("systemctl restart fwpush.service")
	if got := h.table(); got == confirmed {
		t.Error("the unit has taken a candidate away in its window")
	}
	h.sh("for p in $(pgrep -f 'revert.s[h]'); do kill -9 $p; done; rm -rf /run/fwpush; systemctl restart fwpush.service")
	if got := h.table(); got != confirmed {
		t.Errorf("rules:\n%s", got)
	}
}

// A boot file that is empty, or that was cut off before its rules, is no error to nft. The
// host must not boot open and call it a success.
func TestBootFileThatHoldsNoRulesIsNoneThatLoads(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{ModeCoexist, ModeExclusive} {
		t.Run(string(mode), func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{Systemd: true})
			commit := func(port int) string {
				c := h.candidate(rules(false, port), time.Minute)
				c.Mode = mode
				h.mustApply(c)
				return h.table()
			}
			before := commit(80)
			commit(443)
			h.sh("rm -rf /run/fwpush; cp /var/lib/fwpush/boot.nft /run/whole")
			for what, how := range map[string]string{"empty": "head -c 0", "cut": "head -n 2"} {
				h.sh(how + " /run/whole >/var/lib/fwpush/boot.nft; nft delete table inet fwpush; systemctl restart fwpush.service")
				if got := h.table(); got != before {
					t.Errorf("%s: it loads\n%s\nconfirmed before was\n%s", what, got, before)
				}
				if f, _ := Inspect(t.Context(), h.dial(), "", mode, ""); !f.FellBack {
					t.Errorf("%s: the host does not tell", what)
				}
			}
			h.sh(": >/var/lib/fwpush/boot.prev; nft delete table inet fwpush")
			if got := h.sh("systemctl restart fwpush.service || echo failed"); got != "failed" {
				t.Errorf("nothing is loaded, and the unit says %q", got)
			}
		})
	}
}

// A second controller must not read success from a generation that another run,
// or nobody, has made last.
func TestStored(t *testing.T) {
	good := Facts{Generation: 1, Rules: "r", Boot: "r", Running: "l", Canon: "l", CanonKnown: true}
	for name, tt := range map[string]struct {
		change func(*Facts)
		want   bool
	}{
		"as confirmed":         {func(*Facts) {}, true},
		"another boot file":    {func(f *Facts) { f.Boot = "x" }, false},
		"other rules run":      {func(f *Facts) { f.Running = "x" }, true}, // which is drift
		"listing not known":    {func(f *Facts) { f.CanonKnown = false }, true},
		"nothing is confirmed": {func(f *Facts) { f.Generation = 0 }, false},
	} {
		f := good
		tt.change(&f)
		if got := f.Stored(); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	p := &Pending{}
	if r := p.over("given-up", StageConfirm, errors.New("gone")); r.Outcome != OutcomeUnknown {
		t.Errorf("a revert that was given up is %s", r.Outcome)
	}
}

// The shell that puts things back after a failed confirm is killed in the middle of
// it. Whoever goes on must not read success out of what is left.
func TestCrashWhileAConfirmIsPutBack(t *testing.T) {
	t.Parallel()
	const once = `[ -e /run/killed ] || { touch /run/killed; %s }`
	for name, tt := range map[string]struct{ kill, sync string }{
		"before the boot file":                  {`kill -9 $PPID; exit 1;`, `[ -e /run/failed ] || { touch /run/failed; echo "sync: Input/output error" >&2; exit 1; }`},
		"after the boot file":                   {`$real "$@"; kill -9 $PPID; exit 1;`, `[ -e /run/failed ] || { touch /run/failed; echo "sync: Input/output error" >&2; exit 1; }`},
		"after the boot file, on a broken disk": {`$real "$@"; kill -9 $PPID; exit 1;`, `echo "sync: Input/output error" >&2; exit 1`},
	} {
		t.Run(name, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			h.mustApply(h.candidate(rules(false, 80), time.Minute))
			before, boot := h.table(), h.sh("cat /var/lib/fwpush/boot.nft")
			h.wrap("sync", `case "$*" in *gen/[0-9]*) `+tt.sync+` ;; esac`)
			h.wrap("mv", `case "$*" in *boot.prev*boot.nft) `+strings.Replace(once, "%s", tt.kill, 1)+` ;; esac`)
			c := h.candidate(rules(false, 443), time.Minute)
			c.Stamp.Fleet = "other"
			if r := h.apply(c); r.Outcome != OutcomeReverted {
				t.Errorf("%s at %s: %v; %s", r.Outcome, r.Stage, r.Err, r.Hint)
			}
			h.unwrap("mv")
			h.unwrap("sync")
			f, r := Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
			if r.Err != nil || f.Owner == nil || f.Owner.Fleet != "lab" || f.Generation != 1 {
				t.Errorf("owner %+v, generation %d, %v", f.Owner, f.Generation, r.Err)
			}
			if now := h.sh("cat /var/lib/fwpush/boot.nft"); now != boot || h.table() != before {
				t.Errorf("boot file:\n%s\nrules:\n%s", now, h.table())
			}
			h.mustApply(h.candidate(rules(false, 443), time.Minute))
			h.clean()
		})
	}
}

// A first adoption whose confirm cannot be made to last: at no moment would a boot take
// home-made rules away and find no loader to do it, and none for the rules either.
func TestLoaderStaysAsLongAsABootNeedsIt(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	h.wrap("sync", `case "$*" in *gen/[0-9]*) echo "sync: Input/output error" >&2; exit 1 ;; esac`)
	h.wrap("rm", `case "$*" in */fwpush/load.sh) ls /var/lib/fwpush >>/run/moment ;; esac`)
	if r := h.apply(h.adopting(rules(false, 443), time.Minute)); r.Outcome != OutcomeReverted {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.unwrap("rm")
	h.unwrap("sync")
	if got := h.sh("cat /run/moment"); !strings.Contains(got, "load.sh") || strings.Contains(got, "exclusive") {
		t.Errorf("when the loader went there were:\n%s", got)
	}
}

// /run turns read-only after the decision, and the disk fails: nothing can be
// decided any more until it is writable again, and then all of it goes one way.
func TestReadOnlyStateAtTheDecision(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	p := h.begin(h.candidate(rules(false, 443), 20*time.Second))
	h.syncFails("mount --bind /run/fwpush /run/fwpush; mount -o remount,ro,bind /run/fwpush;")
	done := make(chan Result, 1)
	go func() { done <- p.Confirm(t.Context(), h.dialer) }()
	h.until("the disk has failed", 10*time.Second, func() bool { return h.sh("touch /run/fwpush/x 2>/dev/null && rm /run/fwpush/x || echo ro") == "ro" })
	h.unwrap("sync")
	h.sh("umount -l /run/fwpush")
	r := <-done
	has := func(text string) bool { return strings.Contains(text, "443") }
	running, boot := has(h.table()), has(h.sh("cat /var/lib/fwpush/boot.nft"))
	if confirmed := r.Outcome == OutcomeConfirmed; !confirmed && r.Outcome != OutcomeReverted || running != confirmed || boot != confirmed {
		t.Errorf("%s at %s: %v; new rules run: %v, boot: %v", r.Outcome, r.Stage, r.Err, running, boot)
	}
}
