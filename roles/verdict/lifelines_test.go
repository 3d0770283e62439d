package verdict_test

import (
	"fmt"
	"testing"

	"fwpush/inventory"
)

// The lifelines in a verdict: behind every deny, open to everywhere, gone where
// a rule took them over.
func TestLifelineVerdicts(t *testing.T) {
	const fleet = prelude + `
[sets.resolvers]
addresses = ["10.0.0.53", "fd00::53"]
[sets.nobody]
allow_empty = true
[hosts.plain]
outbound = "drop"
[hosts.told]
outbound = "drop"
out = [ { allow = "dns", to = "set:resolvers" } ]
[hosts.left-out]
outbound = "reject"
out = [ { allow = "dns", to = "set:nobody" } ]
[hosts.denied]
outbound = "reject"
out = [ { deny = "dns", to = "set:resolvers" }, { deny = "all", to = "203.0.113.0/24" } ]
[hosts.broad]
outbound = "drop"
out = [ { allow = "all", to = "set:resolvers" } ]
`
	const (
		resolver4, resolver6 = "10.0.0.53", "fd00::53"
		other4, other6       = "192.0.2.53", "2001:db8::53"
	)
	for _, tt := range []struct {
		name, host, proto, dst string
		port                   uint16
		want                   inventory.Verdict
	}{
		{"dns anywhere", "plain", "udp", other4, 53, inventory.Accept},
		{"dns over tcp and IPv6", "plain", "tcp", other6, 53, inventory.Accept},
		{"ntp anywhere", "plain", "udp", other6, 123, inventory.Accept},
		{"ntp has no tcp", "plain", "tcp", other4, 123, inventory.Drop},
		{"nothing else", "plain", "udp", other4, 54, inventory.Drop},
		{"told where to ask", "told", "udp", resolver6, 53, inventory.Accept},
		{"must not ask elsewhere", "told", "udp", other4, 53, inventory.Drop},
		{"nor over tcp", "told", "tcp", other6, 53, inventory.Drop},
		{"and still has the time", "told", "udp", other4, 123, inventory.Accept},
		{"told to ask nobody", "left-out", "udp", resolver4, 53, inventory.Reject},
		{"and nobody it is", "left-out", "udp", other4, 53, inventory.Reject},
		{"a deny wins", "denied", "udp", resolver4, 53, inventory.Reject},
		{"a deny of all wins", "denied", "udp", "203.0.113.5", 123, inventory.Reject},
		{"and leaves the rest", "denied", "udp", other4, 53, inventory.Accept},
		{"all to some", "broad", "udp", resolver4, 53, inventory.Accept},
		{"is no word about dns", "broad", "udp", other4, 53, inventory.Accept},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := "10.0.0.9"
			if tt.dst == resolver6 || tt.dst == other6 {
				src = "fd00::9"
			}
			list := engine(t, fleet, tt.host).Packet(packet(t, fmt.Sprintf("out %s %s %s %d", tt.proto, src, tt.dst, tt.port)))
			if len(list) != 1 || list[0].Verdict != tt.want {
				t.Errorf("got %+v, want %s", list, tt.want)
			}
		})
	}
	// What comes in is not let in by them.
	if list := engine(t, fleet, "plain").Packet(packet(t, "in udp "+other4+" 10.0.0.9 53")); list[0].Verdict != inventory.Drop {
		t.Errorf("dns in: %+v", list)
	}
}
