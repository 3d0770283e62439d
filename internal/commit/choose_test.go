package commit

import (
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/render"
)

func TestChoose(t *testing.T) {
	const text = "# fwpush iptables\n"
	all := []string{"nft", "iptables-restore", "iptables-save", "ip6tables-restore", "ip6tables-save"}
	both := func(change func(*Facts)) Facts {
		f := Facts{NFT: "nftables v1.0.6 (Lester Gooch #5)", Probe: "ok", Tools: all, Iptables: "iptables v1.8.9 (nf_tables)", IPv6: true}
		change(&f)
		return f
	}
	runs := func(rules string) func(*Facts) {
		return func(f *Facts) { f.Generation, f.Rules, f.Probe = 1, rules, "" }
	}
	for _, tt := range []struct {
		name  string
		want  render.Backend
		facts Facts
		gets  render.Backend
		says  string // part of why, or of what it lacks
	}{
		{"a first push", "", both(func(*Facts) {}), "nftables", "a first push, and nft works"},
		{"N17 a first push, nft fails", "", both(func(f *Facts) { f.Probe = "failed Operation not supported" }), "iptables", "nft does not work on the host: Operation not supported"},
		{"a first push, nothing works", "", both(func(f *Facts) { f.Probe, f.Tools = "failed nft was not found", nil }), "", "no backend works on the host: nft was not found; iptables-restore was not found"},
		{"as confirmed", "", both(runs("add table inet fwpush\n")), "nftables", "last confirmed"},
		{"as confirmed, iptables", "", both(runs(text)), "iptables", "last confirmed"},
		{"asked for", "iptables", both(func(*Facts) {}), "iptables", "the fleet file asks for it"},
		{"asked for another", "nftables", both(runs(text)), "nftables", "the fleet file asks for it"},
		{"asked for nftables", "nftables", both(func(f *Facts) { f.NFT = "none" }), "nftables", "nft was not found"},
		{"nft cannot list", "", both(func(f *Facts) { f.NFTError = "x\nnetlink: no\n" }), "nftables", "nft cannot list table inet fwpush: netlink: no"},
		{"the old one cannot be taken away", "iptables", both(func(f *Facts) { runs("add table inet fwpush\n")(f); f.NFT = "none" }), "iptables", "the rules of now are for nftables: nft was not found"},
		{"the old one is blind", "nftables", both(func(f *Facts) { runs(text)(f); f.XTError = "it says no" }), "nftables", "the rules of now are for iptables: iptables cannot list"},
		{"I2 one family", "iptables", both(func(f *Facts) { f.Tools = all[:3] }), "iptables", "ip6tables-restore was not found on the host, and IPv6 is on"},
		{"I2 one family listed", "iptables", both(func(f *Facts) { f.Tools = all[:4] }), "iptables", "ip6tables-save was not found on the host, and IPv6 is on"},
		{"I2 one family, no IPv6", "iptables", both(func(f *Facts) { f.Tools, f.IPv6 = all[:3], false }), "iptables", "the fleet file asks for it"},
		{"I8 no -w", "iptables", both(func(f *Facts) { f.Iptables = "iptables v1.6.1" }), "iptables", "older than 1.6.2"},
		{"I8 the first with -w", "iptables", both(func(f *Facts) { f.Iptables = "iptables v1.6.2" }), "iptables", "the fleet file asks for it"},
		{"no version", "iptables", both(func(f *Facts) { f.Iptables = "none" }), "iptables", "does not tell its version"},
		{"I9 two engines", "iptables", both(func(f *Facts) { f.Engines = "this and that" }), "iptables", "two rule engines active: this and that"},
		{"I9 chains of ours in the other one", "nftables", both(func(f *Facts) { f.Stray = "this and that" }), "nftables", "that the host does not use any more: this and that"},
		{"two engines beside nftables", "", both(func(f *Facts) { f.Engines = "this and that" }), "nftables", "a first push"},
		{"unseen chains", "", both(func(f *Facts) { f.Chains, f.Tools = "table ip filter {\n\tchain FWPUSH-IN {\n", all[:1] }), "nftables", "iptables-save was not found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, lack := tt.facts.Choose(tt.want)
			said := c.Why
			if lack != nil {
				said = lack.Error()
				if lack.Hint == "" {
					t.Error("no remedy")
				}
			}
			if c.Backend != tt.gets || !strings.Contains(said, tt.says) {
				t.Errorf("%q: %s", c.Backend, said)
			}
			if changes := c.Before != "" && tt.want != "" && tt.want != c.Before; c.Changes() != changes {
				t.Errorf("from %q to %q: changes %v", c.Before, c.Backend, c.Changes())
			}
		})
	}
}

// An inspection that has to find out the backend leaves nothing behind.
func TestProbeReadsOnly(t *testing.T) {
	t.Parallel()
	for _, variant := range []string{"nft", "legacy"} {
		t.Run(variant, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			h.variant(variant)
			// A lock file is all that the legacy program itself leaves.
			h.sh("touch /run/xtables.lock")
			seen := func() string {
				return h.sh("nft list ruleset; ipset list -n; cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null; find /run /var/lib /tmp -newer /run/began | grep -v -e /proc -e sshd -e utmp || true")
			}
			h.sh("touch /run/began; sleep 0.1")
			before := seen()
			for want, backend := range map[render.Backend]render.Backend{"": "nftables", "iptables": "iptables"} {
				f, r := Inspect(t.Context(), h.dial(), want, ModeSame, "")
				if c, lack := f.Choose(want); r.Err != nil || lack != nil || c.Backend != backend || want != "" && !c.Ipset {
					t.Errorf("asked for %q: %+v, %v", want, c, r.Err)
				}
			}
			h.noNFT()
			f, _ := Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
			if c, _ := f.Choose(""); c.Backend != "iptables" || !c.Ipset {
				t.Errorf("without nft: %+v", c)
			}
			h.sh("mv /usr/sbin/nft.off /usr/sbin/nft")
			if got := seen(); got != before {
				t.Errorf("after the inspection:\n%s\nbefore:\n%s", got, before)
			}
		})
	}
}

// A removal that nobody confirms is taken back, and what it took away is there again.
func TestRemovalOnIptablesIsTakenBack(t *testing.T) {
	t.Parallel()
	for _, variant := range []string{"nft", "legacy"} {
		t.Run(variant, func(t *testing.T) {
			working(t)
			h := newHost(t, lab.HostOptions{})
			h.variant(variant)
			h.sh(foreignRules)
			h.mustApply(h.xt(withNAT(xtRules(false, "ops", 80), "-s 192.0.2.0/24 -j MASQUERADE")))
			before, kept := h.both(), h.sh("cd /var/lib/fwpush; ls; cat boot.ipt load.sh owner | sha256sum")
			c := h.removal()
			c.Window = 3 * time.Second
			p := h.begin(c)
			if got := h.xtables(); strings.Contains(got, ":FWPUSH-") || strings.Contains(got, "fwp4-") {
				t.Errorf("while it waits:\n%s", got)
			}
			p.hangUp()
			h.until("it is taken back", 8*time.Second, func() bool { return h.state() == "reverted" })
			if got := h.both(); got != before {
				t.Errorf("after the revert:\n%s\nbefore:\n%s", got, before)
			}
			if got := h.sh("cd /var/lib/fwpush; ls | grep -v last_revert; cat boot.ipt load.sh owner | sha256sum"); got != kept {
				t.Errorf("kept:\n%s\nbefore:\n%s", got, kept)
			}
			h.clean()
		})
	}
}
