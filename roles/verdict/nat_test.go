package verdict_test

import (
	"fmt"
	"testing"

	"fwpush/roles"
	"fwpush/roles/space"
)

// A dnat without to is about the host's own addresses, as "fib daddr type local" is.
// Where the file does not name them, what comes to the host has one of them.
func TestOwnAddressesThatNobodyNames(t *testing.T) {
	const fleet = prelude + `
[hosts.named]
addresses = ["192.0.2.1"]
forward = []
nat = [ { dnat = true, to_addr = "10.0.0.9:443", dport = "tcp/8443" } ]
[hosts.unnamed]
forward = []
nat = [ { dnat = true, to_addr = "10.0.0.9:443", dport = "tcp/8443" } ]
[hosts.plain]
`
	for _, tt := range []struct{ host, packet, want string }{
		{"named", "in tcp 203.0.113.9 192.0.2.1 8443", "forward accept by the dnat that sends it on"},
		{"named", "in tcp 203.0.113.9 192.0.2.5 8443", "input drop by inbound = drop"},
		{"unnamed", "in tcp 203.0.113.9 192.0.2.1 8443", "forward accept by the dnat that sends it on"},
		{"unnamed", "in tcp 203.0.113.9 224.0.0.5 8443", "input drop by inbound = drop"},
		{"unnamed", "fwd tcp 203.0.113.9 192.0.2.1 8443", "forward drop by inbound = drop"},
		{"plain", "fwd tcp 203.0.113.9 192.0.2.1 8443", "forward accept by default, since no rule of the host is about forwarding"},
	} {
		o := engine(t, fleet, tt.host).Packet(packet(t, tt.packet))
		if got := fmt.Sprintf("%s %s by %s", o[0].Direction, o[0].Verdict, o[0].Why()); got != tt.want || len(o) != 1 {
			t.Errorf("%s: %s: %s, want %s", tt.host, tt.packet, got, tt.want)
		}
	}
}

// The first entry that matches gives packets their source; masquerade stands before
// snat.
func TestLeave(t *testing.T) {
	e := engine(t, prelude+`
[hosts.gw]
nat = [
  { snat = "192.0.2.1", from = "10.1.0.0/16", out_iface = "wan0" },
  { masquerade = true, from = "10.1.1.0/24", out_iface = "wan0", family = "ipv4" },
]
`, "gw")
	for _, tt := range []struct{ packet, want string }{
		{"fwd tcp 10.1.1.7 203.0.113.9 80 >wan0", "masquerade"},
		{"fwd tcp 10.1.2.7 203.0.113.9 80 >wan0", "snat"},
		{"fwd tcp 10.1.2.7 203.0.113.9 80 >lan0", ""},
		{"fwd tcp 10.2.2.7 203.0.113.9 80 >wan0", ""},
		{"fwd tcp 2001:db8:7::1 2001:db8:8::1 80 >wan0", ""},
	} {
		left := e.Leave(packet(t, tt.packet).Box())
		got := ""
		if left[0].NAT != nil {
			got = string(left[0].NAT.Kind)
		}
		if got != tt.want || len(left) != 1 {
			t.Errorf("%s: %q of %d, want %q", tt.packet, got, len(left), tt.want)
		}
	}
	all := space.All(false)
	var whole space.Region
	for _, l := range e.Leave(all) {
		whole = append(whole, l.Packets)
	}
	if rest := (space.Region{all}).Without(whole); len(rest) > 0 {
		t.Errorf("%v do not leave", rest)
	}
}

// A limit holds for what another rule accepts, in whole or for some.
func TestLimitsBeside(t *testing.T) {
	e := engine(t, prelude+"[hosts.h]\nping = \"20/s\"\nin = [ { allow = \"http\" }, { allow = [\"http\", \"ping\"], from = \"10.0.0.0/24\", rate = \"6/h\", name = \"office\" }, { allow = \"http\", from = \"10.1.0.0/16\", max_conns = 3, name = \"more\" } ]\n", "h")
	for text, want := range map[string]string{
		"in tcp 10.0.0.9 192.0.2.1 80":    "[rule office false]",
		"in tcp 10.1.0.9 192.0.2.1 80":    "[rule more false]",
		"in tcp 203.0.113.9 192.0.2.1 80": "[]",
		"in tcp 192.0.2.77 192.0.2.1 22":  "[]",
		"in ping 10.0.0.9 192.0.2.1":      "[ping false rule office false]",
	} {
		o := e.Packet(packet(t, text))[0]
		var got []string
		if o.Limited() != "" { // of two that accept, either may be told
			got = append(got, o.Why()+" false")
		}
		for _, l := range e.Beside(o) {
			got = append(got, fmt.Sprint(l.By, " ", l.Part))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
	var part bool
	all := space.All(false)
	all.Key = space.PortKeys(space.TCP, 80, 80)
	for _, o := range e.Decide(roles.Input, space.Region{all}) {
		for _, l := range e.Beside(o) {
			part = part || l.Part
		}
	}
	if !part {
		t.Error("no limit is told to be for some")
	}
}

// The limit of ping is told as that of a rule is. It counts what comes in.
func TestLimitOfPing(t *testing.T) {
	e := engine(t, prelude+"[hosts.h]\nping = \"20/s\"\noutbound = \"drop\"\nin = [ { allow = \"http\", rate = \"5/s\" } ]\n", "h")
	for text, want := range map[string]string{
		"in ping 203.0.113.9 192.0.2.1":    e.Policy().Ping.Rate.String(),
		"out ping 192.0.2.1 203.0.113.9":   "",
		"in tcp 203.0.113.9 192.0.2.1 80":  e.Policy().In[0].Rate.String(),
		"in tcp 203.0.113.9 192.0.2.1 443": "",
	} {
		if got := e.Packet(packet(t, text))[0].Limited(); got != want {
			t.Errorf("%s: limit %q, want %q", text, got, want)
		}
	}
}
