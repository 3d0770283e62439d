package e2e

import (
	"os"
	"strings"
	"testing"
)

// TestAdoptingHosts takes hosts over whose firewall was a script of somebody's: as it is
// done by hand, with what a person sees at each step.
func TestAdoptingHosts(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("../commit/testdata/firewall.sh")
	if err != nil {
		t.Fatal(err)
	}
	hosts := startLight(t, "adopt", 3)
	stranger, hosts := hosts[2], hosts[:2]
	f := fleet{}
	for _, h := range hosts {
		h.sh(t, "cat >/root/firewall.sh <<'X'\n"+string(script)+"X\nsh /root/firewall.sh\n"+fail2banLike)
		for _, port := range []int{80, 443, 8080} {
			h.serve(t, port, hangUp)
		}
		f.add(h, `"web"`, `mode = "exclusive"`, `coexist = ["fail2ban"]`)
	}
	c := newController(t, f.String())
	const bans = "nft list table inet f2b-table"
	banned := hosts[0].sh(t, bans)

	t.Run("diff shows what goes, once for both", func(t *testing.T) {
		e := c.run(t, 1, "diff")
		for _, want := range []string{
			"● adopt-[1-2] (2)", "takes the home-made rules away (", "@@ home-made rules that are taken away @@",
			"-  iptables-nft -t filter -P INPUT DROP", "-  iptables-nft -t filter -N LOGDROP",
			"-  iptables-nft -t mangle -A PREROUTING -p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE -j DROP",
		} {
			if !strings.Contains(e.stdout, want) {
				t.Errorf("no %q in\n%s", want, e.stdout)
			}
		}
		if strings.Count(e.stdout, "-P INPUT DROP") != 1 || strings.Contains(e.stdout, "f2b-") && strings.Contains(e.stdout, "-  table") {
			t.Errorf("diff:\n%s", e.stdout)
		}
	})
	t.Run("apply takes it away, and closes IPv6 too", func(t *testing.T) {
		c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
		for _, h := range hosts {
			if got := h.sh(t, "iptables-save | grep -e DROP -e LOG || true"); got != "" {
				t.Errorf("still there:\n%s", got)
			}
			if got := h.sh(t, bans); got != banned {
				t.Errorf("fail2ban has\n%s\nand had\n%s", got, banned)
			}
		}
		ports(t, stranger.net, hosts, "80 open, 443 open, 8080 silent")
		c.run(t, 0, "diff")
		c.run(t, 0, "status", "--exit-code")
	})
	t.Run("a script that runs again is drift, and goes again", func(t *testing.T) {
		hosts[0].sh(t, "sh /root/firewall.sh")
		e := c.run(t, 1, "status", "--exit-code")
		if !strings.Contains(e.stdout+e.stderr, "home-made rules are back") {
			t.Errorf("status:\n%s", e)
		}
		c.runJSON(t, 0, "apply", "-y").expect(t, "adopt-1 confirmed, adopt-2 unchanged")
		c.run(t, 0, "status", "--exit-code")
	})
	t.Run("rollback takes nothing away, and remove says where it is", func(t *testing.T) {
		f.parts = []string{onePortMore}
		c.write(t, "fleet.toml", f.String())
		c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
		c.runJSON(t, 0, "rollback", "-y").expect(t, all(hosts, "confirmed"))
		if got := hosts[0].sh(t, "ls /var/lib/fwpush/exclusive"); got == "" {
			t.Error("a rollback left the mode")
		}
		e := c.run(t, 0, "remove", "adopt-[1-2]", "-y")
		if !strings.Contains(e.stdout+e.stderr, "kept in /var/lib/fwpush/adopted") {
			t.Errorf("remove:\n%s", e)
		}
		if got := hosts[0].sh(t, "grep -h LOGDROP /var/lib/fwpush/adopted/1/iptables-nft | head -n 1; ls -A /var/lib/fwpush | tr '\\n' ' '"); got != ":LOGDROP - [0:0]\nadopted history " {
			t.Errorf("kept: %s", got)
		}
	})
	t.Run("a host that forwards by its script is refused", func(t *testing.T) {
		hosts[1].sh(t, "sh /root/firewall.sh; echo 1 >/proc/sys/net/ipv4/ip_forward")
		before := hosts[1].ruleset(t)
		e := c.run(t, 3, "apply", "-y", "-l", "adopt-2")
		if !strings.Contains(e.stderr+e.stdout, "forwards packets") {
			t.Errorf("apply:\n%s", e)
		}
		if got := hosts[1].ruleset(t); got != before {
			t.Errorf("the host was changed:\n%s", difference(before, got))
		}
	})
}
