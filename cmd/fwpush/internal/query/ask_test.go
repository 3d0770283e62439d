package query

import (
	"strings"
	"testing"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/expect"
)

// A question that takes more work than there is for it has no answer, rather than half
// of one.
func TestAskGivesUp(t *testing.T) {
	fleet, _ := inventory.Parse("fleet.toml", []byte("version = 1\n[management]\nfrom = [\"192.0.2.1\"]\n[hosts.h]\nin = [ { allow = \"http\" } ]\n"))
	p, _ := roles.Compile(fleet, fleet.Hosts[0])
	names := roles.NamesOf(fleet)
	packet, err := Parse(names, "tcp any > any")
	if err != nil {
		t.Fatal(err)
	}
	q := Question{Packet: packet, Host: "h", Direction: roles.Input}
	f := expect.NewFleet(fleet, map[string]roles.Policy{"h": p})
	f.Bound(1_000)
	if reply, err := Ask(f, names, q); err != nil || len(reply.Answers) < 2 {
		t.Fatalf("%d answers, %v", len(reply.Answers), err)
	}
	f = expect.NewFleet(fleet, map[string]roles.Policy{"h": p})
	f.Bound(20)
	if reply, err := Ask(f, names, q); err == nil || !strings.Contains(err.Error(), "more pieces") {
		t.Errorf("%d answers, %v", len(reply.Answers), err)
	}
}
