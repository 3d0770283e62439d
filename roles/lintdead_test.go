package roles

import (
	"testing"

	"fwpush/inventory"
)

// What compiles and comes to nothing: words that are no interface, ports nobody listens
// on or is let in at, hosts that lack a family.
func TestLintsOfDeadRules(t *testing.T) {
	const ifaces = "[hosts.a]\nroles = [\"web\"]\nifaces = { wan = \"eth0\", lan = \"lan0\" }\n" // from line 5
	const nets = "[hosts.a]\nroles = [\"web\"]\naddresses = { wan = [\"10.0.0.1\"], wg0 = [\"10.1.0.1\"] }\n"
	const elsewhere = "[hosts.a]\nroles = [\"x\"]\nssh = { port = 2222 }\n[hosts.b]\nroles = [\"x\"]\n"
	proxy := func(in string) string {
		return "[hosts.a]\nroles = [\"web\"]\naddresses = [\"10.0.0.1\"]\nin = [ " + in + " ]\n" +
			"nat = [ { redirect = 3128, dport = \"http\", from = \"10.1.0.0/16\", iface = \"eth1\" } ]"
	}
	const dead = `9: redirect to port 3128, which no rule lets in on host a`
	members := func(rule string) string {
		return "[hosts.a]\nroles = [\"x\"]\naddresses = [\"10.0.0.1\", \"fd00::1\"]\n" +
			"[hosts.b]\nroles = [\"web\"]\naddresses = { lan = [\"10.0.0.2\"] }\n" +
			"[hosts.d]\nroles = [\"db\"]\nin = [ { allow = \"postgres\", from = \"fd00::/8\" } ]\naddresses = { lan = [\"10.0.0.4\"], wan = [\"2001:db8::4\"] }\n" +
			"[hosts.c]\nroles = [\"web\"]\naddresses = { lan = [\"10.0.0.3\", \"fd00::3\"], wan = [\"192.0.2.3\"] }\n" +
			"[roles.x]\nin = [\n" + rule + "\n]" // the rule is on line 20
	}
	for _, tt := range []struct{ name, fleet, want string }{
		{"an alias with a typo", ifaces + `in = [ { allow = "http", iface = "wam" } ]`, `8: "wam" is taken for the name of an interface of host a; did you mean "wan"?`},
		{"an alias with a typo in nat", ifaces + `nat = [ { masquerade = true, family = "ipv4", out_iface = "wann" } ]`, `8: "wann" is taken for the name of an interface of host a; did you mean "wan"?`},
		{"an alias with a typo on two hosts", ifaces + "[hosts.b]\nroles = [\"x\"]\nifaces = { wan = \"eth1\" }\n[hosts.c]\nroles = [\"x\"]\nifaces = { wan = \"eth2\" }\n[roles.x]\nforward = [ { allow = \"http\", in_iface = \"wna\" } ]",
			`15: "wna" is taken for the name of an interface of hosts b,c; did you mean "wan"?`},
		{"an alias and its name", ifaces + `in = [ { allow = "http", iface = ["wan", "eth0"] }, { allow = "https", iface = ["lan0", "lan1", "br0"] } ]`, ""},
		{"a net for an interface", nets + `in = [ { allow = "http", iface = "wan" } ]`, `8: "wan" is taken for the name of an interface, but is that of a net of host a`},
		{"a net called as its interface", nets + `in = [ { allow = "http", iface = "wg0" } ]`, ""},

		{"ssh where sshd is not", elsewhere + "[roles.x]\nin = [ { allow = [\"ssh\", \"http\"], from = \"192.0.2.0/24\" } ]", `11: the rule opens port 22, but sshd listens on 2222 on host a`},
		{"ssh of a standard role where sshd is not", "[hosts.a]\nroles = [\"bastion\"]\nssh = { port = 2222 }\n[hosts.b]\nroles = [\"bastion\"]\nssh = { port = 2222 }",
			`5: the rule at fwpush:standard/bastion.toml:5:3 opens port 22, but sshd listens on 2222 on hosts a,b`},
		{"ssh refused where sshd is not", elsewhere + "[roles.x]\nin = [ { allow = [\"ssh\", \"http\"], from = \"192.0.2.0/24\" }, { deny = \"ssh\" } ]", ""},
		{"ssh where a second sshd is", elsewhere + "sshd_ports = [22, 2022]\n[roles.x]\nin = [ { allow = \"tcp/2222\", from = \"192.0.2.0/24\" } ]", ""},
		{"22 of a range", elsewhere + "[roles.x]\nin = [ { allow = \"tcp/20-30\", from = \"192.0.2.0/24\" } ]", ""},

		{"redirect to a closed port", proxy(`{ allow = "http" }`), dead},
		{"redirect to a port for others", proxy(`{ allow = "tcp/3128", from = "192.0.2.0/24" }`), dead},
		{"redirect to a port at another interface", proxy(`{ allow = "tcp/3128", iface = "eth0" }`), dead},
		{"redirect to a port for a protocol of the same number", proxy(`{ allow = "udp/3128" }`), dead},
		{"redirect to a port that is refused", proxy(`{ allow = "tcp/3128", from = "10.1.0.0/16" }, { deny = "tcp/3000-4000" }`),
			lines(`8: the allow is shadowed, the deny at fleet.toml:8:54 wins`, dead)},
		{"redirect to an open port", proxy(`{ allow = "tcp/3128", from = "10.1.2.0/24" }`), ""},
		{"redirect to what raw may let in", proxy(``) + "\n[[raw]]\nhosts = \"a\"\nchain = \"input\"\nat = \"before-default\"\nnft = \"accept\"", ""},

		{"a host of a role without IPv6", members(`{ allow = "http", from = "role:web" }, { allow = "https", from = "role:web" }`), `20: role:web has no IPv6 address of host b, which the rule leaves out over IPv6`},
		{"a host of a role without IPv6, over IPv4", members(`{ allow = "http", from = "role:web", family = "ipv4" }`), ""},
		{"a host of a group without IPv6", members(`{ allow = "http", from = "group:all" }`) + "\n[groups.all]\nhosts = [\"b\", \"c\", \"d\"]", `20: group:all has no IPv6 address of host b, which the rule leaves out over IPv6`},
		{"hosts of a group without IPv6 in a net", members(`{ allow = "http", from = "group:all@lan" }`) + "\n[groups.all]\nhosts = [\"b\", \"c\", \"d\"]", `20: group:all@lan has no IPv6 address of hosts b,d, which the rule leaves out over IPv6`},
		{"a set of hosts", members(`{ allow = "http", from = "set:all" }`) + "\n[sets.all]\naddresses = \"role:web\"", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			problems := Check(load(t, prelude+tt.fleet+"\n"))
			if got := found(problems, inventory.Error); got != "" {
				t.Fatalf("errors:\n%s", got)
			}
			if got := found(problems, inventory.Warning); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}
