package render_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwpush/inventory"
	"fwpush/render"
)

const containerBefore = `# fwpush iptables
#: ipset
create fwp4-ops-11111111 hash:net family inet
add fwp4-ops-11111111 198.51.100.0/28
#: iptables filter
*filter
:FWPUSH-IN - [0:0]
:FWPUSH-REV-0123456789ab - [0:0]
-A FWPUSH-IN -m set --match-set fwp4-ops-11111111 src -p tcp --dport 22 -j ACCEPT
-A FWPUSH-IN -j DROP
COMMIT
#: ip6tables filter
*filter
:FWPUSH-IN - [0:0]
-A FWPUSH-IN -j DROP
COMMIT
`

const containerAfter = `# fwpush iptables
#: iptables filter
*filter
:FWPUSH-IN - [0:0]
:FWPUSH-OUT - [0:0]
:FWPUSH-REV-ba9876543210 - [0:0]
-A FWPUSH-IN -p tcp --dport 22 -j ACCEPT
-A FWPUSH-IN -j DROP
COMMIT
#: ip6tables filter
*filter
:FWPUSH-IN - [0:0]
-A FWPUSH-IN -j DROP
COMMIT
`

func TestCompareOfTextsForIptables(t *testing.T) {
	d := render.Compare(containerBefore, render.Ruleset{Text: containerAfter, Places: map[int][]inventory.Place{7: {at(14)}}})
	want := `@@ set fwp4-ops-11111111 @@
-  create fwp4-ops-11111111 hash:net family inet
-  add fwp4-ops-11111111 198.51.100.0/28
@@ chain iptables filter FWPUSH-IN @@
   :FWPUSH-IN - [0:0]
-  -A FWPUSH-IN -m set --match-set fwp4-ops-11111111 src -p tcp --dport 22 -j ACCEPT
+  -A FWPUSH-IN -p tcp --dport 22 -j ACCEPT  # fleet.toml:14
   -A FWPUSH-IN -j DROP
@@ chain iptables filter FWPUSH-OUT @@
+  :FWPUSH-OUT - [0:0]
`
	if diff := cmp.Diff(want, d.Annotated()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if d.Added != 2 || d.Removed != 3 {
		t.Errorf("+%d -%d", d.Added, d.Removed)
	}
	if d := render.Compare(containerAfter, render.Ruleset{Text: strings.Replace(containerAfter, "ba98", "0000", 1)}); d.Changed {
		t.Errorf("the marker alone is a change:\n%s", d.Text)
	}
}

// From one backend to the other nothing is kept.
func TestCompareOfTwoBackends(t *testing.T) {
	nft := mustRender(t, concepts["web"])
	there := render.Compare(nft.Text, render.Ruleset{Text: containerAfter})
	back := render.Compare(containerAfter, nft)
	if there.Added != 6 || back.Removed != there.Added || back.Added != there.Removed || there.Removed == 0 {
		t.Errorf("+%d -%d there, +%d -%d back", there.Added, there.Removed, back.Added, back.Removed)
	}
	if !strings.Contains(there.Text, "@@ chain input @@\n-  chain input {\n") {
		t.Errorf("the old rules are not taken out:\n%s", there.Text)
	}
}

// A listing has jumps, and may have what runs in nftables before it.
func TestDriftInIptables(t *testing.T) {
	jumps := "#: jumps\niptables filter 1 -A INPUT -j FWPUSH-IN\n"
	stored := containerAfter + jumps
	for name, tt := range map[string]struct{ live, want string }{
		"as confirmed": {stored, ""},
		"a jump that is no longer first": {
			containerAfter + strings.Replace(jumps, "filter 1", "filter 3", 1),
			"@@ jumps @@\n-  iptables filter 1 -A INPUT -j FWPUSH-IN\n+  iptables filter 3 -A INPUT -j FWPUSH-IN\n",
		},
		"one family is gone": {
			strings.Split(stored, "#: ip6tables")[0] + jumps,
			"@@ chain ip6tables filter FWPUSH-IN @@\n-  :FWPUSH-IN - [0:0]\n-  -A FWPUSH-IN -j DROP\n",
		},
		"a table of the other backend beside it": {
			"table inet fwpush {\n\tchain input {\n\t\taccept\n\t}\n}\n" + stored,
			"@@ chain input @@\n+  chain input {\n+    accept\n+  }\n",
		},
		"a line that belongs nowhere": {
			strings.Replace(stored, "#: iptables", "nonsense\n#: iptables", 1),
			"@@ iptables @@\n+  nonsense\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, render.Drift(stored, tt.live).Text); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSplitListing(t *testing.T) {
	const table = "table inet fwpush {\n}\n"
	for _, tt := range []struct{ nft, iptables string }{{"", ""}, {table, ""}, {"", containerAfter}, {table, containerAfter}} {
		nft, iptables := render.SplitListing(tt.nft + tt.iptables)
		if nft != tt.nft || iptables != tt.iptables {
			t.Errorf("%q and %q became %q and %q", tt.nft, tt.iptables, nft, iptables)
		}
	}
	if render.BackendOf("") != "" || render.BackendOf(table) != render.BackendNftables || render.BackendOf(containerAfter) != render.BackendIptables {
		t.Error("a text is taken for another backend's")
	}
}
