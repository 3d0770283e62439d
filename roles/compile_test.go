package roles

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"fwpush/inventory"
)

// prelude begins most fleets of the tests: four lines, so rules start at 5.
const prelude = `version = 1
[management]
from = ["10.0.0.0/8", "fd00::/8"]

`

func load(t testing.TB, text string) *inventory.Fleet {
	t.Helper()
	fleet, problems := inventory.Parse("fleet.toml", []byte(text))
	for _, p := range problems {
		if p.Severity == inventory.Error {
			t.Fatalf("%s: %s\nin:\n%s", p.Place, p.Msg, text)
		}
	}
	return fleet
}

// compile compiles one host of a fleet that has no errors.
func compile(t testing.TB, text, host string) Policy {
	t.Helper()
	fleet := load(t, text)
	for _, h := range fleet.Hosts {
		if h.Name != host {
			continue
		}
		p, problems := Compile(fleet, h)
		for _, f := range problems {
			if f.Severity == inventory.Error {
				t.Fatalf("%s: %s\nin:\n%s", f.Place, f.Msg, text)
			}
		}
		return p
	}
	t.Fatalf("no host %s", host)
	return Policy{}
}

// say writes rules in one line each, for comparison.
func say(rules []Rule) string {
	var lines []string
	for _, r := range rules {
		var b strings.Builder
		b.WriteString(string(r.Verb))
		if r.All {
			b.WriteString(" all")
		}
		if r.Traffic.meets(pingTraffic()) && !r.All {
			b.WriteString(" ping")
		}
		for _, p := range r.Protos {
			b.WriteString(" " + inventory.ProtoName(p))
		}
		for _, p := range r.Ports {
			fmt.Fprintf(&b, " %s/%d", p.Proto, p.From)
			if p.To != p.From {
				fmt.Fprintf(&b, "-%d", p.To)
			}
		}
		for _, side := range []struct {
			word  string
			peers []Peer
		}{{"from", r.From}, {"to", r.To}} {
			for i, p := range side.peers {
				if i == 0 {
					b.WriteString(" " + side.word)
				}
				b.WriteString(" " + p.String() + "{")
				for j, a := range slices.Concat(p.V4, p.V6) {
					if j > 0 {
						b.WriteString(" ")
					}
					b.WriteString(a.From.String())
					if a.From != a.To {
						b.WriteString("-" + a.To.String())
					}
				}
				b.WriteString("}")
			}
		}
		for _, name := range r.InIfaces {
			b.WriteString(" iif " + name)
		}
		for _, name := range r.OutIfaces {
			b.WriteString(" oif " + name)
		}
		if r.Rate.N > 0 {
			b.WriteString(" at " + r.Rate.String())
		}
		if r.Comment != "" {
			b.WriteString(" # " + r.Comment)
		}
		lines = append(lines, b.String())
	}
	return strings.Join(lines, "\n")
}

func lines(list ...string) string { return strings.Join(list, "\n") }

func TestCompileRules(t *testing.T) {
	const fleet = prelude + `
[sets.ops]
addresses = ["198.51.100.0/25", "198.51.100.128-198.51.100.255", "2001:db8::/64"]
[sets.nobody]
allow_empty = true
[sets.six]
addresses = ["2001:db8:6::1"]
[services.app]
tcp = [8080, "8081-8090"]
udp = [8080]
[hosts.web1]
roles = ["web"]
addresses = { wan = ["203.0.113.11", "2001:db8:1::11"], lan = ["10.20.1.11"] }
[hosts.web2]
roles = ["web"]
addresses = { wan = ["203.0.113.12"], lan = ["10.20.1.12", "fd00::12"] }
[hosts.db1]
addresses = ["10.20.2.21"]
[hosts.x]
addresses = ["10.20.9.9", "fd00::9"]
`
	for _, tt := range []struct {
		name, in, out string // of host x
		want, wantOut string
	}{
		{"built-in", `{ allow = ["http", "https"] }`, ``, "allow tcp/80 tcp/443", ""},
		{"two protocols", `{ allow = "dns" }`, ``, "allow tcp/53 udp/53", ""},
		{"own service", `{ allow = "app" }`, ``, "allow tcp/8080-8090 udp/8080", ""},
		{"literals", `{ allow = ["tcp/8443", "udp/6000-6100", "sctp/36412"] }`, ``, "allow sctp/36412 tcp/8443 udp/6000-6100", ""},
		{"ping beside ports", `{ allow = ["ping", "http"] }`, ``, "allow ping tcp/80", ""},
		{"all takes the rest in", `{ allow = ["ping", "http", "all"] }`, ``, "allow all", ""},
		{"literal addresses merge", `{ allow = "ssh", from = ["10.0.0.1", "10.0.0.0/31", "fd00::1", "10.0.0.2-10.0.0.9"] }`, ``,
			"allow tcp/22 from literal{10.0.0.0-10.0.0.9 fd00::1}", ""},
		{"any written", `{ allow = "ssh", from = "any" }`, ``, "allow tcp/22", ""},
		{"set merges", `{ allow = "ssh", from = "set:ops" }`, ``,
			"allow tcp/22 from set:ops{198.51.100.0-198.51.100.255 2001:db8::-2001:db8::ffff:ffff:ffff:ffff}", ""},
		{"host", `{ allow = "ssh", from = "host:db1" }`, ``, "allow tcp/22 from host:db1{10.20.2.21}", ""},
		{"host, one net", `{ allow = "ssh", from = "host:web1@lan" }`, ``, "allow tcp/22 from host:web1@lan{10.20.1.11}", ""},
		{"role, all nets", `{ allow = "ssh", from = "role:web" }`, ``,
			"allow tcp/22 from role:web{10.20.1.11-10.20.1.12 203.0.113.11-203.0.113.12 2001:db8:1::11 fd00::12}", ""},
		{"role, one net", `{ allow = "ssh", from = "role:web@wan" }`, ``,
			"allow tcp/22 from role:web@wan{203.0.113.11-203.0.113.12 2001:db8:1::11}", ""},
		{"several peers, once each", `{ allow = "ssh", from = ["set:six", "host:db1", "10.0.0.1", "set:six"] }`, ``,
			"allow tcp/22 from host:db1{10.20.2.21} literal{10.0.0.1} set:six{2001:db8:6::1}", ""},
		{"to in in", `{ allow = "ssh", to = "10.20.9.9" }`, ``, "allow tcp/22 to literal{10.20.9.9}", ""},
		{"empty set leaves the rule out", `{ allow = "ssh", from = "set:nobody" }, { deny = "http", from = "set:nobody" }`, ``, "", ""},
		{"empty set beside another", `{ allow = "ssh", from = ["set:nobody", "10.0.0.1"] }`, ``, "allow tcp/22 from literal{10.0.0.1}", ""},
		{"empty to leaves the rule out", `{ allow = "ssh", to = "set:nobody" }`, ``, "", ""},
		{"role without hosts, allowed", `{ allow = "ssh", from = "role:bastion", allow_empty = true }`, ``, "", ""},
		{"role without hosts beside another", `{ allow = "ssh", from = ["role:bastion", "set:six"], allow_empty = true }`, ``,
			"allow tcp/22 from set:six{2001:db8:6::1}", ""},
		{"written twice", `{ allow = ["http", "https"] }, { allow = ["tcp/443", "tcp/80"], from = "any" }`, ``, "allow tcp/80 tcp/443", ""},
		{"told apart by comment", `{ allow = "http", comment = "b" }, { allow = "http", comment = "a" }`, ``,
			lines("allow tcp/80 # a", "allow tcp/80 # b"), ""},
		{"deny first", `{ allow = "http" }, { deny = "all", from = "set:six" }`, ``,
			lines("deny all from set:six{2001:db8:6::1}", "allow tcp/80"), ""},
		{"out", ``, `{ allow = "dns", to = "set:six" }, { deny = "smtp" }`, "",
			lines("deny tcp/25", "allow tcp/53 udp/53 to set:six{2001:db8:6::1}")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := compile(t, fleet+"in = [ "+tt.in+" ]\nout = [ "+tt.out+" ]\n", "x")
			if got := say(p.In); got != tt.want {
				t.Errorf("in:\n%s\nwant:\n%s", got, tt.want)
			}
			if got := say(p.Out); got != tt.wantOut {
				t.Errorf("out:\n%s\nwant:\n%s", got, tt.wantOut)
			}
		})
	}
}

// A rule carries its notes and the place it stands at.
func TestCompileKeepsNotes(t *testing.T) {
	p := compile(t, prelude+`[hosts.a]
in = [
  { allow = "http", comment = "shop", owner = "web-team", ticket = "OPS-1" },
]
`, "a")
	r := p.In[0]
	if r.Comment != "shop" || r.Owner != "web-team" || r.Ticket != "OPS-1" || r.Place.Line != 7 || r.Place.File != "fleet.toml" {
		t.Errorf("got %+v", r)
	}
}

func TestStandardRoles(t *testing.T) {
	for role, want := range map[string]string{
		"base":       "",
		"web":        "allow tcp/80 tcp/443",
		"bastion":    "allow tcp/22 at 6/min per source burst 5",
		"db":         "",
		"monitoring": "",
	} {
		p := compile(t, prelude+"[hosts.a]\nroles = [\""+role+"\"]\n", "a")
		if got := say(p.In); got != want || len(p.Out) != 0 {
			t.Errorf("%s: in %q, out %q", role, got, say(p.Out))
		}
		if !p.Ping.On || p.Inbound != inventory.Drop || p.Outbound != inventory.Accept {
			t.Errorf("%s: %+v", role, p)
		}
	}
}

func TestExtends(t *testing.T) {
	for _, tt := range []struct{ name, roles, want string }{
		{"a role of the file replaces the standard one", `
[roles.web]
in = [ { allow = "tcp/8080" } ]
`, "allow tcp/8080"},
		{"its own name means the standard one", `
[roles.web]
extends = "web"
in = [ { allow = "tcp/8080" } ]
`, lines("allow tcp/80 tcp/443", "allow tcp/8080")},
		{"over two steps, each role once", `
[roles.web]
extends = ["a", "b"]
[roles.a]
extends = "c"
[roles.b]
extends = "c"
in = [ { allow = "tcp/2" } ]
[roles.c]
in = [ { allow = "tcp/3" } ]
`, lines("allow tcp/2", "allow tcp/3")},
		{"another role means the file's", `
[roles.web]
extends = "front"
[roles.front]
extends = "bastion"
[roles.bastion]
in = [ { allow = "tcp/2222" } ]
`, "allow tcp/2222"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := compile(t, prelude+"[hosts.h]\nroles = [\"web\"]\n"+tt.roles, "h")
			if got := say(p.In); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

func TestManagementOfAHost(t *testing.T) {
	const fleet = `version = 1
[management]
from = ["set:ops", "role:bastion@lan", "198.51.100.7"]
controller = ["198.51.100.7", "10.20.0.5"]
failsafe_ports = [2022, 22]
[sets.ops]
addresses = ["192.0.2.0/24"]
[hosts.b1]
roles = ["bastion"]
addresses = { lan = ["10.20.0.5"], wan = ["203.0.113.5"] }
ssh = { port = 2222 }
[hosts.a]
addresses = ["10.20.0.9"]
sshd_ports = [2200, 22]
`
	m := compile(t, fleet, "a").Management
	got := say([]Rule{{Verb: inventory.AllowVerb, From: m.Peers}})
	if want := "allow from literal{198.51.100.7} role:bastion@lan{10.20.0.5} set:ops{192.0.2.0-192.0.2.255}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if fmt.Sprint(m.Ports) != "[22 2022 2200]" || fmt.Sprint(m.Controller) != "[10.20.0.5 198.51.100.7]" {
		t.Errorf("ports %v, controller %v", m.Ports, m.Controller)
	}
	if got := compile(t, fleet, "b1").Management.Ports; fmt.Sprint(got) != "[22 2022 2222]" {
		t.Errorf("b1: ports %v", got)
	}
}

func TestManagementAny(t *testing.T) {
	p := compile(t, "version = 1\n[management]\nfrom = \"any\"\nallow_any = true\n[hosts.a]\n", "a")
	if m := p.Management; len(m.Peers) != 1 || m.Peers[0].Kind != Any {
		t.Fatalf("got %+v", m)
	}
	for _, source := range []string{"203.0.113.9", "2001:db8::9"} {
		if !p.Management.admits(netip.MustParseAddr(source), 22) {
			t.Errorf("%s is not admitted", source)
		}
	}
}

func TestMergePorts(t *testing.T) {
	tcp := func(from, to uint16) inventory.PortRange {
		return inventory.PortRange{Proto: "tcp", From: from, To: to}
	}
	udp := inventory.PortRange{Proto: "udp", From: 443, To: 443}
	for _, tt := range []struct{ in, want []inventory.PortRange }{
		{[]inventory.PortRange{tcp(443, 443), udp, tcp(80, 80), tcp(443, 443)}, []inventory.PortRange{tcp(80, 80), tcp(443, 443), udp}},
		{[]inventory.PortRange{tcp(82, 90), tcp(80, 81)}, []inventory.PortRange{tcp(80, 90)}},
		{[]inventory.PortRange{tcp(1, 65535), tcp(80, 81)}, []inventory.PortRange{tcp(1, 65535)}},
		{[]inventory.PortRange{tcp(65535, 65535), tcp(1, 1)}, []inventory.PortRange{tcp(1, 1), tcp(65535, 65535)}},
		{nil, nil},
	} {
		before := slices.Clone(tt.in)
		if got := MergePorts(tt.in); !slices.Equal(got, tt.want) {
			t.Errorf("%v: got %v, want %v", tt.in, got, tt.want)
		}
		if !slices.Equal(before, tt.in) {
			t.Errorf("%v was changed", before)
		}
	}
}
