package report

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

func TestStatusOf(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 30, 55, 0, time.UTC)
	admin := netip.MustParseAddr("192.0.2.10")
	rules, err := render.Nftables(roles.Policy{Host: "web1", Inbound: inventory.Drop, Outbound: inventory.Accept,
		Management: roles.Management{Ports: []uint16{22}, Peers: []roles.Peer{{Kind: roles.Literal, V4: []inventory.AddrRange{{From: admin, To: admin}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	text := rules.Text
	base := func(change func(f *commit.Facts)) commit.Facts {
		f := commit.Facts{Protocol: 1, Generation: 1, Owner: &commit.Owner{Protocol: 1, Fleet: "default", Host: "web1"},
			Rules: text, Boot: text, Running: text, Canon: text, CanonKnown: true}
		f.NFT, f.Unit, f.Tools, f.Systemd = "nftables v1.0.6 (Lester Gooch #5)", "ok", []string{"nft", "at", "systemd-run", "setsid"}, true
		f.Meta = map[string]string{"when": "1795357855", "run": "20261122T143055Z-7f3c91ab"}
		if change != nil {
			change(&f)
		}
		return f
	}
	pending := commit.Holder{TX: strings.Repeat("a", 32), State: "applied", Run: "20261122T143000Z-00000001", From: "198.51.100.7", Who: "bob", Left: time.Minute}
	holder := func(state string, open bool) func(*commit.Facts) {
		return func(f *commit.Facts) {
			h := pending
			h.State, h.Open = state, open
			f.Pending = &h
		}
	}
	tests := []struct {
		name  string
		facts commit.Facts
		want  string
		boot  string
	}{
		{"as confirmed", base(nil), "ok", "ok"},
		{"edited", base(func(f *commit.Facts) { f.Running += "x" }), "drift", "ok"},
		{"gone", base(func(f *commit.Facts) { f.Running = "" }), "drift", "ok"},
		{"gone after an upgrade of nft", base(func(f *commit.Facts) { f.Running, f.CanonKnown = "", false }), "drift", "ok"},
		{"after an upgrade of nft", base(func(f *commit.Facts) { f.CanonKnown = false }), "ok", "ok"},
		{"waits", base(holder("applied", false)), "pending", "ok"},
		{"stuck", base(holder("reverting", false)), "stuck", "ok"},
		{"open", base(holder("reverting", true)), "open", "ok"},
		{"never", commit.Facts{Protocol: 1, Unit: "absent"}, "absent", "none"},
		{"somebody's table", commit.Facts{Protocol: 1, Running: "table inet fwpush {\n}\n"}, "drift", "none"},
		{"unit taken away", base(func(f *commit.Facts) { f.Unit = "absent" }), "ok", "disabled"},
		{"unit disabled", base(func(f *commit.Facts) { f.Unit = "disabled" }), "ok", "disabled"},
		{"unit edited", base(func(f *commit.Facts) { f.Unit = "differs" }), "ok", "differs"},
		{"boot file edited", base(func(f *commit.Facts) { f.Boot = "" }), "ok", "differs"},
		{"no init", base(func(f *commit.Facts) { f.Unit = "none" }), "ok", "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := StatusOf(rollout.Result{Name: "web1", Result: commit.Result{Facts: &tt.facts}}, now)
			if h.Outcome != tt.want || h.Boot != tt.boot {
				t.Errorf("%s, boot %s; want %s, boot %s", h.Outcome, h.Boot, tt.want, tt.boot)
			}
			if tt.facts.Pending != nil && (h.Pending.Deadline != "2026-11-22T14:31:55Z" || h.Pending.By != "bob" || h.Pending.From != "198.51.100.7") {
				t.Errorf("pending: %+v", h.Pending)
			}
			if says := "fwpush confirm 20261122T143000Z-00000001 keeps what runs"; strings.HasPrefix(h.Hint, says) != (tt.want == "pending") {
				t.Errorf("hint %q", h.Hint)
			}
		})
	}
	f := base(func(f *commit.Facts) {
		f.LastRevert = &commit.Reverted{When: now.Add(-14*time.Minute - 15*time.Second)}
	})
	h := StatusOf(rollout.Result{Result: commit.Result{Facts: &f}, Previous: "sha256:confirmed"}, now)
	if h.Since != "2026-11-22T14:30:55Z" || h.LastRevert != "2026-11-22T14:16:40Z" || h.Backend != "nftables 1.0.6" || h.Fleet != "default" ||
		strings.Join(h.Timers, " ") != "at systemd watchdog" || h.Running != "sha256:confirmed" {
		t.Errorf("%+v", h)
	}
	f.Running += "x"
	h = StatusOf(rollout.Result{Result: commit.Result{Facts: &f}, Previous: "sha256:confirmed"}, now)
	if h.Digest != "sha256:confirmed" || h.Running == h.Digest || !strings.HasPrefix(h.Running, "sha256:") {
		t.Errorf("edited by hand: %+v", h)
	}
}

func TestStatusNamesTheBackend(t *testing.T) {
	const iptables, nft = "iptables v1.8.9 (nf_tables)", "nftables v1.0.6 (Lester Gooch #5)"
	tools := []string{"iptables-restore", "iptables-save"}
	for want, f := range map[string]commit.Facts{
		"iptables 1.8.9 (nf_tables)": {Generation: 1, Rules: "# fwpush iptables\n", NFT: nft, Iptables: iptables, Tools: tools},
		"iptables 1.8.9 (legacy)":    {NFT: "none", Probe: "failed nft was not found", Iptables: "iptables v1.8.9 (legacy)", Tools: tools},
		"nftables 1.0.6":             {Generation: 1, Rules: "add table inet fwpush\n", NFT: nft, Iptables: iptables, Tools: tools},
		"":                           {NFT: "none"},
	} {
		if h := StatusOf(rollout.Result{Result: commit.Result{Facts: &f}}, time.Now()); h.Backend != want {
			t.Errorf("%q, want %q", h.Backend, want)
		}
	}
}

// TestStatusTable has hosts that stand alike in one row, and what hosts say made
// safe.
func TestStatusTable(t *testing.T) {
	var out bytes.Buffer
	deadline := time.Date(2026, 11, 22, 14, 31, 55, 0, time.UTC)
	waiting := &Pending{Run: "20261122T143000Z-00000001", By: "bob\x1b[2J", State: "applied"}
	hosts := []Status{
		{Name: "web1", Outcome: "ok", Run: "r1", Boot: "ok", Fleet: "default"},
		{Name: "web2", Outcome: "ok", Run: "r1", Boot: "ok", Fleet: "default"},
		{Name: "web3", Outcome: "pending", Pending: waiting, deadline: deadline.Add(-time.Second)},
		{Name: "web4", Outcome: "pending", Pending: waiting, deadline: deadline},
		StatusOf(rollout.Result{Name: "db1", Result: commit.Result{Outcome: commit.OutcomeUnreachable, Err: errors.New("db1 (10.0.0.1:22): connection refused")}}, deadline),
		StatusOf(rollout.Result{Name: "mx1", Result: commit.Result{Outcome: commit.OutcomeUnreachable, Err: errors.New("mx1 (10.0.0.2:22): no answer within 10s")}}, deadline),
		StatusOf(rollout.Result{Name: "mx2", Result: commit.Result{Outcome: commit.OutcomeUnreachable, Err: errors.New("mx2 (10.0.0.3:22): no answer within 10s")}}, deadline),
	}
	if err := WriteStatus(&out, ui.Colour{}, hosts); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		`STATE        HOSTS         CONFIRMED BY RUN  BOOT  FLEET`,
		`ok           web[1-2] (2)  r1                ok    default`,
		`pending      web[3-4] (2)  -                 -     -        reverts by 14:31:55Z: run 20261122T143000Z-00000001 by bob\x1b[2J, applied`,
		`unreachable  db1 (1)       -                 -     -        10.0.0.1:22: connection refused`,
		`unreachable  mx[1-2] (2)   -                 -     -        no answer within 10s`,
		``}, "\n")
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}
