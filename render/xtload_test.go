package render_test

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

// TestIptablesLoads restores every ruleset for iptables in a network namespace, in
// both variants, with sets and without; twice, as a host would on the next push.
func TestIptablesLoads(t *testing.T) {
	for _, variant := range []string{"nft", "legacy"} {
		for _, ipset := range []bool{true, false} {
			for _, name := range slices.Sorted(maps.Keys(concepts)) {
				rs, err := render.Iptables(concepts[name], ipset)
				if err != nil {
					continue // told by TestIptablesRefuses
				}
				var script strings.Builder
				for _, s := range render.Sections(rs.Text) {
					program := s.Tool + "-" + variant + "-restore --noflush"
					if s.Tool == "ipset" {
						program = "ipset restore -exist"
					}
					for range 2 {
						script.WriteString(program + " <<'END'\n" + s.Text + "END\n")
					}
				}
				cmd := exec.CommandContext(t.Context(), "unshare", "-n", "--", "sh", "-es")
				cmd.Env = append(cmd.Environ(), "XTABLES_LOCKFILE="+t.TempDir()+"/lock")
				cmd.Stdin = strings.NewReader(script.String())
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%s, %s, ipset %t: %v: %s\n%s", name, variant, ipset, err, out, rs.Text)
				}
			}
		}
	}
}

// What iptables has no words for is an error that names the key, and never left out.
func TestIptablesRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"helper":    `web1: cannot be rendered for iptables: helper ftp of a service cannot be had with iptables`,
		"raw-table": `web1: cannot be rendered for iptables: raw at "table" cannot be had with iptables`,
		"date":      `web1: cannot be rendered for iptables: expires cannot be later than 2038-01-18 with iptables`,
	} {
		p := concepts[name]
		if name == "date" {
			p = base(func(p *roles.Policy) {
				p.In = []roles.Rule{{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}, Expires: time.Date(2038, 1, 20, 0, 0, 0, 0, time.UTC)}}
			})
		}
		if _, err := render.Iptables(p, true); err == nil || err.Error() != want {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
