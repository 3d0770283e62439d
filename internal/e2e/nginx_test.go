package e2e

import (
	_ "embed"
	"encoding/xml"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The script this project comes from: nginx and SSH, and IPv6 forgotten.
//
//go:embed testdata/adopt/web-firewall.sh
var webFirewall string

// TestScriptOfAWebServerAdopted has a role proposed for what the script lets in, and that take the
// script's place: nmap finds the same doors before and after, and over IPv6 no others.
func TestScriptOfAWebServerAdopted(t *testing.T) {
	t.Parallel()
	hosts := startLight(t, "nginx", 2)
	stranger, web := hosts[1], hosts[0]
	for _, port := range []int{80, 443, 3306, 8080} {
		web.serve(t, port, hangUp)
	}
	web.sh(t, "cat >/root/firewall.sh <<'X'\n"+webFirewall+"X\nIPT=iptables-nft sh /root/firewall.sh")
	const doors = "22 open, 80 open, 443 open"
	check := func(t *testing.T, when string) {
		t.Helper()
		for _, a := range web.both() {
			if got := stranger.doors(t, a); got != doors {
				t.Errorf("%s %s has the doors %s, want %s", when, a, got, doors)
			}
		}
	}
	if got := stranger.doors(t, web.Addr4()); got != doors {
		t.Fatalf("the script leaves the doors %s, want %s", got, doors)
	}
	if got := stranger.doors(t, web.Addr6()); !strings.Contains(got, "3306 open, 8080 open") {
		t.Fatalf("the script was to forget IPv6, and its doors are %s", got)
	}
	before := web.saved(t)

	f := fleet{window: "4s"}
	f.add(web, `"door"`, `mode = "exclusive"`)
	c := newController(t, "")
	c.write(t, "host.save", web.sh(t, "iptables-nft-save"))
	proposal := c.run(t, 0, "import", "-q", "--iptables", "host.save", "--role", "door").stdout
	f.parts = []string{proposal}
	c.write(t, "fleet.toml", f.String())
	// The role itself admits the office, so what locks out is the role without SSH.
	locking := f.lockOut("8s")
	locking.parts = []string{regexp.MustCompile(`(?m)^.*allow = "ssh".*\n`).ReplaceAllString(proposal, "")}
	c.write(t, "lockout.toml", locking.String())
	t.Logf("import proposes\n%s", proposal)

	t.Run("a lock-out brings the script's rules back", func(t *testing.T) {
		p := c.start(t, nil, "apply", "-i", "lockout.toml", "-y", "-o", "json", "--accept-risk", "lose-ssh")
		until(t, "the script's rules are away", 30*time.Second, func() (string, bool) {
			now := web.saved(t)
			return now, !strings.Contains(now, "-j LOG") && strings.Contains(web.ruleset(t), "table inet fwpush")
		})
		e := p.wait(t)
		e.report(t).expect(t, "nginx-1 reverted")
		if now := web.saved(t); e.exit != 3 || now != before {
			t.Errorf("exit %d, and the rules are not those of the script:\n%s", e.exit, difference(before, now))
		}
		if got := stranger.doors(t, web.Addr4()); got != doors {
			t.Errorf("the doors are %s, want %s", got, doors)
		}
	})
	f.window = ""
	c.write(t, "fleet.toml", f.String())
	t.Run("the same doors", func(t *testing.T) {
		c.runJSON(t, 0, "apply", "-y").expect(t, "nginx-1 confirmed")
		check(t, "after apply")
		if now := web.saved(t); strings.Contains(now, "DROP") || strings.Contains(now, "-A ") {
			t.Errorf("the script's rules are still there:\n%s", now)
		}
		c.run(t, 0, "status", "--exit-code")
	})
	t.Run("patient ones alone", func(t *testing.T) {
		// Three at once, as the script says; the office may always.
		answers := map[string]int{}
		until(t, "the limit is reached", time.Minute, func() (string, bool) {
			got := stranger.net.probe(at(web.Addr6(), 22))
			answers[got]++
			return fmt.Sprint(answers), got == "silent"
		})
		if answers["open"] > 3 {
			t.Errorf("a stranger was let in %d times", answers["open"])
		}
		for range 8 {
			if got := (network{}).probe(at(web.Addr4(), 22)); got != "open" {
				t.Errorf("the office finds SSH %s", got)
			}
		}
	})
}

// saved is what iptables and ip6tables have on the host, counters aside.
func (h *host) saved(t *testing.T) string {
	t.Helper()
	text := h.sh(t, "iptables-nft-save; echo; ip6tables-nft-save")
	text = regexp.MustCompile(`(?m)^# (Generated|Completed).*\n?`).ReplaceAllString(text, "")
	return regexp.MustCompile(`\[\d+:\d+\]`).ReplaceAllString(text, "[]")
}

// doors are the TCP ports of an address that nmap finds to let packets in, seen from
// another host: open ones, and closed ones that answer.
func (h *host) doors(t *testing.T, to netip.Addr) string {
	t.Helper()
	args := []string{"nmap", "-Pn", "-n", "-sT", "--max-retries", "1", "-T4", "-p", "20-25,53,80,443,3306,8080", "-oX", "-"}
	if to.Is6() {
		args = append(args, "-6")
	}
	out, stderr, err := h.Exec(t.Context(), "", append(args, to.String())...)
	if err != nil {
		t.Fatalf("nmap: %v\n%s", err, stderr)
	}
	var found struct {
		Ports []struct {
			Number int `xml:"portid,attr"`
			State  struct {
				State string `xml:"state,attr"`
			} `xml:"state"`
		} `xml:"host>ports>port"`
	}
	if err := xml.Unmarshal([]byte(out), &found); err != nil {
		t.Fatalf("nmap said %v\n%s", err, out)
	}
	var doors []string
	for _, p := range found.Ports {
		if p.State.State != "filtered" {
			doors = append(doors, fmt.Sprintf("%d %s", p.Number, p.State.State))
		}
	}
	return strings.Join(doors, ", ")
}
