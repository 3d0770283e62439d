package compare

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

// target is a web host of a fleet "default" with TCP ports open.
func target(t *testing.T, name string, ports ...uint16) rollout.Target {
	t.Helper()
	admin := netip.MustParseAddr("192.0.2.10")
	p := roles.Policy{Host: name, Inbound: inventory.Drop, Outbound: inventory.Accept,
		Management: roles.Management{Ports: []uint16{22}, Peers: []roles.Peer{{Kind: roles.Literal, V4: []inventory.AddrRange{{From: admin, To: admin}}}}}}
	for _, port := range ports {
		p.In = append(p.In, roles.Rule{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: []inventory.PortRange{{Proto: "tcp", From: port, To: port}}},
			Place: inventory.Place{File: "fleet.toml", Line: int(port), Col: 3}})
	}
	rules, err := render.Nftables(p)
	if err != nil {
		t.Fatal(err)
	}
	return rollout.Target{Host: inventory.Host{Name: name}, Policy: p,
		Candidate: commit.Candidate{Rules: rules, Stamp: commit.Stamp{Fleet: "default", Host: name}}}
}

// confirmed are the facts of a host that runs a target's rules.
func confirmed(t rollout.Target) commit.Facts {
	text := t.Candidate.Rules.Text
	return commit.Facts{Protocol: 1, Generation: 1, Owner: &commit.Owner{Protocol: 1, Fleet: "default", Host: t.Host.Name},
		Rules: text, Boot: text, Running: text, Canon: text, CanonKnown: true, Unit: "none", Connection: "192.0.2.10 4711 203.0.113.1 22"}
}

func seen(t rollout.Target, f commit.Facts) Change {
	r := rollout.Result{Name: t.Host.Name, Digest: t.Candidate.Rules.Digest, Result: commit.Result{Facts: &f}}
	if f.Pending == nil {
		r.Drift, _ = f.Drifted()
	}
	return ChangeOf(t, rollout.Observation{Result: r}, rollout.Risks{}, Others{})
}

func TestWriteChanges(t *testing.T) {
	old, now := target(t, "web1", 80), target(t, "web1", 80, 443)
	edited := confirmed(old)
	edited.Running = strings.Replace(edited.Running, "\t\tcounter drop", "\t\ttcp dport 1 accept comment \"\x1b[31m\"\n\t\tcounter drop", 1)
	locked := confirmed(old)
	locked.Pending = &commit.Holder{Run: "20261122T143055Z-7f3c91ab", Who: "bob\x1b[0m", State: "applied"}
	alien := confirmed(old)
	alien.Owner.Fleet = "other"
	boot := confirmed(now)
	boot.Boot = ""
	hosts := func(name string, f commit.Facts) Change {
		target := now
		target.Host.Name = name
		return seen(target, f)
	}
	changes := []Change{
		hosts("web1", confirmed(old)), hosts("web2", confirmed(old)), hosts("web3", edited), hosts("web4", confirmed(now)),
		hosts("web5", commit.Facts{Protocol: 1, Connection: "192.0.2.10 4711 203.0.113.1 22"}),
		hosts("web6", locked), hosts("web7", alien), hosts("web8", boot), hosts("web10", confirmed(old)),
		{Result: rollout.Result{Name: "web9", Result: commit.Result{Outcome: commit.OutcomeUnreachable, Stage: commit.StageConnect,
			Err: errors.New("web9 (203.0.113.9:22): no answer within 10s"), Hint: "check the address"}}},
	}
	for _, name := range []string{"db1", "db2"} { // the same trouble at two addresses is one
		changes = append(changes, Change{Result: rollout.Result{Name: name, Result: commit.Result{Outcome: commit.OutcomeUnreachable,
			Err: fmt.Errorf("%s (203.0.113.%s:22): connection refused", name, name[2:]), Hint: "check the port"}}})
	}
	var b bytes.Buffer
	if err := WriteChanges(&b, ui.Colour{}, changes); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	// The first push shows the whole ruleset; its digests and its length are not
	// the business of this test.
	begin, end := strings.Index(got, "● web5"), strings.Index(got, "✗ web6")
	first := strings.SplitN(got[begin:end], "\n", 2)[0]
	if !strings.Contains(first, "first push") || !strings.Contains(first, " -0   → sha256:") {
		t.Errorf("first push: %s", first)
	}
	for _, line := range []string{
		"● web[1-2,10] (3)   +1 -0   → sha256:",
		"  +  tcp dport 443 accept  # fleet.toml:443",
		"same, and its running ruleset was edited by hand (drift):",
		`  -  tcp dport 1 accept comment "\x1b[31m"     # in no role`,
		"○ web4 (1)   no change",
		`✗ web6 (1)  locked at inspect: run 20261122T143055Z-7f3c91ab of bob\x1b[0m is not finished here (applied); wait, or look at it with fwpush status`,
		`✗ web7 (1)  failed at inspect: the host belongs to fleet "other"; if it shall be this fleet's from now on: --accept-risk take-over`,
		"● web8 (1)   +0 -0",
		"the same rules; the boot path would be repaired",
		"✗ db[1-2] (2)  unreachable: connection refused; check the port\n",
		"✗ web9 (1)  unreachable: 203.0.113.9:22: no answer within 10s; check the address",
	} {
		if !strings.Contains(got, line) {
			t.Errorf("no %q in:\n%s", line, got)
		}
	}
	b.Reset()
	if err := WriteStat(&b, ui.Colour{}, changes); err != nil {
		t.Fatal(err)
	}
	if line := "✗ db[1-2] (2)  unreachable: connection refused; check the port\n"; !strings.Contains(b.String(), line) {
		t.Errorf("no %q in:\n%s", line, b.String()) // the trouble and its remedy, in one line too
	}
	got += b.String()
	if strings.Contains(got, "\x1b") {
		t.Error("an escape character of a host reached the terminal")
	}
	if got := rollout.ExitCode(Outcomes(changes)); got != 3 {
		t.Errorf("exit %d", got)
	}
}

func TestChangeForPrograms(t *testing.T) {
	old, now := target(t, "web1", 80), target(t, "web1", 80, 443)
	f := confirmed(old)
	f.Running = strings.Replace(f.Running, "\t\tcounter drop", "\t\ttcp dport 1 accept\n\t\tcounter drop", 1)
	h := report.HostOf(seen(now, f).Result, seen(now, f).diffText())
	if h.Outcome != "changed" || !h.Drift || !strings.Contains(h.Diff, "+  tcp dport 443 accept") || !strings.Contains(h.Diff, "-  tcp dport 1 accept") {
		t.Errorf("%+v", h)
	}
}

func TestHomeMadeRulesThatGoAreShownOnce(t *testing.T) {
	var changes []Change
	for i, name := range []string{"web1", "web2", "web3"} {
		host := target(t, name, 80)
		host.Host.Mode = inventory.At[string]{V: "exclusive"}
		f := confirmed(host)
		for n := range 130 {
			f.Home = append(f.Home, fmt.Sprintf("iptables-nft -t filter -A INPUT -p tcp --dport %d -j ACCEPT", n))
		}
		f.HomeLines = 1000
		if i == 2 {
			f.Home, f.HomeLines = []string{"table inet fire\x1b[2J {"}, 1
		}
		changes = append(changes, seen(host, f))
	}
	var out bytes.Buffer
	if err := WriteChanges(&out, ui.Colour{}, changes); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{"● web[1-2] (2)", "-  iptables-nft -t filter -A INPUT -p tcp --dport 119 -j ACCEPT\n  -  and 880 lines more\n", "● web3 (1)", `-  table inet fire\x1b[2J {`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Count(text, "--dport 5 ") != 1 || strings.Contains(text, "boot path") {
		t.Errorf("it says\n%s", text)
	}
	if got := ChangedHosts(changes)[0].Adopts; len(got) != 121 {
		t.Errorf("%d lines for programs", len(got))
	}
}
