package compare

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// TestPeers compares four hosts with the roles of a web server, the last of which is
// the odd one.
func TestPeers(t *testing.T) {
	web := target(t, "web1", 80)
	// edited is a host on which a rule was put by hand.
	edited := func(f commit.Facts) commit.Facts {
		f.Running = strings.Replace(f.Running, "\t\tcounter drop", "\t\ttcp dport 1 accept comment \"\x1b[31m\"\n\t\tcounter drop", 1)
		return f
	}
	// relisted is a host with another nft, which prints the same rules in other words.
	relisted := func(f commit.Facts) commit.Facts {
		f.Running = strings.ReplaceAll(f.Running, "priority filter - 10", "priority -10")
		f.Canon = f.Running
		return f
	}
	pending := confirmed(web)
	pending.Pending = &commit.Holder{Run: "20261122T143055Z-7f3c91ab", Who: "bob", State: "applied"}
	unknown := confirmed(web)
	unknown.CanonKnown = false
	iptables := confirmed(web)
	iptables.Rules = "# fwpush iptables\n"
	usual := confirmed(web)
	for _, tt := range []struct {
		name        string
		most, other commit.Facts
		outcome     commit.Outcome // of the other
		want        []string
	}{
		{"alike", usual, usual, commit.OutcomeUnchanged, []string{"roles base, web (4)\n○ web[1-4] (4)   all the same   ", "as the fleet file says\n"}},
		{"another nft", usual, relisted(usual), commit.OutcomeUnchanged, []string{"○ web[1-4] (4)   all the same"}},
		{"one is edited", usual, edited(usual), rollout.OutcomeChanged,
			[]string{"○ web[1-3] (3)   the most   ", "● web4 (1)   +1 -0   edited by hand (drift)\n", "\n  +  tcp dport 1 accept comment \"\\x1b[31m\"\n"}},
		{"all but one are edited", edited(usual), usual, rollout.OutcomeChanged,
			[]string{"○ web[1-3] (3)   the most   ", "● web4 (1)   +0 -1   as the fleet file says\n", "\n  -  tcp dport 1 accept"}},
		{"all are edited alike", edited(usual), edited(relisted(usual)), commit.OutcomeUnchanged, []string{"all the same", "edited by hand (drift)\n"}},
		{"one is of before", usual, confirmed(target(t, "web4", 443)), rollout.OutcomeChanged,
			[]string{"● web4 (1)   +1 -1   the fleet file says otherwise\n", "\n  -  tcp dport 80 accept\n", "\n  +  tcp dport 443 accept\n"}},
		{"one has nothing", usual, commit.Facts{}, rollout.OutcomeChanged, []string{"● web4 (1)   no rules of fwpush   the fleet file says otherwise\n"}},
		{"none has any", commit.Facts{}, commit.Facts{}, commit.OutcomeUnchanged, []string{"○ web[1-4] (4)   all the same   sha256:0123…   no rules of fwpush   the fleet file says otherwise\n"}},
		{"one has rules of nobody", usual, commit.Facts{Running: usual.Running}, rollout.OutcomeChanged, []string{"● web4 (1)   rules that nobody confirmed   "}},
		{"only one has rules", commit.Facts{}, usual, rollout.OutcomeChanged, []string{"● web4 (1)   the others have no confirmed rules   as the fleet file says\n"}},
		{"one has another backend", usual, iptables, rollout.OutcomeChanged, []string{"● web4 (1)   iptables, the others nftables   "}},
		{"drift cannot be told", usual, unknown, commit.OutcomeUnchanged, []string{"○ web[1-4] (4)   all the same   sha256:0123…   whether they were edited by hand cannot be told of web4   as the fleet file says\n"}},
		{"one is under way", usual, pending, commit.OutcomeLocked, []string{"○ web[1-3] (3)   all the same", "✗ web4 (1)  locked at inspect: run 20261122T143055Z-7f3c91ab of bob is not finished here"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var targets []rollout.Target
			var seen []rollout.Result
			for i, f := range []commit.Facts{tt.most, tt.most, tt.most, tt.other} {
				each := web
				each.Host.Name = fmt.Sprintf("web%d", i+1)
				each.Host.Roles = []inventory.At[string]{{V: "base"}, {V: "web"}}
				targets = append(targets, each)
				seen = append(seen, rollout.Result{Name: each.Host.Name, Previous: "sha256:0123456789", Result: commit.Result{Facts: &f}})
			}
			p := PeersOf(targets, seen)
			var b bytes.Buffer
			if err := WritePeers(&b, ui.Colour{}, p, true); err != nil {
				t.Fatal(err)
			}
			for _, part := range tt.want {
				if !strings.Contains(b.String(), part) {
					t.Errorf("no %q in:\n%s", part, b.String())
				}
			}
			if got := p.Results()[3].Outcome; got != tt.outcome {
				t.Errorf("outcome %s, want %s", got, tt.outcome)
			}
			if strings.Contains(b.String(), "\x1b") {
				t.Error("an escape character of a host reached the terminal")
			}
		})
	}
}

// TestPeersNobodyTold: hosts without facts are in no set.
func TestPeersNobodyTold(t *testing.T) {
	web := target(t, "web1", 80)
	p := PeersOf([]rollout.Target{web}, []rollout.Result{{Name: "web1", Result: commit.Result{Outcome: commit.OutcomeUnreachable, Err: errors.New("no route")}}})
	var b bytes.Buffer
	if err := WritePeers(&b, ui.Colour{}, p, true); err != nil || b.String() != "✗ web1 (1)  unreachable: no route\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
	if len(p.Unlike()) != 0 || len(PeerHosts(p)) != 1 {
		t.Errorf("%+v", PeerHosts(p))
	}
}
