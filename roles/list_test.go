package roles

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"fwpush/inventory"
)

func TestList(t *testing.T) {
	fleet := load(t, prelude+`[defaults]
roles = ["base"]
[hosts.a]
roles = ["web"]
[hosts.b]
[roles.web]
extends = "web"
[roles.app]
`)
	want := []Info{
		{Name: "app", Place: inventory.Place{File: "fleet.toml", Line: 12, Col: 8}},
		{Name: "base", Standard: true, Hosts: 2},
		{Name: "bastion", Standard: true},
		{Name: "db", Standard: true},
		{Name: "gateway", Standard: true},
		{Name: "monitoring", Standard: true},
		{Name: "web", Place: inventory.Place{File: "fleet.toml", Line: 10, Col: 8}, Hosts: 1},
	}
	got := List(fleet)
	for i := range got {
		if got[i].Standard {
			if !strings.HasPrefix(got[i].Place.String(), "fwpush:standard/"+got[i].Name+".toml:") {
				t.Errorf("%s is at %s", got[i].Name, got[i].Place)
			}
			got[i].Place = inventory.Place{}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := List(&inventory.Fleet{}); len(got) != 6 || !got[0].Standard {
		t.Errorf("without a fleet: %v", got)
	}
}

// What Show writes means what the fleet file said.
func TestShowReadsBack(t *testing.T) {
	const role = `[roles.app]
extends = ["web", "base"]
inbound = "reject"
outbound = "drop"
log = "app"
ping = false
dhcp_client = true
antispoof = false
in = [
  { allow = "http" },
  { deny = ["all", "tcp/80"], from = ["any", "10.0.0.1"], to = "fd00::1", allow_empty = true, owner = "me", ticket = "T-1", comment = "ä \\ ' x" },
]
out = [
  { allow = "dns", to = "10.0.0.53" },
]
nat = [
  { masquerade = true, out_iface = "wan0", family = "both" },
  { redirect = 8080, dport = "http", iface = "eth0" },
  { redirect = 8443, dport = "https", iface = "eth0", family = "ipv4" },
]
`
	fleet := load(t, prelude+role)
	text, err := Show(fleet, "app")
	if err != nil {
		t.Fatal(err)
	}
	if text != role {
		t.Errorf("got:\n%s\nwant:\n%s", text, role)
	}
	again, problems := inventory.ParseRoles("again", []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if diff := cmp.Diff(fleet.Roles["app"], again["app"], cmpopts.IgnoreTypes(inventory.Place{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
}

// A standard role is shown as it ships: what it is for, and what it means.
func TestShowStandard(t *testing.T) {
	fleet := load(t, prelude+"[hosts.a]\n")
	standard, problems := standardRoles()
	if len(problems) > 0 || len(standard) == 0 {
		t.Fatalf("%d roles, %v", len(standard), problems)
	}
	for name, want := range standard {
		text, err := Show(fleet, name)
		if err != nil || !strings.HasPrefix(text, "# ") {
			t.Errorf("%s: got %q, %v", name, text, err)
		}
		got, problems := inventory.ParseRoles("again", []byte(text))
		if len(problems) > 0 || len(got) != 1 {
			t.Fatalf("%s: %d roles, %v", name, len(got), problems)
		}
		if diff := cmp.Diff(want, got[name], cmpopts.IgnoreTypes(inventory.Place{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if _, err := Show(fleet, "wbe"); err == nil || err.Error() != `role "wbe" not defined; did you mean "web"?` {
		t.Errorf("got %v", err)
	}
	if _, err := Show(fleet, "xxxxxxxx"); err == nil || !strings.Contains(err.Error(), "base, bastion, db, gateway, monitoring, web") {
		t.Errorf("got %v", err)
	}
}

// Whatever is in a comment, nothing of it is a control sequence afterwards.
func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"plain":      `"plain"`,
		`a"b\c`:      `"a\"b\\c"`,
		"\x1b[31m":   `"\u001b[31m"`,
		"a\nb\x7f":   `"a\u000ab\u007f"`,
		"\u202e":     `"\u202e"`,
		"\U000e0001": `"\U000e0001"`,
	} {
		if got := inventory.TOML(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}
