package expect_test

import (
	"fmt"
	"strings"
	"testing"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/expect"
)

// run runs the tests of a fleet file, which has no mistakes.
func run(t testing.TB, text string) []expect.Result {
	t.Helper()
	fleet, problems := inventory.Parse("fleet.toml", []byte(text))
	policies, more := roles.CompileAll(fleet)
	tests, wrong := roles.CompileTests(fleet)
	for _, p := range append(append(problems.Errors(), more.Errors()...), wrong.Errors()...) {
		t.Fatalf("%s: %s\n%s", p.Place, p.Msg, text)
	}
	byName := map[string]roles.Policy{}
	for i, p := range policies {
		if !fleet.Hosts[i].Unmanaged {
			byName[p.Host] = p
		}
	}
	return expect.NewFleet(fleet, byName).Run(tests)
}

const fleet = `version = 1
[management]
from = ["192.0.2.10"]
controller = ["192.0.2.10"]
[sets.ops]
addresses = ["198.51.100.0/24", "2001:db8:9::/64"]
[hosts.web1]
roles = ["web"]
addresses = { wan = ["203.0.113.11", "2001:db8:1::11"], lan = ["10.0.0.11"] }
ifaces = { wan = "eth0", lan = "eth1" }
[hosts.web2]
roles = ["web"]
addresses = { wan = ["203.0.113.12"], lan = ["10.0.0.12"] }
ifaces = { wan = "eth0", lan = "eth1" }
[hosts.db]
addresses = { lan = ["10.0.0.21"] }
outbound = "reject"
in = [ { allow = "tcp/5432", from = "role:web@lan" } ]
out = [ { allow = "tcp/3128", to = "host:gw@lan" } ]
[hosts.gw]
addresses = { lan = ["10.0.0.1"], wan = ["203.0.113.1"] }
ifaces = { wan = "eth0", lan = "eth1" }
in = [ { allow = "tcp/3128", iface = "lan" } ]
forward = [ { allow = "http", from = "10.0.0.0/24", in_iface = "lan", out_iface = "wan" }, { allow = "tcp/5432-5433", in_iface = "lan", out_iface = "wan" } ]
nat = [ { masquerade = true, out_iface = "wan", to = "host:srv", family = "ipv4" }, { snat = "203.0.113.77", out_iface = "wan", to = "host:srv2" } ]
[hosts.srv]
addresses = { wan = ["203.0.113.31"] }
in = [ { allow = "tcp/5432", from = "host:old" }, { allow = "tcp/5433", from = "host:gw@wan" } ]
[hosts.srv2]
addresses = { wan = ["203.0.113.32"] }
in = [ { allow = "tcp/5432", from = "203.0.113.77" } ]
[hosts.many]
addresses = ["10.0.0.2", "203.0.113.2"]
forward = [ { allow = "all" } ]
nat = [ { masquerade = true, family = "ipv4" }, { dnat = true, to_addr = "10.0.0.5", to = "203.0.113.200", dport = "http" } ]
[hosts.unnamed]
forward = [ { allow = "all" } ]
nat = [ { masquerade = true, family = "ipv4" } ]
[hosts.far]
addresses = { wan = ["203.0.113.33"] }
in = [ { allow = ["tcp/5432", "tcp/5433"], from = "203.0.113.2" }, { allow = "tcp/5433", from = "10.0.0.2" }, { allow = "http" } ]
[hosts.old]
unmanaged = true
addresses = ["10.0.0.99"]
[roles.web]
in = [ { allow = "http" }, { allow = "tcp/8080", from = "set:ops" }, { allow = "tcp/9000", iface = "lan" }, { deny = "http", from = "198.51.100.7" } ]
[[raw]]
hosts = "web2"
chain = "input"
at = "before-default"
nft = "udp dport 7 accept"
[[tests]]
`

func TestRun(t *testing.T) {
	for _, tt := range []struct{ name, test, want string }{
		{"open to all", `from = "internet"` + "\n" + `to = "role:web"` + "\n" + `allow = "http"`, ""},
		{"a hole in a prefix", `from = "set:ops"` + "\n" + `to = "role:web@wan"` + "\n" + `allow = "http"`,
			"http: tcp 198.51.100.7 > 203.0.113.11:80 drop at web1 input by deny-tcp-80 (set:ops to web1)"},
		{"not open to all", `from = "internet"` + "\n" + `to = "host:web1"` + "\n" + `deny = ["tcp/8080", "ssh"]`, ""},
		{"one port of many is open", `from = "internet"` + "\n" + `to = "host:web1@wan"` + "\n" + `deny = "tcp/1-100"` + "\nfamily = \"ipv4\"",
			"tcp/1-100: tcp 1.0.0.0 > 203.0.113.11:80 accept at web1 input by tcp-80 (internet to web1)"},
		{"in at the net's interface", `from = "set:ops"` + "\n" + `to = "role:web@lan"` + "\n" + `allow = "tcp/9000"` + "\nfamily = \"ipv4\"", ""},
		{"not at the other", `from = "set:ops"` + "\n" + `to = "host:web1@wan"` + "\n" + `deny = "tcp/9000"`, ""},
		{"an interface of the test's own", `from = "set:ops"` + "\n" + `to = "host:web1@wan"` + "\n" + `deny = "tcp/9000"` + "\nin_iface = \"lan\"",
			"tcp/9000: tcp 198.51.100.0 > 203.0.113.11:9000 accept at web1 input by tcp-9000 (set:ops to web1)\n" +
				"also v6"},
		{"both ends", `from = "role:web@lan"` + "\n" + `to = "host:db"` + "\n" + `allow = "tcp/5432"` + "\n" + `deny = "ssh"`, ""},
		{"refused at the first end", `from = "host:db"` + "\n" + `to = "role:web@lan"` + "\n" + `deny = "http"`, ""},
		{"refused there, and meant to pass", `from = "host:db"` + "\n" + `to = "role:web@lan"` + "\n" + `allow = "http"`,
			"http: tcp 10.0.0.21 > 10.0.0.11:80 reject at db output by [default] (db to web1)"},
		{"among themselves", `from = "role:web@wan"` + "\n" + `to = "role:web@wan"` + "\n" + `allow = "http"` + "\nfamily = \"ipv4\"", ""},
		{"the controller", `from = "controller"` + "\n" + `to = ["role:web", "host:db"]` + "\n" + `allow = "ssh"` + "\nfamily = \"ipv4\"", ""},
		{"from an address book entry", `from = "host:old"` + "\n" + `to = "host:db"` + "\n" + `deny = "tcp/5432"`, ""},
		{"to nobody of ours", `from = "host:old"` + "\n" + `to = "internet"` + "\n" + `deny = "http"`, "http: tcp 10.0.0.99 > 1.0.0.0:80  at   by [] (host:old to internet)"},
		{"out to the internet", `from = "host:db"` + "\n" + `to = "internet"` + "\n" + `deny = ["http", "https"]`, ""},
		{"out of an open host", `from = "host:web2"` + "\n" + `to = "internet"` + "\n" + `deny = "http"` + "\nfamily = \"ipv4\"",
			"http: tcp 203.0.113.12 > 1.0.0.0:80 accept at web2 output by [default] (web2 to internet)"},
		{"through a gateway", `from = "host:old"` + "\n" + `to = "internet"` + "\n" + `via = "gw"` + "\nin_iface = \"lan\"\nout_iface = \"wan\"\n" + `allow = "http"` + "\n" + `deny = "https"`, ""},
		{"behind a masquerade", `from = "host:old"` + "\n" + `to = "host:srv"` + "\n" + `via = "gw"` + "\nin_iface = \"lan\"\nout_iface = \"wan\"\n" + `allow = "tcp/5433"` + "\n" + `deny = "ssh"`, ""},
		{"behind a masquerade by who is not seen", `from = "host:old"` + "\n" + `to = "host:srv"` + "\n" + `via = "gw"` + "\nin_iface = \"lan\"\nout_iface = \"wan\"\n" + `allow = "tcp/5432"`,
			"tcp/5432: tcp 203.0.113.1 > 203.0.113.31:5432 drop at srv input by [default] (gw to srv)"},
		{"behind snat", `from = "host:old"` + "\n" + `to = "host:srv2"` + "\n" + `via = "gw"` + "\nin_iface = \"lan\"\nout_iface = \"wan\"\n" + `allow = "tcp/5432"`, ""},
		{"behind one of two addresses", `from = "host:old"` + "\n" + `to = "host:far"` + "\n" + `via = "many"` + "\n" + `allow = "tcp/5433"` + "\n" + `deny = ["ssh", "tcp/5432"]` + "\nraw_ok = true",
			"tcp/5432: tcp 10.0.0.2 > 203.0.113.33:5432 undecided at far input by [dnat] (many to far)"},
		{"behind whatever address", `from = "host:old"` + "\n" + `to = "host:far"` + "\n" + `via = "unnamed"` + "\n" + `deny = "https"` + "\n" + `allow = "http"`, ""},
		{"behind nobody knows what", `from = "host:old"` + "\n" + `to = "host:far"` + "\n" + `via = "unnamed"` + "\n" + `deny = "tcp/5432"`,
			"tcp/5432: tcp 10.0.0.99 > 203.0.113.33:5432 undecided at far input by [dnat] (unnamed to far)"},
		{"told as it was before the masquerade", `from = "host:old"` + "\n" + `to = "203.0.113.55"` + "\n" + `via = "many"` + "\n" + `deny = "ssh"`,
			"ssh: tcp 10.0.0.99 > 203.0.113.55:22 accept at many forward by fwd-all (host:old to 203.0.113.55)"},
		{"in from a gateway", `from = "host:web2@lan"` + "\n" + `to = "host:web1@wan"` + "\n" + `via = "many"` + "\n" + `deny = "tcp/9000"`, ""},
		{"sent elsewhere", `from = "host:old"` + "\n" + `to = "203.0.113.200"` + "\n" + `via = "many"` + "\n" + `allow = "http"`,
			"http: tcp 10.0.0.99 > 203.0.113.200:80 accept at many forward by fwd-all (host:old to 203.0.113.200)"},
		{"raw text", `from = "internet"` + "\n" + `to = "host:web2@wan"` + "\n" + `deny = "udp/7"`,
			"udp/7: udp 1.0.0.0 > 203.0.113.12:7 undecided at web2 input by [raw] (internet to web2)"},
		{"raw text that is meant", `from = "internet"` + "\n" + `to = "host:web2@wan"` + "\n" + `deny = "udp/7"` + "\nraw_ok = true", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := run(t, fleet+tt.test+"\n")[0]
			var got []string
			for i, f := range r.Failures {
				by := "[" + string(f.Outcome.Stage) + "]"
				if f.Outcome.Rule != nil {
					by = f.Outcome.Rule.Name
				}
				line := fmt.Sprintf("%s: %s %s at %s %s by %s (%s to %s)", f.Ask.Service, f.Packet, f.Outcome.Verdict, f.Host, f.At, by, f.From, f.To)
				if i > 0 && strings.Contains(f.Packet, "2001:") {
					line = "also v6"
				}
				got = append(got, line)
			}
			if s := strings.Join(got, "\n"); s != strings.TrimSuffix(tt.want, "\nalso v6") && s != tt.want {
				t.Errorf("got\n%s\nwant\n%s", s, tt.want)
			}
			if r.Passed() != (tt.want == "") || r.Flows == 0 {
				t.Errorf("passed %t with %d flows", r.Passed(), r.Flows)
			}
		})
	}
}

// BenchmarkTests asks about every pair of 2,000 web hosts and 200 databases.
func BenchmarkTests(b *testing.B) {
	var text strings.Builder
	text.WriteString("version = 1\n[management]\nfrom = [\"192.0.2.10\"]\n[roles.web]\nin = [ { allow = \"http\" } ]\n[roles.db]\noutbound = \"reject\"\nin = [ { allow = \"tcp/5432\", from = \"role:web\" } ]\n")
	for i := range 2000 {
		fmt.Fprintf(&text, "[hosts.web%d]\nroles = [\"web\"]\naddresses = [\"10.1.%d.%d\"]\n", i, i/250, i%250)
	}
	for i := range 200 {
		fmt.Fprintf(&text, "[hosts.db%d]\nroles = [\"db\"]\naddresses = [\"10.2.0.%d\"]\n", i, i)
	}
	text.WriteString("[[tests]]\nfrom = \"role:web\"\nto = \"role:db\"\nallow = \"tcp/5432\"\ndeny = \"ssh\"\n[[tests]]\nfrom = \"role:db\"\nto = \"internet\"\ndeny = \"http\"\n[[tests]]\nfrom = \"role:web\"\nto = \"role:web\"\nallow = \"http\"\n")
	for b.Loop() {
		for _, r := range run(b, text.String()) {
			if !r.Passed() {
				b.Fatalf("%+v", r.Failures)
			}
		}
	}
}
