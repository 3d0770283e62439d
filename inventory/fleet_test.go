package inventory

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func must(t *testing.T, path string) *Fleet {
	t.Helper()
	fleet, ps := Load(path, LoadOptions{Named: true})
	if len(ps) > 0 {
		t.Fatalf("%s: %q", path, told(ps))
	}
	return fleet
}

// The whole of a fleet file that uses every key.
func TestLoadFleet(t *testing.T) {
	t.Setenv("HOME", "/home/op")
	const file = "testdata/fleet.toml"
	got := must(t, file)
	p := func(line, col int) Place { return Place{File: file, Line: line, Col: col} }
	addr := netip.MustParseAddr
	str := func(v string, line, col int) At[string] { return At[string]{v, p(line, col)} }
	ip := func(v string, line, col int) At[netip.Addr] { return At[netip.Addr]{addr(v), p(line, col)} }
	base, monitored := str("base", 6, 10), str("monitored", 6, 18)
	known := []string{"testdata/known_hosts", "/etc/ssh/ssh_known_hosts"}
	want := &Fleet{
		Path: file,
		Name: "eu-prod",
		Defaults: Settings{
			Inbound: &At[Verdict]{Drop, p(7, 11)}, Outbound: &At[Verdict]{Accept, p(8, 12)}, Log: &At[Log]{Log{On: true}, p(9, 7)},
			Ping: &At[Ping]{Ping{On: true}, p(10, 8)}, DHCPClient: &At[bool]{false, p(11, 15)}, Antispoof: &At[bool]{true, p(12, 13)},
		},
		Management: Management{
			Place:         p(21, 2),
			From:          []At[string]{str("set:ops", 23, 3), str("role:bastion@lan", 24, 3), str("192.0.2.7", 25, 3)},
			Controller:    []At[netip.Addr]{ip("198.51.100.20", 27, 15), ip("2001:db8:0:16::20", 27, 32)},
			FailsafePorts: []At[uint16]{{2022, p(28, 19)}},
		},
		Sets: map[string]Set{
			"ops": {Name: "ops", Place: p(36, 1), Addresses: []At[AddrRange]{
				{AddrRange{addr("198.51.100.16"), addr("198.51.100.31")}, p(36, 18)},
				{AddrRange{addr("203.0.113.1"), addr("203.0.113.9")}, p(36, 60)},
				{AddrRange{addr("2001:db8:0:16::"), addr("2001:db8:0:16:ffff:ffff:ffff:ffff")}, p(36, 38)},
			}},
			"nobody": {Name: "nobody", Place: p(37, 1), AllowEmpty: true},
		},
		Services: map[string]Service{
			"exporter": {Name: "exporter", Place: p(39, 11), Ports: []At[PortRange]{
				{PortRange{"tcp", 9100, 9100}, p(40, 8)}, {PortRange{"tcp", 9110, 9120}, p(40, 14)}, {PortRange{"udp", 9100, 9100}, p(41, 7)},
			}},
			"tunnel": {Name: "tunnel", Place: p(43, 11), Ports: []At[PortRange]{{PortRange{"sctp", 5000, 5000}, p(44, 8)}}},
		},
		Roles: map[string]Role{
			"monitored": {Name: "monitored", Place: p(46, 8), Rules: Rules{In: []Rule{
				{Place: p(47, 7), Verb: AllowVerb, Services: []At[string]{str("exporter", 47, 17)}, From: []At[string]{str("role:mon@lan", 47, 36)}},
			}}},
			"web": {
				Name: "web", Place: p(49, 8), Extends: []At[string]{str("monitored", 50, 12)},
				Settings: Settings{Outbound: &At[Verdict]{Reject, p(51, 12)}, Log: &At[Log]{Log{true, "web refused: "}, p(52, 7)}},
				Rules: Rules{In: []Rule{
					{
						Place: p(54, 13), Verb: AllowVerb,
						Services: []At[string]{str("http", 55, 10), str("tcp/8443", 55, 18), str("udp/6000-6100", 55, 30)},
						From:     []At[string]{str("any", 56, 9)}, Comment: str("für alle", 57, 11),
					},
					{
						Place: p(59, 13), Verb: DenyVerb, Services: []At[string]{str("all", 60, 8)},
						From:       []At[string]{str("set:nobody", 61, 9), str("192.0.2.0/24", 61, 23)},
						AllowEmpty: true, Owner: str("web team", 63, 9), Ticket: str("OPS-1", 64, 10),
					},
				}, Out: []Rule{{
					Place: p(66, 13), Verb: AllowVerb, Services: []At[string]{str("dns", 67, 9)},
					To: []At[string]{str("host:mon1@lan", 68, 7), str("2001:db8::53", 68, 24)},
				}}},
			},
			"bastion": {Name: "bastion", Place: p(70, 8)},
		},
		Hosts: []Host{
			{
				Name: "gw1.example.net", Place: p(91, 8), Roles: []At[string]{base, monitored, str("bastion", 92, 10)},
				SSH: Endpoint{
					Name: "gw1.example.net", Place: p(91, 8), Address: "gw1.example.net", Port: 2222, User: "deploy",
					Identity: []string{"testdata/keys/deploy"}, KnownHosts: known, Become: "sudo", ConnectTimeout: 5 * time.Second, JumpLogins: 16,
				},
				SSHDPorts: []At[uint16]{{2222, p(91, 8)}},
			},
			{
				Name: "mon1", Place: p(86, 8), Roles: []At[string]{base, monitored},
				SSH: Endpoint{
					Name: "mon1", Place: p(86, 13), Address: "mon1.example.net", Port: 2222, User: "deploy",
					Identity: []string{"/home/op/.ssh/id_ed25519"}, KnownHosts: known, Become: "none", ConnectTimeout: 5 * time.Second, JumpLogins: 16,
				},
				SSHDPorts: []At[uint16]{{2222, p(86, 13)}},
			},
			{
				Name: "web2", Place: p(75, 8), Roles: []At[string]{base, monitored, str("web", 76, 9)},
				Addresses: []Net{
					{"wan", p(78, 11), []At[netip.Addr]{ip("203.0.113.12", 78, 17)}},
					{"lan", p(79, 11), []At[netip.Addr]{ip("10.20.1.12", 79, 18), ip("2001:db8:20:1::12", 79, 32)}},
				},
				SSH: Endpoint{
					Name: "web2", Place: p(80, 1), Address: "10.20.1.12", Port: 2222, User: "root",
					KnownHosts: known, Become: "none", ConnectTimeout: 5 * time.Second, JumpLogins: 16,
				},
				SSHDPorts: []At[uint16]{{22, p(83, 15)}, {2222, p(83, 19)}},
				Settings:  Settings{Ping: &At[Ping]{Ping{}, p(77, 8)}},
				Rules: Rules{In: []Rule{{
					Place: p(84, 7), Verb: AllowVerb, Services: []At[string]{str("ssh", 84, 17)},
					From: []At[string]{str("host:mon1", 84, 31)}, To: []At[string]{str("10.20.1.12", 84, 49)},
				}}},
			},
			{
				Name: "web10", Place: p(73, 1), Roles: []At[string]{base, monitored, str("web", 73, 20)},
				Addresses: []Net{{"", p(73, 36), []At[netip.Addr]{ip("203.0.113.10", 73, 48)}}},
				SSH: Endpoint{
					Name: "web10", Place: p(73, 1), Address: "203.0.113.10", Port: 2222, User: "deploy",
					Identity: []string{"testdata/keys/deploy"}, KnownHosts: known, Become: "sudo", ConnectTimeout: 5 * time.Second, JumpLogins: 16,
				},
				SSHDPorts: []At[uint16]{{2222, p(73, 1)}},
			},
		},
		Rollout: Rollout{Window: 90 * time.Second, Parallel: 20},
	}
	if got.ReadAt.IsZero() {
		t.Error("when it was read is not known")
	}
	want.ReadAt, want.Digest, want.Files = got.ReadAt, got.Digest, got.Files
	for i := range want.Hosts {
		h := &want.Hosts[i]
		h.Backend, h.Timers.V, h.Mode.V = Auto, 2, "coexist"
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}), cmpopts.IgnoreUnexported(Fleet{}), cmpopts.IgnoreFields(Endpoint{}, "Written")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// Whatever has a place stands there.
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(src), "\n")
	for _, h := range got.Hosts {
		if line := []rune(lines[h.Place.Line-1]); !strings.HasPrefix(strings.TrimPrefix(string(line[h.Place.Col-1:]), `"`), h.Name) {
			t.Errorf("%s does not stand at %s", h.Name, h.Place)
		}
	}
}

func TestDefaults(t *testing.T) {
	fleet, ps := Parse("fleet.toml", []byte(base+"[hosts.a]\n[hosts.b]\nssh.user = \"root\"\n[hosts.c]\nssh = { user = \"root\", become = \"sudo\", port = 22 }\n"))
	if len(ps) > 0 {
		t.Fatal(told(ps))
	}
	if fleet.Name != "default" || fleet.Rollout.Window != 2*time.Minute || fleet.Rollout.Parallel != 50 {
		t.Errorf("fleet %q, rollout %+v", fleet.Name, fleet.Rollout)
	}
	a, b, c := fleet.Hosts[0], fleet.Hosts[1], fleet.Hosts[2]
	want := Endpoint{Name: "a", Place: a.Place, Address: "a", Port: 22, Become: "sudo", ConnectTimeout: 10 * time.Second, JumpLogins: 16, Written: map[string]Place{}}
	if os.Geteuid() == 0 {
		want.Become = "none" // without a user root logs in as root
	}
	if diff := cmp.Diff(want, a.SSH); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(a.SSHDPorts) != 1 || a.SSHDPorts[0].V != 22 {
		t.Errorf("sshd_ports %v", a.SSHDPorts)
	}
	if b.SSH.Become != "none" || c.SSH.Become != "sudo" {
		t.Errorf("root becomes %s, or %s where sudo is written", b.SSH.Become, c.SSH.Become)
	}
}

// What Schema tells of defaults is what an absent key means.
func TestSchemaTellsTheTrueDefaults(t *testing.T) {
	values := map[string]string{"window": `"2m"`, "parallel": "50", "port": "22", "connect_timeout": `"10s"`, "jump_logins": "16", "fleet": `"default"`}
	for _, table := range Schema() {
		for _, k := range table.Keys {
			if want, ok := values[k.Name]; ok && k.Default != want {
				t.Errorf("%s defaults to %s, Schema tells %s", k.Name, want, k.Default)
			}
		}
	}
}

// The parts of a file with mistakes that are fine are there for other checks; a
// rule with a mistake is not, because without its mistake it would match more.
func TestParseKeepsWhatItUnderstands(t *testing.T) {
	fleet, ps := Parse("fleet.toml", []byte(base+`[sets.a]
addresses = ["10.0.0.1", "bad"]
[sets.b]
addresses = ["bad"]
[services.s]
tcp = [80, 0]
[hosts.web1]
roles = ["web", "Bad", 7]
addresses = ["10.0.0.1", "bad"]
ssh = { port = "22", user = "root;id", address = "10.9.9.9" }
sshd_ports = [22, 0]
bad = 1
[hosts.web1]
roles = ["other"]
[roles.web]
bad = 1
in = [ { allow = "http", from = ["10.0.0.1", "bad"] }, { allow = ["https", "tcp/0"] }, { allow = "ssh" } ]
`))
	if len(ps.Errors()) != 14 {
		t.Errorf("%q", told(ps))
	}
	h := fleet.Hosts[0]
	if len(fleet.Hosts) != 1 || len(h.Roles) != 1 || h.Roles[0].V != "web" || len(h.Addresses[0].Addresses) != 1 || len(h.SSHDPorts) != 1 {
		t.Errorf("host %+v", h)
	}
	if h.SSH.Address != "10.9.9.9" || h.SSH.Port != 22 || h.SSH.User != "" {
		t.Errorf("endpoint %+v", h.SSH)
	}
	if in := fleet.Roles["web"].In; len(in) != 1 || in[0].Services[0].V != "ssh" {
		t.Errorf("rules %+v", in)
	}
	if a, b := fleet.Sets["a"], fleet.Sets["b"]; len(a.Addresses) != 1 || len(b.Addresses) != 0 || !b.AllowEmpty {
		t.Errorf("sets %+v %+v", a, b)
	}
	if s := fleet.Services["s"]; len(s.Ports) != 1 {
		t.Errorf("service %+v", s)
	}
}

func TestParseRoles(t *testing.T) {
	roles, ps := ParseRoles("roles:web.toml", []byte("[roles.web]\nping = true\nin = [ { allow = \"http\" } ]\n"))
	if len(ps) > 0 || len(roles) != 1 || len(roles["web"].In) != 1 || !roles["web"].Settings.Ping.V.On {
		t.Errorf("%+v, %q", roles, told(ps))
	}
	if want := (Place{File: "roles:web.toml", Line: 1, Col: 8}); roles["web"].Place != want {
		t.Errorf("place %s", roles["web"].Place)
	}
	if _, ps := ParseRoles("f", []byte("version = 1\n[roles.a]\nx = 1\n")); len(ps) != 2 {
		t.Errorf("%q", told(ps))
	}
}

// The example people start from has nothing to be told about, and shows every
// table.
func TestExample(t *testing.T) {
	const path = "../fleet.toml.example"
	fleet := must(t, path)
	if len(fleet.Hosts) != 8 {
		t.Errorf("%d hosts", len(fleet.Hosts))
	}
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range Schema() {
		head, _, _ := strings.Cut(table.Name, ".")
		text := "[" + head
		switch table.Name {
		case "entry of nat":
			text = "nat = ["
		case "probe":
			text = "probe = ["
		}
		if head != "" && !strings.HasPrefix(head, "rule") && !bytes.Contains(src, []byte(text)) {
			t.Errorf("no %s", text)
		}
	}
	// What hosts need that have lived without fwpush so far.
	for _, key := range []string{"coexist ", "mode ", "timers ", "become "} {
		if !bytes.Contains(src, []byte("\n"+key)) && !bytes.Contains(src, []byte(", "+key)) {
			t.Errorf("no %s", key)
		}
	}
}

// What overlaps becomes one range that holds all of it.
func TestOverlapsAreMerged(t *testing.T) {
	fleet, ps := Parse("fleet.toml", []byte(set(`"10.0.0.5-10.0.0.20", "10.0.0.0-10.0.0.9", "10.0.0.21", "10.0.0.7"`)+
		"[services.s]\ntcp = [\"85-100\", 90, \"80-86\", 101]\nudp = [80, 80]\n"))
	if len(ps.Errors()) > 0 || len(ps) != 2 {
		t.Errorf("%q", told(ps))
	}
	var got []string
	for _, a := range fleet.Sets["x"].Addresses {
		got = append(got, a.V.From.String()+"-"+a.V.To.String())
	}
	for _, p := range fleet.Services["s"].Ports {
		got = append(got, fmt.Sprintf("%s/%d-%d", p.V.Proto, p.V.From, p.V.To))
	}
	want := []string{"10.0.0.0-10.0.0.20", "10.0.0.21-10.0.0.21", "tcp/80-100", "tcp/101-101", "udp/80-80"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A burst that is not said is one that both backends can count.
func TestBurstUnsaid(t *testing.T) {
	for rate, want := range map[string]int{
		"20/s": 20, "600/min": 10, "2/s": 5, "100/min": 5, "1/h": 5, "1/day": 1, "3/day": 3, "9/day": 5, "1/h burst 24": 24, "1/day burst 1": 1, "7/min burst 10000": 10000,
	} {
		fleet, ps := Parse("fleet.toml", []byte(rule(`{ allow = "ssh", rate = "`+rate+`" }`)))
		if len(ps) > 0 || fleet.Roles["x"].In[0].Rate.V.Burst != want {
			t.Errorf("%s: %+v, %v", rate, fleet.Roles["x"].In, ps)
		}
	}
}
