package commit

import (
	_ "embed"
	"fmt"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/render"
)

//go:embed testdata/firewall.sh
var firewallScript string

// banning is what fail2ban makes, with a ban.
const banning = `iptables -N f2b-sshd; iptables -A f2b-sshd -s 198.51.100.66/32 -j REJECT; iptables -A f2b-sshd -j RETURN
iptables -I INPUT -p tcp -m multiport --dports 22 -j f2b-sshd
`

// homeTable is a home-made firewall of nft, with most of what a table may hold.
const homeTable = `table inet fire {
	counter seen { }
	set ops { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 172.16.0.0/12 } }
	set slow { type ipv4_addr; flags dynamic,timeout; timeout 10m; }
	map doors { type inet_service : verdict; elements = { 80 : accept, 443 : accept } }
	chain input {
		type filter hook input priority 0; policy drop;
		iif lo accept
		iif "eth0" ct state established,related counter name seen accept
		ct state established,related accept
		tcp dport 22 add @slow { ip saddr limit rate over 100/minute } drop
		tcp dport { 22, 2222 } accept comment "the way in"
		tcp dport vmap @doors
		limit rate 5/second log prefix "fire: "
		counter drop
	}
}
table ip fire_nat {
	chain post { type nat hook postrouting priority 100; oifname "wg0" masquerade; }
}
table inet notes {
	set s { type mark; }
}
`

// adoption is a way to have made a firewall at home.
type adoption struct {
	name  string
	start func(h *host)
}

func adoptions() []adoption {
	return []adoption{
		{"iptables-nft", func(h *host) { h.variant("nft"); h.firewall(); h.sh(banning) }},
		{"iptables-legacy", func(h *host) { h.variant("legacy"); h.firewall(); h.sh(banning) }},
		{"nft", func(h *host) { h.nftables(homeTable); h.sh(banning) }},
		{"all three", func(h *host) {
			h.variant("legacy")
			h.firewall()
			h.variant("nft")
			h.firewall()
			h.nftables(homeTable)
			h.sh(banning)
		}},
	}
}

// firewall runs the home-made script on the host.
func (h *host) firewall() {
	h.t.Helper()
	h.sh("cat >/root/firewall.sh <<'X'\n" + firewallScript + "\nX\nsh /root/firewall.sh")
}

func (h *host) nftables(text string) {
	h.t.Helper()
	h.sh("nft -f - <<'X'\n" + text + "\nX")
}

// everything is all that any firewall has loaded on a host, of whoever and in which
// variant ever, without counters and the elements that this test's own logins make.
func (h *host) everything() string {
	return h.sh(`for v in nft legacy; do for f in iptables ip6tables; do echo "== $f-$v"; $f-$v-save 2>/dev/null |
sed -e '/^#/d' -e 's/ \[[0-9]*:[0-9]*\]$//' |
awk '{ t = t $0 "\n" } !/^(\*[a-z]+|:[A-Z]+ ACCEPT|COMMIT)$/ { some = 1 } /^COMMIT/ { if (some) printf "%s", t; t = ""; some = 0 }'; done; done
nft list tables | sort | while read -r _ f n; do case $n in fwpush|filter|nat|mangle|raw|security) ;; *) nft list table $f $n | sed -e 's/packets [0-9]* bytes [0-9]*/packets bytes/' -e '/elements = { 10.* limit rate/d' ;; esac; done`)
}

// homeless is everything that was not made at home: what has to stay.
func (h *host) homeless() string {
	return h.sh(`for v in nft legacy; do iptables-$v-save 2>/dev/null | grep -e '^-A .*f2b-' -e '^:f2b' || true; done`)
}

func (h *host) adopting(rs render.Ruleset, window time.Duration) Candidate {
	c := h.candidate(rs, window)
	c.Mode = ModeExclusive
	c.Judge = func(f Facts) Verdict {
		switch {
		case len(f.HomeStuck) > 0:
			return Verdict{Act: Refuse, Err: fmt.Errorf("%s", f.HomeStuck[0])}
		case f.Runs(rs.Text) && c.Mode.Settled(f):
			return Verdict{Act: Unchanged}
		}
		return Verdict{Act: Go}
	}
	return c
}

// A host with home-made rules: a lock-out puts all of them back, a confirmed commit
// leaves those of others, and the same doors are open as before, with IPv6 closed too.
func TestAdoption(t *testing.T) {
	t.Parallel()
	for _, a := range adoptions() {
		t.Run(a.name, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			a.start(h)
			before, others := h.everything(), h.homeless()

			if r := h.apply(h.adopting(rules(true), 8*time.Second)); r.Outcome != OutcomeReverted || r.Stage != StageConfirm {
				t.Fatalf("a lock-out: %s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			if got := h.everything(); got != before {
				t.Fatalf("after the revert:\n%s\nbefore:\n%s", diff(before, got), before)
			}
			if got := h.sh("tail -n 1 /var/lib/fwpush/history"); !strings.Contains(got, " reverted ") || strings.Contains(got, "differs") {
				t.Errorf("history: %s", got)
			}
			if got := h.sh("ls -A /var/lib/fwpush"); strings.Contains(got, "adopted") || strings.Contains(got, "exclusive") {
				t.Errorf("left of what was taken back:\n%s", got)
			}
			h.clean()

			h.mustApply(h.adopting(rules(false, 80, 443), time.Minute))
			if got := h.everything(); strings.Contains(got, "LOGDROP") || strings.Contains(got, "fire") || strings.Contains(got, " DROP") {
				t.Errorf("still there:\n%s", got)
			}
			if got := h.homeless(); got != others {
				t.Errorf("rules of others are\n%s\nand were\n%s", got, others)
			}
			if !h.knocks(80) || !h.knocks(443) || h.knocks(8080) {
				t.Error("the doors are not those of before")
			}
			if got := h.sh("tail -n 1 /var/lib/fwpush/history; ls /var/lib/fwpush/adopted"); !strings.Contains(got, " confirmed adopted ") || !strings.HasSuffix(got, "\n1") {
				t.Errorf("what was taken is kept nowhere: %s", got)
			}
			if r := h.apply(h.adopting(rules(false, 80, 443), time.Minute)); r.Outcome != OutcomeUnchanged {
				t.Errorf("second run: %s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			h.clean()

			a.start(h) // somebody runs the script again
			p, r := Begin(t.Context(), h.dial(), h.adopting(rules(false, 80, 443), time.Minute))
			if p == nil {
				t.Fatalf("home-made rules are back, and it is %s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			if r := p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
				t.Fatalf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			if got := h.sh("ls /var/lib/fwpush/adopted | tr '\\n' ' '"); got != "1 2 " {
				t.Errorf("kept of what was taken: %s", got)
			}
			h.mustApply(h.removal())
			if got := h.sh("ls -A /var/lib/fwpush | tr '\\n' ' '"); got != "adopted history " {
				t.Errorf("after a removal: %s", got)
			}
		})
	}
}

// The same with rules for iptables: ours are in the very chains that home-made rules go
// from and come back to.
func TestAdoptionByIptables(t *testing.T) {
	t.Parallel()
	for _, a := range adoptions()[:2] {
		t.Run(a.name, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			a.start(h)
			before, others := h.everything(), h.homeless()
			if r := h.apply(h.adopting(xtRules(true, "ops", 80), 8*time.Second)); r.Outcome != OutcomeReverted || r.Stage != StageConfirm {
				t.Fatalf("a lock-out: %s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			if got := h.everything(); got != before {
				t.Fatalf("after the revert:\n%s", diff(before, got))
			}
			h.mustApply(h.adopting(xtRules(false, "ops", 80, 443), time.Minute))
			if got := h.everything(); strings.Contains(got, "LOGDROP") || h.homeless() != others || h.noChains() {
				t.Errorf("after the change:\n%s", got)
			}
			confirmed := h.everything()
			if r := h.apply(h.adopting(xtRules(false, "ops", 80, 443), time.Minute)); r.Outcome != OutcomeUnchanged {
				t.Errorf("second run: %s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			// Somebody adds a rule: it is home-made, goes, and comes back where it was.
			h.sh("iptables -I INPUT 2 -p tcp --dport 9 -j DROP")
			before = h.everything()
			if r := h.apply(h.adopting(xtRules(true, "web", 80), 8*time.Second)); r.Outcome != OutcomeReverted {
				t.Fatalf("a lock-out: %s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			if got := h.everything(); got != before {
				t.Fatalf("after the revert:\n%s", diff(before, got))
			}
			h.sh("sh /var/lib/fwpush/load.sh reload")
			if got := h.everything(); got != confirmed {
				t.Errorf("after what a boot does:\n%s", diff(confirmed, got))
			}
			h.clean()
		})
	}
}

// What cannot be put back is not taken away, and the host is told why.
func TestWhatCannotBeAdopted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ start, why string }{
		"a chain that leads to another's": {"iptables -N f2b-x; iptables -N MINE; iptables -A MINE -j f2b-x; iptables -A INPUT -j MINE", "leads to f2b-x"},
		"a table of both":                 {`iptables -A INPUT -j ACCEPT; nft add chain ip filter mine "{ type filter hook input priority 1; }"`, "holds base chains of iptables and others"},
		"a rule of nft":                   {"iptables -A INPUT -j ACCEPT; nft add rule ip filter INPUT meta mark vmap '{ 1 : accept, 2 : drop }'", "only nft can read"},
		"programs that are gone":          {"iptables-legacy -A INPUT -j ACCEPT; rm -f $(command -v iptables-legacy-save)", "iptables-legacy-save was not found"},
		"no namespace":                    {"iptables -A INPUT -j ACCEPT", "no network namespace"},
		"an interface that goes": {`nft -f - <<'X'
table inet fire {
	chain input {
		type filter hook input priority 0;
		iif "eth0" accept
	}
}
X
rm -f /bin/ip /sbin/ip /usr/bin/ip /usr/sbin/ip`, "Interface does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			h.sh(tt.start)
			before := h.everything()
			if name == "no namespace" {
				h.wrap("unshare", `[ "$1" != -n ] || exit 1`)
			}
			r := h.apply(h.adopting(rules(false, 80), time.Minute))
			if r.Outcome != OutcomeFailed || !strings.Contains(fmt.Sprint(r.Err), tt.why) {
				t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			if got := h.everything(); got != before || h.table() != "" {
				t.Errorf("it was changed:\n%s", diff(before, got))
			}
			h.clean()
		})
	}
}
