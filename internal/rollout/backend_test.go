package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"fwpush/internal/commit"
	"fwpush/internal/foreign"
	"fwpush/internal/lab"
	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

// xtRules admit SSH from one address and everybody to a port, for iptables.
func xtRules(controller netip.Addr, port int) render.Ruleset {
	const head, tail = "*filter\n:FWPUSH-IN - [0:0]\n-A FWPUSH-IN -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n", "-A FWPUSH-IN -j DROP\nCOMMIT\n"
	open := fmt.Sprintf("-A FWPUSH-IN -p tcp -m tcp --dport %d -j ACCEPT\n", port)
	text := "# fwpush iptables\n#: iptables filter\n" + head + fmt.Sprintf("-A FWPUSH-IN -s %s/32 -j ACCEPT\n", controller) + open + tail +
		"#: ip6tables filter\n" + head + open + tail
	sum := sha256.Sum256([]byte(text))
	return render.Ruleset{Backend: render.BackendIptables, Text: text, Digest: "sha256:" + hex.EncodeToString(sum[:])}
}

// either gives a target rules for both backends, and none for its own.
func either(t *testing.T, web Target, controller netip.Addr, port int) Target {
	t.Helper()
	nft := web.Candidate.Rules
	web.Candidate.Rules = render.Ruleset{}
	web.Print = func(c commit.Choice) (render.Ruleset, error) {
		if c.Backend == render.BackendIptables {
			return xtRules(controller, port), nil
		}
		return nft, nil
	}
	return web
}

func TestBackendOfATarget(t *testing.T) {
	controller := netip.MustParseAddr("10.0.0.1")
	plain := target(t, policy("web1", controller, 80))
	for _, w := range foreign.ManagerNames() {
		plain.Host.Coexist = append(plain.Host.Coexist, inventory.At[string]{V: w})
	}
	nft, xt := plain.Candidate.Rules, xtRules(controller, 80)
	auto := either(t, plain, controller, 80)
	asks := func(b render.Backend) Target { a := auto; a.Candidate.Want = b; return a }
	gone := Target{Candidate: commit.Candidate{Remove: true}}
	tools := []string{"iptables-restore", "iptables-save"}
	works := commit.Facts{NFT: "nftables v1.0.6", Probe: "ok"}
	fails := commit.Facts{NFT: "none", Probe: "failed nft was not found", Tools: tools, Iptables: "iptables v1.8.9 (legacy)"}
	runs := func(text string) commit.Facts {
		return commit.Facts{Generation: 1, Rules: text, NFT: "nftables v1.0.6", Tools: tools, Iptables: "iptables v1.8.9 (legacy)"}
	}
	bans := func(f commit.Facts, more ...string) commit.Facts {
		text := "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n"
		for _, rule := range append([]string{"INPUT f2b-sshd", "FORWARD DOCKER-USER"}, more...) {
			chain, to, _ := strings.Cut(rule, " ")
			text += fmt.Sprintf(":%s - [0:0]\n-A %s -j %s\n", to, chain, to)
		}
		rs, err := foreign.ParseSave(text+"COMMIT\n", foreign.IPv4, false)
		if err != nil {
			t.Fatal(err)
		}
		f.Foreign.Ruleset = rs
		return f
	}
	told := func(which string) string {
		return "with iptables no ban of others holds for what fwpush accepts: rules of theirs come behind its own (" + which + ")"
	}
	forwarding := passing(t, render.BackendIptables, func(p *roles.Policy) { p.Forwards = true })
	publishing := passing(t, render.BackendIptables, func(p *roles.Policy) { p.Publishes = true })
	forwards, publishes := auto, auto
	forwards.Print = func(commit.Choice) (render.Ruleset, error) { return forwarding, nil }
	publishes.Print = func(commit.Choice) (render.Ruleset, error) { return publishing, nil }
	for _, tt := range []struct {
		name   string
		target Target
		facts  commit.Facts
		want   string // digest
		note   string
	}{
		{"first push", auto, works, nft.Digest, ""},
		{"first push, no nft", auto, fails, xt.Digest, "by iptables: a first push, and nft does not work on the host: nft was not found"},
		{"as before", auto, runs(nft.Text), nft.Digest, ""},
		{"as before, iptables", auto, runs(xt.Text), xt.Digest, ""},
		{"to nftables", asks(render.BackendNftables), runs(xt.Text), nft.Digest, "from iptables to nftables: the fleet file asks for it"},
		{"to iptables", asks(render.BackendIptables), runs(nft.Text), xt.Digest, "from nftables to iptables: the fleet file asks for it"},
		{"first push, asked", asks(render.BackendIptables), works, xt.Digest, "by iptables: the fleet file asks for it"},
		{"one form only", plain, works, nft.Digest, ""},
		{"one form only, over iptables", plain, runs(xt.Text), nft.Digest, "from iptables to nftables: there are no rules for another one"},
		{"a ban behind nftables", auto, bans(runs(nft.Text)), nft.Digest, ""},
		{"a ban behind iptables", auto, bans(runs(xt.Text)), xt.Digest, told(`"INPUT f2b-sshd"`)},
		{"bans behind iptables", auto, bans(runs(xt.Text), "INPUT a", "INPUT b", "INPUT c", "INPUT \x1b"), xt.Digest,
			told(`"INPUT f2b-sshd", "INPUT a", "INPUT b", "INPUT c" and 1 more`)},
		{"Docker behind a gateway", forwards, bans(runs(xt.Text)), forwarding.Digest, told(`"INPUT f2b-sshd", "FORWARD DOCKER-USER"`)},
		{"Docker behind rules for published ports", publishes, bans(runs(xt.Text)), publishing.Digest, told(`"INPUT f2b-sshd"`)},
		{"a ban and a removal", gone, bans(runs(xt.Text)), "", ""},
		{"no rules", Target{}, fails, "", ""},
		{"remove", gone, fails, "", ""},
		{"remove iptables", gone, runs(xt.Text), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rules, err := tt.target.Fit(tt.facts)
			if err != nil || rules.Digest != tt.want {
				t.Errorf("rules %s, want %s: %v", rules.Digest, tt.want, err)
			}
			if got := strings.Join(notes(tt.target, tt.facts), "; "); got != tt.note {
				t.Errorf("it says %q, want %q", got, tt.note)
			}
		})
	}

	broken := auto
	broken.Print = func(commit.Choice) (render.Ruleset, error) { return nft, nil }
	if v := broken.Judge(fails, Risks{}); v.Act != commit.Refuse || !strings.Contains(v.Err.Error(), "a bug in fwpush") {
		t.Errorf("rules for the other backend: act %d, %v", v.Act, v.Err)
	}
	broken.Print = func(commit.Choice) (render.Ruleset, error) { return render.Ruleset{}, errors.New("cannot be said") }
	if v := broken.Judge(fails, Risks{}); v.Act != commit.Refuse || v.Err.Error() != "cannot be said" {
		t.Errorf("rules that cannot be printed: act %d, %v", v.Act, v.Err)
	}
	if v := auto.Judge(commit.Facts{NFT: "none"}, Risks{}); v.Act != commit.Refuse || v.Err == nil {
		t.Errorf("no backend: act %d, %v", v.Act, v.Err)
	}
}

// A fleet in which each host gets what it can load, then a change of its backend.
func TestFleetOfBothBackends(t *testing.T) {
	hosts := labHosts(t, 2)
	sh(t, hosts[1], "mv /usr/sbin/nft /usr/sbin/nft.off")
	targets := labTargets(t, hosts, 80)
	for i := range targets {
		targets[i] = either(t, targets[i], world.Addr4(), 80)
	}
	o := Options{Dialer: dialer(), Forks: 2}
	results := Apply(t.Context(), targets, o)
	expect(t, results, "web01 confirmed, web02 confirmed")
	if got := results[1]; got.Digest != xtRules(world.Addr4(), 80).Digest || !strings.Contains(strings.Join(got.Notes, "; "), "by iptables: ") {
		t.Errorf("web02: digest %s, notes %q", got.Digest, got.Notes)
	}
	if got := results[0]; got.Digest == results[1].Digest || len(got.Notes) != 0 {
		t.Errorf("web01: digest %s, notes %q", got.Digest, got.Notes)
	}
	chains := func(h *lab.Host) string {
		return sh(t, h, "iptables-save 2>/dev/null | grep -e 'dport 80 ' -e '-j FWPUSH' | cut -d ' ' -f 2 | tr '\\n' ' '")
	}
	if got := chains(hosts[1]); got != "INPUT FWPUSH-IN " {
		t.Errorf("web02 does not run its rules: %q", got)
	}
	if got := table(t, hosts[0]); !strings.Contains(got, "tcp dport 80") || chains(hosts[0]) != "" {
		t.Errorf("web01 does not run its rules:\n%s", got)
	}
	expect(t, Apply(t.Context(), targets, o), "web01 unchanged, web02 unchanged")

	// What a host got once it keeps, until somebody asks for the other one.
	sh(t, hosts[1], "mv /usr/sbin/nft.off /usr/sbin/nft")
	expect(t, Apply(t.Context(), targets, o), "web01 unchanged, web02 unchanged")
	targets[0].Candidate.Want, targets[1].Candidate.Want = render.BackendIptables, render.BackendNftables
	seen := Inspect(t.Context(), targets, o)
	results = Apply(t.Context(), targets, o)
	expect(t, results, "web01 confirmed, web02 confirmed")
	for i, want := range []string{"from nftables to iptables: the fleet file asks for it", "from iptables to nftables: the fleet file asks for it"} {
		for _, got := range [][]string{seen[i].Notes, results[i].Notes} {
			if strings.Join(got, "; ") != want {
				t.Errorf("web0%d: notes %q, want %q", i+1, got, want)
			}
		}
	}
	if table(t, hosts[0]) != "" || chains(hosts[0]) != "INPUT FWPUSH-IN " || table(t, hosts[1]) == "" || chains(hosts[1]) != "" {
		t.Errorf("after the change:\n%s\n%s\n%s\n%s", table(t, hosts[0]), chains(hosts[0]), table(t, hosts[1]), chains(hosts[1]))
	}
	for i := range targets {
		targets[i].Candidate.Want = ""
	}
	expect(t, Apply(t.Context(), targets, o), "web01 unchanged, web02 unchanged")
	for i := range targets {
		targets[i].Candidate.Remove = true
	}
	expect(t, Apply(t.Context(), targets, o), "web01 confirmed, web02 confirmed")
	if got := table(t, hosts[1]) + chains(hosts[0]); got != "" {
		t.Errorf("after the removal:\n%s", got)
	}
}
