package roles

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fwpush/inventory"
)

func TestLintsOfTheLanguage(t *testing.T) {
	const host = "[hosts.a]\nroles = [\"web\"]\n"
	in := func(rule string) string { return host + "in = [ " + rule + " ]" }
	for _, tt := range []struct{ name, fleet, want string }{
		{"a limit on what another rule allows", in(`{ allow = "tcp/90" }, { allow = ["tcp/90", "tcp/91"], from = "10.0.0.0/24", rate = "6/h" }, { allow = "tcp/91", from = "10.1.0.0/24" }`),
			`7: the limit holds for what the allow at fleet.toml:7:8 lets in too`},
		{"a type that begins nothing", in(`{ allow = "reply" }`) + "\n[services.reply]\nicmp = [\"echo-reply\", \"echo-request\"]\nicmpv6 = [\"nd-redirect\"]",
			`7: echo-reply, nd-redirect begins no connection, so the rule never sees it`},
		{"types that begin something", in(`{ allow = "stamp" }`) + "\n[services.stamp]\nicmp = [\"timestamp-request\"]\nicmpv6 = [\"nd-router-advert\"]", ""},
		{"a limit of management", in(`{ allow = "ssh", from = "10.1.0.0/16", rate = "6/min" }`), `7: the limit counts nobody: management lets these sources in before`},
		{"a limit of more than management", in(`{ allow = "ssh", from = ["10.1.0.0/16", "192.0.2.0/24"], rate = "6/min" }`), ""},
		{"a limit of another port", in(`{ allow = "tcp/2222", from = "10.1.0.0/16", rate = "6/min" }`), ""},
		{"no limit", in(`{ allow = "ssh", from = "10.1.0.0/16" }`), ""},
		{"docker", host + "coexist = [\"docker\"]\nforward = [ { allow = \"http\" } ]", `5: host "a" has forward rules and coexists with docker`},
		{"docker and published ports alone", host + "coexist = [\"docker\"]\npublished = [ { allow = \"http\" } ]", ""},
		{"docker and no word about forwarding", host + "coexist = [\"docker\"]", ""},

		{"sets that overlap", host + "[sets.x]\naddresses = [\"192.0.2.0-192.0.2.9\"]\n[sets.y]\naddresses = [\"192.0.2.8-192.0.2.20\"]", `9: sets "x" and "y" overlap: both hold 192.0.2.8/31`},
		{"sets that hold the same", host + "[sets.x]\naddresses = [\"192.0.2.0/24\"]\n[sets.y]\naddresses = [\"192.0.2.0/25\", \"192.0.2.128/25\"]", `9: sets "x" and "y" hold the same`},
		{"a set within another", host + "[sets.x]\naddresses = [\"192.0.2.0/24\"]\n[sets.y]\naddresses = [\"192.0.2.5\"]", ""},
		{"sets apart", host + "[sets.x]\naddresses = [\"192.0.2.0/24\"]\n[sets.y]\naddresses = [\"2001:db8::/32\"]", ""},

		{"behind a nat", behind(`role:app`, `192.0.2.7`), `6: role:app is behind the nat of host "gw" (fleet.toml:12:9): where its packets pass that, they come from another address`},
		{"on the same side", behind(`role:app`, `10.7.0.9`), ""},
		{"behind a nat without from", strings.NewReplacer(`, from = "10.7.0.0/24"`, "", `out_iface = "eth0"`, `out_iface = "wan"`,
			`forward = []`, `forward = []`+"\n"+`ifaces = { wan = "eth0" }`, `addresses = ["192.0.2.7"]`, `addresses = { wan = ["192.0.2.7"] }`).Replace(behind(`role:app`, `192.0.2.7`)),
			`6: role:app is behind the nat of host "gw" (fleet.toml:13:9): where its packets pass that, they come from another address`},
		{"a nat of who knows where", strings.Replace(behind(`role:app`, `192.0.2.7`), `, from = "10.7.0.0/24"`, "", 1), ""},
		{"by address", behind(`10.7.0.1`, `192.0.2.7`), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := found(Check(load(t, prelude+tt.fleet+"\n")), inventory.Warning); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

// behind is a gateway that translates what comes from a net, a host in that net, and
// another host that has a rule.
func behind(from, address string) string {
	return "[hosts.srv]\nin = [ { allow = \"http\", from = \"" + from + "\" } ]\naddresses = [\"" + address + "\"]\nroles = [\"web\"]\n" +
		"[hosts.gw]\nroles = [\"web\"]\nforward = []\nnat = [ { masquerade = true, from = \"10.7.0.0/24\", out_iface = \"eth0\", family = \"ipv4\" } ]\n" +
		"[hosts.app1]\nroles = [\"app\"]\naddresses = [\"10.7.0.1\"]\n[roles.app]\nin = [ { allow = \"http\" } ]"
}

func TestLintExpiry(t *testing.T) {
	text := prelude + "[hosts.a]\nroles = [\"web\"]\nin = [ { allow = \"tcp/8080\", expires = 2027-01-31 } ]\n"
	for day, want := range map[string]string{
		"2027-01-17": "", "2027-01-18": "7: the rule expires soon, its last day is 2027-01-31", "2027-01-31": "7: the rule expires soon, its last day is 2027-01-31",
		"2027-02-01": "7: the rule expired on 2027-01-31 and is left out",
	} {
		fleet := load(t, text)
		fleet.ReadAt, _ = time.Parse(time.DateOnly, day)
		if got := found(Check(fleet), inventory.Warning); got != want {
			t.Errorf("%s: got %q, want %q", day, got, want)
		}
	}
}

// A host that gets no rules is an entry of the address book: nothing is wrong with it.
func TestUnmanagedHosts(t *testing.T) {
	text := prelude + "[hosts.a]\nroles = [\"web\"]\nin = [ { allow = \"http\", from = \"host:b\" } ]\n[hosts.b]\nunmanaged = true\naddresses = [\"192.0.2.9\"]\n"
	text = strings.Replace(text, `, "fd00::/8"`, "", 1)
	text += "[hosts.c]\nunmanaged = true\nssh = { address = \"2001:db8::1\" }\naddresses = [\"2001:db8::1\"]\n"
	if problems := Check(load(t, text)); len(problems) > 0 {
		t.Errorf("%+v", problems)
	}
	text = strings.Replace(text, "[hosts.b]\n", "[hosts.b]\nin = [ { allow = \"http\" } ]\n", 1)
	if got, want := found(Check(load(t, text)), inventory.Warning), `host "b" is unmanaged, its rules are never pushed`; !strings.Contains(fmt.Sprint(got), want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Which families a rule speaks of is asked of every rule of every host: its peers are
// not put together for that.
func TestFamiliesMakeNoUnion(t *testing.T) {
	a, b := Peer{Kind: SetPeer, Name: "a"}, Peer{Kind: SetPeer, Name: "b"}
	a.V4 = []inventory.AddrRange{{From: netip.MustParseAddr("10.0.0.1"), To: netip.MustParseAddr("10.0.0.1")}}
	b.V4, b.V6 = a.V4, []inventory.AddrRange{{From: netip.MustParseAddr("2001:db8::"), To: netip.MustParseAddr("2001:db8::")}}
	r := Rule{Traffic: Traffic{All: true}, From: []Peer{a, b}, To: []Peer{a, a}}
	if v4, v6 := r.families(); !v4 || v6 {
		t.Errorf("IPv4 %t, IPv6 %t", v4, v6)
	}
	if n := testing.AllocsPerRun(10, func() { r.families() }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
