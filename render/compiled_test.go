package render_test

import (
	"net/netip"
	"testing"

	"fwpush/inventory"
	"fwpush/roles"
)

// TestClosedFleetToText goes from the fleet file to the text: a rule for dns that
// is left out, because its set is empty, must not come back as dns to everywhere.
func TestClosedFleetToText(t *testing.T) {
	const fleet = `version = 1
[defaults]
outbound = "drop"
[management]
from = ["198.51.100.17"]
[sets.resolvers]
addresses = ["10.20.0.53"]
[sets.nobody]
allow_empty = true
[hosts.plain]
[hosts.told]
out = [ { allow = "dns", to = "set:resolvers" } ]
[hosts.silenced]
out = [ { allow = "dns", to = "set:nobody" } ]
`
	parsed, problems := inventory.Parse("fleet.toml", []byte(fleet))
	if len(problems.Errors()) > 0 {
		t.Fatal(problems)
	}
	policies, problems := roles.CompileAll(parsed)
	if len(problems.Errors()) > 0 {
		t.Fatal(problems)
	}
	texts := map[string]sim{}
	for _, p := range policies {
		texts[p.Host] = readText(t, mustRender(t, p).Text)
	}
	resolver := netip.MustParseAddr("10.20.0.53")
	for _, c := range []struct {
		host string
		dst  netip.Addr
		port uint16
		want string
	}{
		{"plain", stranger4, 53, "accept"},
		{"plain", stranger4, 123, "accept"},
		{"plain", stranger4, 443, "drop"},
		{"told", resolver, 53, "accept"},
		{"told", stranger4, 53, "drop"},
		{"told", stranger4, 123, "accept"},
		{"silenced", resolver, 53, "drop"},
		{"silenced", stranger4, 53, "drop"},
		{"silenced", stranger4, 123, "accept"},
	} {
		got := texts[c.host].verdict(t, packet{chain: "output", proto: "udp", src: self4, dst: c.dst, sport: 40000, dport: c.port})
		if got != c.want {
			t.Errorf("%s to %s port %d: %s, want %s", c.host, c.dst, c.port, got, c.want)
		}
	}
}
