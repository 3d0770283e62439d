package e2e

import (
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"fwpush/internal/lab"
)

// hostile is what a terminal must never be sent: it sets the clipboard, clears
// the screen and turns the direction of text around, in control characters of
// one byte, of UTF-8 and of neither. C strings cannot hold a NUL.
const (
	hostile    = "mark\x1b]52;c;cHduZWQ=\a\x1b[2J\x9b31m\u009b1m\u202e\u2066\u200f\r\x7f\b\x85\xffmark"
	hostileNUL = hostile + "\x00mark\n"
)

// raw is what of a text a terminal would obey.
func raw(text string) (found []string) {
	for i, r := range text {
		_, width := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && width == 1 || unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r) {
			found = append(found, text[max(0, i-20):min(len(text), i+20)])
		}
	}
	return found
}

// TestNothingAHostPrintsReachesTheTerminalUnescaped runs every verb against
// hosts that put control characters wherever a host can put text.
func TestNothingAHostPrintsReachesTheTerminalUnescaped(t *testing.T) {
	t.Parallel()
	if len(raw(hostileNUL)) < 12 {
		t.Fatalf("raw finds only %q", raw(hostileNUL))
	}
	const window = 2 * time.Minute // no verb of the test may find that it is over
	hosts := start(t,
		lab.HostOptions{Name: "shouts", SSHD: []string{"Banner /etc/hostile"}},
		lab.HostOptions{Name: "refuses"}, lab.HostOptions{Name: "drifts"}, lab.HostOptions{Name: "foreign-owner"},
		lab.HostOptions{Name: "held"}, lab.HostOptions{Name: "no-nft"}, lab.HostOptions{Name: "no-ssh"})
	shouts, refuses, drifts, owned, held, dumb, fake := hosts[0], hosts[1], hosts[2], hosts[3], hosts[4], hosts[5], hosts[6]
	f := webFleet(window.String(), hosts[:6])
	f.add(fake, `"web"`, "ssh = { port = 2200 }")
	c := newController(t, f.String())
	everyone(t, hosts, func(t *testing.T, h *host) {
		if err := h.WriteFile(t.Context(), "/etc/hostile", hostileNUL); err != nil {
			t.Fatal(err)
		}
	})
	setup := []string{"apply", "-y", "-l", "drifts,foreign-owner"}
	c.run(t, 0, setup...)
	c.killedAt(t, "applied", 1, "apply", "-y", "-l", "held")

	shout := "cat /etc/hostile; cat /etc/hostile >&2\n"
	for _, rc := range []string{"/root/.bashrc", "/root/.profile"} {
		if err := shouts.WriteFile(t.Context(), rc, shout); err != nil {
			t.Fatal(err)
		}
	}
	refuses.wrapNFT(t, `case "$*" in
--version) echo "nftables v1.0.6 ($(tr -d '\000' </etc/hostile))"; exit ;;
*-c*) cat /etc/hostile >&2; exit 1 ;;
esac`)
	drifts.sh(t, `hostile=$(tr -d '\000\n' </etc/hostile); nft insert rule inet fwpush input tcp dport 23 accept comment "\"$hostile\""`)
	owned.sh(t, `hostile=$(tr -d '\000' </etc/hostile); sed -i "s/ lab / $hostile /" /var/lib/fwpush/owner
for f in /var/lib/fwpush/gen/*/meta; do printf 'tx 1\nrun %s\nwhen 1\nby %s\n' "$hostile" "$hostile" >"$f"; done`)
	held.sh(t, "cd /run/fwpush/tx/*; cat /etc/hostile >who; cat /etc/hostile >run")
	dumb.program(t, "/usr/sbin/nft", "cat /etc/hostile; cat /etc/hostile >&2; exit 1")
	fake.serve(t, 2200, func(conn net.Conn) { conn.Write([]byte(strings.Repeat(hostileNUL, 20))) })

	for _, v := range []struct{ verb, seen string }{ // and what shows that a host was heard
		{"diff", `comment `},
		{"status", "owner stamp"},
		{"apply -y --max-fail 100%", "new rules refused: mark"},
		{"remove drifts shouts held -y", "run mark"},
		{"revert 20260102T030405Z-00000000", "owner stamp"},
	} {
		for _, more := range []string{"", " -v", " -o json", " --color always"} {
			e := c.start(t, nil, strings.Fields(v.verb+more)...).wait(t)
			all := e.stdout + e.stderr
			if e.exit < 3 || !strings.Contains(all, v.seen) || !strings.Contains(all, "mark") {
				t.Errorf("fwpush %s: no %q\n%s", v.verb+more, v.seen, e)
			}
			if more == " --color always" {
				all = regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(all, "") // fwpush's own
			}
			for _, found := range raw(all) {
				t.Errorf("fwpush %s: %q", v.verb+more, found)
			}
			if more == " -o json" {
				e.report(t)
			}
			if strings.HasPrefix(v.verb, "apply") && more == "" && !strings.Contains(e.stdout, "confirmed    drifts,no-nft,shouts (3)") {
				t.Errorf("a host that shouts is a host like others: %s", e)
			}
			if strings.HasPrefix(v.verb, "remove") && more == "" && !strings.Contains(e.stdout, "next: fwpush remove held\n") {
				t.Errorf("what to do next is no command that there is: %s", e)
			}
		}
	}
}
