package e2e

import (
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// TestFullDiskBeforeThePush pushes to a host that has not a byte left, for the
// first time and over confirmed rules.
func TestFullDiskBeforeThePush(t *testing.T) {
	t.Parallel()
	hosts := start(t, lab.HostOptions{Name: "full", DiskMB: 8})
	h := hosts[0]
	f := webFleet("", hosts)
	c := newController(t, f.String())
	for _, when := range []string{"first push", "over confirmed rules"} {
		before := rulesets(t, hosts)
		if err := h.FillDisk(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.Exec(t.Context(), "x", "sh", "-c", "cat >/root/x"); err == nil {
			t.Fatal("there is space left on the disk")
		}
		e := c.run(t, 3, "apply", "-y", "-o", "json")
		r := e.report(t)
		r.expect(t, all(hosts, "failed"))
		if got := r.Hosts[0]; got.Stage != "stage" || !strings.Contains(got.Error, "disk full") {
			t.Errorf("%s: at %s: %s", when, got.Stage, got.Error)
		}
		same(t, hosts, before)
		if err := h.FreeDisk(); err != nil {
			t.Fatal(err)
		}
		h.tidy(t)
		c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
		f.parts = []string{onePortMore}
		c.write(t, "fleet.toml", f.String())
	}
}

// TestStorageReadOnlyBeforeConfirm makes /var/lib/fwpush read-only when the new
// rules have just come into force: they cannot be made to last, so they go.
func TestStorageReadOnlyBeforeConfirm(t *testing.T) {
	t.Parallel()
	hosts := startLight(t, "readonly", 1)
	h := hosts[0]
	f := webFleet("30s", hosts)
	c := newController(t, f.String())
	c.run(t, 0, "apply", "-y")
	before, stored := rulesets(t, hosts), h.sh(t, "cat /var/lib/fwpush/boot.nft")
	h.wrapNFT(t, `case "$*" in
*-c*|*old.nft*) ;;
-f*)
	/usr/sbin/nft.real "$@" || exit
	mount --bind /var/lib/fwpush /var/lib/fwpush && mount -o remount,bind,ro /var/lib/fwpush
	touch /run/injected
	exit ;;
esac`)
	f.parts = []string{onePortMore}
	c.write(t, "fleet.toml", f.String())
	began := time.Now()
	r := c.runJSON(t, 3, "apply", "-y")
	if h.sh(t, "ls /run/injected; touch /var/lib/fwpush/x 2>/dev/null || echo refused") != "/run/injected\nrefused" {
		t.Fatal("/var/lib/fwpush is not read-only")
	}
	r.expect(t, all(hosts, "reverted"))
	if got := r.Hosts[0]; !strings.Contains(got.Error, "cannot write to /var/lib/fwpush") {
		t.Errorf("at %s: %s", got.Stage, got.Error)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it waited for the deadline: %s", took)
	}
	same(t, hosts, before)
	h.sh(t, "umount /var/lib/fwpush")
	if got := h.sh(t, "cat /var/lib/fwpush/boot.nft"); got != stored {
		t.Errorf("the boot file is not as before:\n%s", got)
	}
	h.unwrapNFT(t)
	c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
	h.tidy(t)
}
