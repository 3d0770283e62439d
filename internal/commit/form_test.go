package commit

import (
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/render"
)

// between has a program of the host run a shell fragment right behind the load of a candidate: what it
// changes is there before the listing.
func (h *host) between(program, fragment string) {
	h.t.Helper()
	h.wrap(program, `ls /run/fwpush/S.*.applied.* >/dev/null 2>&1 && [ ! -e /run/stranger ] || exec $real "$@"
$real "$@" || exit
: >/run/stranger
`+fragment+`
exit 0`)
}

// What somebody else changes between the load and the listing was stored as ours, and no drift then or
// later.
func TestHoleStrangersRuleBetweenLoadAndListing(t *testing.T) {
	t.Parallel()
	withSet := func(port int) render.Ruleset {
		rs := rules(false, port)
		return ruleset(strings.Replace(rs.Text, "\tchain input {\n", "\tset s_ops4 {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = { 198.51.100.0/24 }\n\t}\n\tchain input {\n", 1))
	}
	for name, fragment := range map[string]string{
		"a rule more":      "nft add rule inet fwpush input tcp dport 31337 accept",
		"a rule less":      `nft delete rule inet fwpush input handle $(nft -a list table inet fwpush | sed -n 's/.*tcp dport 443 .*handle //p')`,
		"another rule":     `nft replace rule inet fwpush input handle $(nft -a list table inet fwpush | sed -n 's/.*tcp dport 443 .*handle //p') tcp dport 31337 accept`,
		"an element more":  "nft add element inet fwpush s_ops4 { 203.0.113.0/24 }",
		"a chain more":     "nft add chain inet fwpush stranger '{ type filter hook output priority 0; }'",
		"rules exchanged":  `nft insert rule inet fwpush input tcp dport 443 accept; nft delete rule inet fwpush input handle $(nft -a list table inet fwpush | sed -n 's/.*tcp dport 443 .*handle //p' | tail -n 1)`,
		"a policy changed": "nft add chain inet fwpush input '{ type filter hook input priority -10; policy accept; }'",
	} {
		t.Run(name, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			h.mustApply(h.candidate(withSet(80), time.Minute))
			before := h.table()
			h.between("nft", fragment)
			r := h.apply(h.candidate(withSet(443), time.Minute))
			if h.sh("ls /run/stranger") == "" {
				t.Fatal("nobody came in between")
			}
			if r.Outcome != OutcomeReverted || r.Stage != StageApply || r.Err == nil || !strings.Contains(r.Err.Error(), "what runs is not what was loaded") {
				t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			if got := h.table(); got != before {
				t.Errorf("rules:\n%s", got)
			}
			// They are not in the way the next time, nor is a layout that was kept.
			if r := h.mustApply(h.candidate(withSet(443), time.Minute)); len(r.Notes) != 0 {
				t.Errorf("notes %q", r.Notes)
			}
			h.clean()
		})
	}
}

func TestHoleStrangersRuleBetweenLoadAndListingOfIptables(t *testing.T) {
	t.Parallel()
	variants(t, nil, func(t *testing.T, h *host) {
		h.mustApply(h.candidate(xtRules(false, "ops", 80), time.Minute))
		before := h.xtables()
		h.between("ip6tables-restore", "iptables -A FWPUSH-IN -p tcp --dport 31337 -j ACCEPT")
		r := h.apply(h.candidate(xtRules(false, "ops", 443), time.Minute))
		if h.sh("ls /run/stranger") == "" {
			t.Fatal("nobody came in between")
		}
		if r.Outcome != OutcomeReverted || r.Stage != StageApply || r.Err == nil || !strings.Contains(r.Err.Error(), "what runs is not what was loaded") {
			t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
		}
		if got := h.xtables(); got != before {
			t.Errorf("rules:\n%s", got)
		}
		h.mustApply(h.candidate(xtRules(false, "ops", 443), time.Minute))
		h.clean()
	})
}

// Where no namespace can be had nobody can tell, and that is told.
func TestNoNamespaceToListTheCandidateIn(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.wrap("unshare", "exit 1")
	r := h.mustApply(h.candidate(rules(false, 80), time.Minute))
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "passes for ours") {
		t.Errorf("notes %q", r.Notes)
	}
}

// A rule that gives an interface by its number loads anywhere, and where there is that interface it is
// listed by its name: such rules can be pushed, and what cannot be told is said.
func TestInterfacesByNumber(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	index := h.sh("cat /sys/class/net/eth0/ifindex")
	for _, rule := range []string{"iif " + index + " tcp dport 80 accept", "meta oif { 1, " + index + " } tcp dport 80 accept"} {
		rs := ruleset(strings.Replace(rules(false, 80).Text, "tcp dport 80 accept", rule, 1))
		r := h.mustApply(h.candidate(rs, time.Minute))
		if !strings.Contains(h.table(), `"eth0"`) {
			t.Fatalf("the number is no name there:\n%s", h.table())
		}
		if !strings.Contains(strings.Join(r.Notes, "\n"), "passes for ours") {
			t.Errorf("notes %q", r.Notes)
		}
		if r := h.apply(h.candidate(rs, time.Minute)); r.Outcome != OutcomeUnchanged {
			t.Errorf("again: %s at %s: %v", r.Outcome, r.Stage, r.Err)
		}
	}
	r := h.mustApply(h.candidate(ruleset(strings.Replace(rules(false, 80).Text, "tcp dport 80 accept", "iif 1 tcp dport 80 accept", 1)), time.Minute))
	if len(r.Notes) > 0 {
		t.Errorf("lo is there: %q", r.Notes)
	}
}
