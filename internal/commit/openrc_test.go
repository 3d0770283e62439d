package commit

import (
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// unit is the boot unit as the host tells of it.
func (h *host) unit() string {
	h.t.Helper()
	f, r := Inspect(h.t.Context(), h.dial(), "", ModeCoexist, "")
	if r.Err != nil {
		h.t.Fatal(r.Err)
	}
	return f.Unit
}

func TestFirstPushWithOpenRCThatRevertsTakesItsBootScriptAway(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{OpenRC: true})
	etc := h.sh("find /etc | sort | md5sum")
	if got := h.unit(); got != "absent" {
		t.Errorf("before: %s", got)
	}
	p := h.begin(h.candidate(rules(true), 3*time.Second))
	if got := h.sh("rc-update show boot | grep -c fwpush; stat -c %a /etc/init.d/fwpush"); got != "1\n755" {
		t.Errorf("in the window: %s", got)
	}
	p.hangUp()
	h.until("it reverts", 6*time.Second, func() bool { return h.state() == "reverted" })
	h.clean()
	if got := h.sh("find /etc | sort | md5sum"); got != etc {
		t.Error("/etc is not as before the push")
	}
}

func TestOpenRCLoadsTheConfirmedRulesAndNoOthers(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{OpenRC: true})
	etc := h.sh("find /etc | sort | md5sum")
	r := h.mustApply(h.candidate(rules(false, 80), time.Minute))
	if got := strings.Join(r.Timers, " "); got != "at watchdog" {
		t.Errorf("timers %q", got)
	}
	confirmed := h.table()

	// It is told what is wrong with the script, and the next push mends it.
	for harm, want := range map[string]string{
		"echo : >>/etc/init.d/fwpush":     "differs",
		"chmod 644 /etc/init.d/fwpush":    "differs",
		"rc-update delete fwpush boot -q": "disabled",
		"rm /etc/init.d/fwpush":           "absent",
	} {
		h.sh(harm)
		if got := h.unit(); got != want {
			t.Errorf("%s: %s, want %s", harm, got, want)
		}
		h.mustApply(h.candidate(rules(false, 80), time.Minute))
		if got := h.unit(); got != "ok" {
			t.Errorf("mended after %s: %s", harm, got)
		}
	}

	h.reboot()
	if got := h.table(); got != confirmed {
		t.Fatalf("after a reboot:\n%s\nwant\n%s", got, confirmed)
	}
	p := h.begin(h.candidate(rules(false, 443), time.Minute))
	h.sh("rc-service -q fwpush start") // beside a candidate it changes nothing
	if !strings.Contains(h.table(), "443") {
		t.Error("starting the script took the candidate back")
	}
	h.reboot()
	if got := h.table(); got != confirmed {
		t.Fatalf("after a reboot inside the window:\n%s\nwant\n%s", got, confirmed)
	}
	if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeReverted {
		t.Errorf("%s at %s: %v, want reverted by the reboot", r.Outcome, r.Stage, r.Err)
	}

	h.mustApply(h.candidate(rules(false, 443), time.Minute))
	now := h.table()
	h.sh("nft delete table inet fwpush; rc-service -q fwpush reload")
	if got := h.table(); got != now {
		t.Errorf("after a reload:\n%s", got)
	}
	h.sh("echo nonsense >/var/lib/fwpush/boot.nft")
	h.reboot()
	if got := h.table(); got != confirmed {
		t.Errorf("with a broken boot file:\n%s\nwant\n%s", got, confirmed)
	}
	if console, err := h.Console(); err != nil || !strings.Contains(console, "boot.nft does not load; loading boot.prev") ||
		!strings.Contains(console, "the confirmed firewall rules did not load") {
		t.Errorf("the console does not tell (%v):\n%s", err, console)
	}
	f, _ := Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
	if !f.FellBack || f.Boot == f.Rules {
		t.Errorf("fell back %v, boot file as confirmed %v", f.FellBack, f.Boot == f.Rules)
	}
	h.mustApply(h.candidate(rules(false, 443), time.Minute))
	if f, _ := Inspect(t.Context(), h.dial(), "", ModeCoexist, ""); f.FellBack {
		t.Error("a confirm did not end that")
	}

	h.mustApply(h.removal())
	if got := h.sh("find /etc | sort | md5sum"); got != etc {
		t.Errorf("/etc is not as before the first push: %s", h.sh("find /etc -name '*fwpush*'"))
	}
}
