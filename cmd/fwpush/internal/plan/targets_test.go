package plan

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"fwpush/internal/commit"
	"fwpush/inventory"
	"fwpush/render"
)

// TestTargetsGetWhatTheyWouldGetAlone has hosts of the same roles that differ in what a host may say,
// more of them than are remembered: none gets what was printed for another one.
func TestTargetsGetWhatTheyWouldGetAlone(t *testing.T) {
	var text strings.Builder
	text.WriteString(`version = 1
[management]
from = ["192.0.2.1"]
[roles.a]
in = [{ allow = "tcp/80", from = "any" }, { allow = "tcp/81", from = "any", iface = "lan" }]
[roles.b]
in = [{ allow = "tcp/80", from = "any" }, { allow = "tcp/82", from = "host:h0" }]
`)
	hosts := 0
	for _, own := range []string{"", "", `inbound = "reject"`, `in = [{ allow = "tcp/83", from = "any" }]`, `ping = false`, `backend = "iptables"`,
		`backend = "nftables"`, `sshd_ports = [22, 23]`, `outbound = "drop"`, `log = "x"`, `igmp = true`, `antispoof = false`, ""} {
		for _, roles := range []string{`"a"`, `"b"`, `"a", "b"`, `"b", "a"`} {
			fmt.Fprintf(&text, "[hosts.h%d]\nroles = [%s]\naddresses = [\"198.51.100.%d\"]\nifaces = { lan = \"eth%d\" }\n%s\n", hosts, roles, 1+hosts, hosts/4%3, own)
			hosts++
		}
	}
	f := read(t, text.String())
	members, err := f.Choose(inventory.Selection{})
	if err != nil || len(members) != hosts || len(f.Problems.Errors()) > 0 {
		t.Fatal(err, f.Problems)
	}
	list, err := f.Targets(members)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range members {
		want, err := Rules(m)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(list[i].Policy, m.Policy) {
			t.Errorf("%s has the policy %+v, not %+v", m.Host.Name, list[i].Policy, m.Policy)
		}
		if !reflect.DeepEqual(list[i].Candidate.Rules, want) {
			t.Errorf("%s gets\n%s\nalone it would get\n%s", m.Host.Name, list[i].Candidate.Rules.Text, want.Text)
		}
		for _, c := range []commit.Choice{{Backend: render.BackendNftables}, {Backend: render.BackendIptables, Ipset: true}, {Backend: render.BackendIptables}} {
			got, err := list[i].Print(c)
			if err != nil || render.BackendOf(got.Text) != c.Backend {
				t.Errorf("%s: for %+v: %v, %s", m.Host.Name, c, err, got.Text)
			}
		}
	}
}
