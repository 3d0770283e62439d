package e2e

import (
	"encoding/json"
	"strings"
	"testing"

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
		h.tidy(t) // what ends later would free a little
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

// readOnly makes /var/lib/fwpush refuse every write.
const readOnly = "mount --bind /var/lib/fwpush /var/lib/fwpush && mount -o remount,bind,ro /var/lib/fwpush"

// TestStorageReadOnlyBeforeConfirm takes the host's storage away when the new
// rules are in force: they cannot be made to last, so they go.
func TestStorageReadOnlyBeforeConfirm(t *testing.T) {
	t.Parallel()
	hosts := startLight(t, "readonly", 1)
	h := hosts[0]
	f := webFleet("30s", hosts)
	c := newController(t, f.String())
	c.run(t, 0, "apply", "-y")
	before, stored := rulesets(t, hosts), h.sh(t, "cat /var/lib/fwpush/boot.nft")
	f.parts = []string{onePortMore}
	c.write(t, "fleet.toml", f.String())

	check := func(t *testing.T, r report) {
		t.Helper()
		if got := h.sh(t, "touch /var/lib/fwpush/x 2>/dev/null || echo refused"); got != "refused" {
			t.Fatal("/var/lib/fwpush is not read-only")
		}
		r.expect(t, all(hosts, "reverted"))
		if got := r.Hosts[0]; !strings.Contains(got.Error, "cannot write") {
			t.Errorf("at %s: %s", got.Stage, got.Error)
		}
		same(t, hosts, before)
		h.sh(t, "umount /var/lib/fwpush")
		if got := h.sh(t, "cat /var/lib/fwpush/boot.nft"); got != stored {
			t.Errorf("the boot file is not as before:\n%s", got)
		}
	}
	t.Run("just after the load", func(t *testing.T) {
		h.wrapNFT(t, `case "$*" in
*-c*|*old.nft*) ;;
-f*)
	/usr/sbin/nft.real "$@" && `+readOnly+`
	exit ;;
esac`)
		defer h.unwrapNFT(t)
		check(t, c.runJSON(t, 3, "apply", "-y"))
	})
	t.Run("just before the confirm", func(t *testing.T) {
		// Another controller takes the run up, so that there is time in between.
		c.killedAt(t, "applied", 1, "apply", "-y")
		var status struct {
			Hosts []struct{ Pending struct{ Run string } }
		}
		if err := json.Unmarshal([]byte(c.run(t, 0, "status", "-o", "json").stdout), &status); err != nil {
			t.Fatal(err)
		}
		h.sh(t, readOnly)
		check(t, c.runJSON(t, 3, "confirm", status.Hosts[0].Pending.Run))
	})
	c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
	h.tidy(t)
}
